"""Where the time of this project's pipeline goes: `python -m bench.profile --py-spy PROGRAM`.

py-spy samples the Python threads that are on a core, or ready for one. What a thread does in C
counts for the Python function that called it. Threads that Arrow and DuckDB start themselves run no
Python, and are not seen. Writes docs/profile.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.contestants import SOURCES, TITLES
from bench.limits import QUERY
from bench.measure import measure
from bench.run import put_sql, s3_of
from bench.site import BenchSite, bench_arguments, bench_site

_RATE = 200
_IMPORTS, _OTHER = "imports", "all else"
_STAGES = (
    ("reading rows", ("extract_project/warehouses/",)),
    ("casting to the file's types", ("extract_project/schema/", "pipeline/file_columns")),
    ("fingerprint and profile of columns", ("pipeline/profile", "extract_project/checks/")),
    ("encoding Parquet", ("extract_project/formats/",)),
    ("uploading", ("extract_project/store/", "extract_project/publish/")),
    ("SQL file, settings, receipts", ("extract_project/",)),
)
"""The innermost function of this project in one of these files decides."""


def main() -> None:
    parser = bench_arguments("bench.profile", __doc__, "docs/profile.md")
    parser.add_argument("--py-spy", required=True, help="the program")
    given = parser.parse_args()
    with bench_site(given.directory, given.scale) as site:
        profiles = {source: _profile(site, source, given.py_spy) for source in SOURCES}
    given.output.write_text(_page(given.scale, profiles))


@dataclass(frozen=True)
class Profile:
    """Where one run was looked at."""

    cpu: float
    """CPU seconds of a run that nobody watched."""
    samples: Mapping[str, int]
    """By stage."""

    @property
    def seconds(self) -> float:
        return sum(self.samples.values()) / _RATE

    def share(self, stage: str) -> float:
        return self.samples.get(stage, 0) / sum(self.samples.values())


def _profile(site: BenchSite, source: str, py_spy: str) -> Profile:
    put_sql(s3_of(site), source, QUERY)
    command = [sys.executable, "-m", "bench.pipeline", source]
    log = site.directory / f"{source}-profile.log"
    whole = measure(command, site.environment, log)
    stacks = site.directory / f"{source}-profile.raw"
    watched = [
        *(py_spy, "record", "--nonblocking", "--rate", str(_RATE)),
        *("--format", "raw", "--output", str(stacks)),
    ]
    subprocess.run(
        [*watched, "--", *command], env=site.environment, check=True, stderr=subprocess.DEVNULL
    )
    return Profile(whole.cpu, _by_stage(stacks.read_text().splitlines()))


def _by_stage(stacks: Iterable[str]) -> Mapping[str, int]:
    """Samples by stage; a stack is `outermost (file:line);…;innermost (file:line) samples`."""
    samples: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        samples[_stage(stack.split(";"))] += int(count)
    return samples


def _stage(frames: list[str]) -> str:
    if any(frame.startswith("_find_and_load ") for frame in frames):
        return _IMPORTS
    for frame in reversed(frames):
        for stage, places in _STAGES:
            if any(place in frame for place in places):
                return stage
    return _OTHER


def _page(scale: float, profiles: Mapping[str, Profile]) -> str:
    every = profiles.values()
    rows = [
        _row(stage, [f"{each.share(stage):.0%}" for each in every])
        for stage in (_IMPORTS, *(stage for stage, _ in _STAGES), _OTHER)
    ]
    rows.append(_row("seconds, as sampled", [f"{each.seconds:.1f}" for each in every]))
    rows.append(_row("CPU seconds of a run unwatched", [f"{each.cpu:.1f}" for each in every]))
    return _PAGE.format(
        scale=scale,
        rate=_RATE,
        titles=" | ".join(TITLES[source] for source in profiles),
        lines="|---" * (len(profiles) + 1),
        rows="\n".join(rows),
    )


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


_PAGE = """# Where the time of a run goes

Printed by `make bench-profile SCALE={scale:g}`: one run of the pipeline without
Dagster, for the query of [performance.md](performance.md). py-spy looked {rate} times a second
at which Python threads were on a core, or ready for one. What a thread does in C counts for the
Python function that called it: most of "reading rows" is the driver's own code. Threads of DuckDB
and Arrow that run no Python are not seen.

| | {titles} |
{lines}|
{rows}

The last two rows lie apart where threads waited for a core: servers share them, and Python lets one
thread at a time run its code. So these are shares of the time, not CPU seconds.
"""


if __name__ == "__main__":
    main()

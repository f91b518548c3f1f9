"""Where the CPU time of this project's pipeline goes: `python -m bench.profile --py-spy PROGRAM`.

py-spy samples the Python threads that are on a core. What a thread does in C counts for the Python
function that called it. Threads that Arrow and DuckDB start themselves run no Python: theirs is
what is left of the CPU time of a run that nobody watches. Writes docs/profile.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.contestants import SOURCES
from bench.limits import QUERY
from bench.measure import measure
from bench.run import put_sql, s3_of
from bench.site import BenchSite, bench_site

_RATE = 200
_TITLES = {"snowflake": "Snowflake", "postgres": "Postgres", "duckdb": "DuckDB"}
_IMPORTS, _OTHER, _NATIVE = "imports", "all else", "threads of Arrow and DuckDB"
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
    parser = argparse.ArgumentParser(prog="bench.profile", description=__doc__)
    parser.add_argument("--py-spy", required=True, help="the program")
    parser.add_argument("--scale", type=float, default=1.0, help="of TPC-H; 1 is 6 million rows")
    parser.add_argument("--directory", type=Path, default=Path(".bench"))
    parser.add_argument("--output", type=Path, default=Path("docs/profile.md"))
    given = parser.parse_args()
    directory = given.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with bench_site(directory, given.scale) as site:
        profiles = {source: _profile(site, source, given.py_spy) for source in SOURCES}
    given.output.write_text(_page(given.scale, profiles))


def _profile(site: BenchSite, source: str, py_spy: str) -> Mapping[str, float]:
    """CPU seconds by stage."""
    put_sql(s3_of(site), source, QUERY)
    command = [sys.executable, "-m", "bench.pipeline", source]
    log = site.directory / f"{source}-profile.log"
    whole = measure(command, site.environment, log)
    stacks = site.directory / f"{source}-profile.raw"
    watched = [py_spy, "record", "--rate", str(_RATE), "--format", "raw", "--output", str(stacks)]
    subprocess.run(
        [*watched, "--", *command], env=site.environment, check=True, stderr=subprocess.DEVNULL
    )
    seconds = by_stage(stacks.read_text().splitlines())
    return {**seconds, _NATIVE: max(0.0, whole.cpu - sum(seconds.values()))}


def by_stage(stacks: Iterable[str]) -> dict[str, float]:
    """Seconds by stage; a stack is `outermost (file:line);…;innermost (file:line) samples`."""
    samples: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        samples[_stage(stack.split(";"))] += int(count)
    return {stage: count / _RATE for stage, count in samples.items()}


def _stage(frames: list[str]) -> str:
    if any(frame.startswith("_find_and_load ") for frame in frames):
        return _IMPORTS
    for frame in reversed(frames):
        for stage, places in _STAGES:
            if any(place in frame for place in places):
                return stage
    return _OTHER


def _page(scale: float, profiles: Mapping[str, Mapping[str, float]]) -> str:
    stages = [_IMPORTS, *(stage for stage, _ in _STAGES), _OTHER, _NATIVE]
    rows = [
        _row(stage, [profile.get(stage, 0.0) for profile in profiles.values()]) for stage in stages
    ]
    everything = _row("together", [sum(profile.values()) for profile in profiles.values()])
    return _PAGE.format(
        scale=scale,
        titles=" | ".join(_TITLES[source] for source in profiles),
        lines="|---" * (len(profiles) + 1),
        rows="\n".join([*rows, everything]),
    )


def _row(stage: str, seconds: Iterable[float]) -> str:
    return f"| {stage} | {' | '.join(f'{each:.1f}' for each in seconds)} |"


_PAGE = """# Where the CPU time goes

Printed by `make bench-profile SCALE={scale:g}`: CPU seconds of one run of the pipeline without
Dagster, for the query of [performance.md](performance.md). py-spy looked {rate} times a second at which
Python threads were on a core. What a thread does in C counts for the Python function that called
it: most of "reading rows" is the driver's own code.

| | {titles} |
{lines}|
{rows}

`threads of Arrow and DuckDB` run no Python, so they are what is left of the CPU time of a second
run, which nobody watched.
""".replace("{rate}", str(_RATE))


if __name__ == "__main__":
    main()

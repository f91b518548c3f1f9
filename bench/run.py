"""Run all rounds. This project and its peers take turns, so that all suffer alike if the machine
becomes slower.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contestants import CONTESTANTS, Contestant, as_task, ours
from bench.control_group import ControlGroup
from bench.equality import Verdict, judge
from bench.limits import QUERY
from bench.measure import Measurement, measure
from bench.site import BUCKETS, BenchSite
from extract_project.history.receipt import Receipt, load_receipt
from extract_project.history.versions import find_version
from extract_project.settings import Settings
from extract_project.store.s3.client import connect
from extract_project.store.s3.store import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OURS = "this project, without Dagster"
WHOLE = "this project, the whole run with Dagster"
_LONGEST = 900
_SLOW = 3
_NOTHING: Mapping[str, str] = {}


@dataclass
class Entry:
    """A contestant's rounds on one source."""

    name: str
    runs: list[Measurement] = field(default_factory=list)
    verdict: Verdict | None = None
    failure: str = ""
    once: bool = False
    """Contestants so slow that they run only once."""
    saves: str = ""
    """What a contestant leaves out."""

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def servers_cpu(self) -> float:
        return statistics.median(run.servers_cpu for run in self.runs)

    @property
    def span(self) -> tuple[float, float]:
        """The fastest and the slowest run."""
        walls = [run.wall for run in self.runs]
        return min(walls), max(walls)

    @property
    def peak(self) -> float:
        return max(run.peak_bytes for run in self.runs)


@dataclass
class Outcome:
    """Everything measured on one source."""

    source: str
    entries: list[Entry]
    limits: dict[str, float]
    pipeline: list[float]
    """Seconds of our pipeline alone, from the query to the version, without Dagster."""
    to_query: list[float]
    """Seconds from the start of the process to the query."""
    first_wall: float = 0.0
    """Seconds of our own first run; programs that are much slower run only once."""

    @property
    def slowest_limit(self) -> float:
        return max(self.limits.values())


@dataclass(frozen=True)
class _Course:
    """The context of all runs on one source."""

    site: BenchSite
    s3: S3Client
    source: str
    peers: Path | None
    """The Python of the peers' environment."""


def run_source(site: BenchSite, source: str, rounds: int, peers: Path | None) -> Outcome:
    """Run every contestant once per round. The first round warms up caches and does not count."""
    course = _Course(site, s3_of(site), source, peers)
    put_sql(course.s3, source, QUERY)
    chosen = [each for each in CONTESTANTS if peers and source in each.sources]
    entries = {each.name: Entry(each.name, saves=each.saves) for each in chosen}
    outcome = Outcome(source, [Entry(OURS), Entry(WHOLE), *entries.values()], {}, [], [])
    limits: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        _pipeline_once(course, outcome, counted=number > 0)
        _whole_once(course, outcome, counted=number > 0)
        for contestant in chosen:
            _peer_once(course, outcome, contestant, entries[contestant.name], number > 0)
        for name, seconds in _limits_once(course).items():
            if number:
                limits.setdefault(name, []).append(seconds)
    outcome.limits = {name: statistics.median(values) for name, values in limits.items()}
    key = f"extracts/bench/{source}.parquet"
    verdict = judge(course.s3, BUCKETS[1], key, site.duckdb_path)
    outcome.entries[0].verdict = outcome.entries[1].verdict = verdict
    return outcome


def put_sql(s3: S3Client, source: str, query: str) -> None:
    """Make `query` the extract that is measured."""
    header = f"/*---\nwarehouse: {source}\nunchanged: publish\n---*/\n"
    body = f"{header}{query}".encode()
    s3.put_object(Bucket=BUCKETS[0], Key=f"sql/bench/{source}.sql", Body=body)


def _pipeline_once(course: _Course, outcome: Outcome, counted: bool) -> None:
    command = [sys.executable, "-m", "bench.pipeline", course.source]
    run = _own(course, outcome.entries[0], command)
    outcome.first_wall = outcome.first_wall or run.wall
    if counted:
        outcome.entries[0].runs.append(run)
        outcome.pipeline.append(_receipt(course.site, course.s3, course.source).stages.total)


def _whole_once(course: _Course, outcome: Outcome, counted: bool) -> None:
    run = _own(course, outcome.entries[1], ours(course.source), as_task(course.source))
    if counted:
        receipt = _receipt(course.site, course.s3, course.source)
        outcome.entries[1].runs.append(run)
        queried_at = receipt.started_at.timestamp() + receipt.stages.connect
        outcome.to_query.append(queried_at - run.started_at)


def _own(
    course: _Course, entry: Entry, command: list[str], more: Mapping[str, str] = _NOTHING
) -> Measurement:
    log = course.site.directory / f"{course.source}-ours.log"
    run = measure(command, {**course.site.environment, **more}, log, _LONGEST)
    _say(f"{course.source}: {entry.name}", run)
    if run.exit_code:
        raise SystemExit(f"our own run failed, see {log}")
    return run


def _receipt(site: BenchSite, s3: S3Client, source: str) -> Receipt:
    key = f"extracts/bench/{source}.parquet"
    version = find_version(S3Store(s3, BUCKETS[1]), key)
    assert version is not None
    settings = Settings.model_validate(
        {
            "manifest": site.environment["EXTRACT_MANIFEST"],
            "data": site.environment["EXTRACT_DATA"],
            "warehouses": {"duckdb": {"type": "duckdb"}},
        }
    )
    receipt = load_receipt(settings.connect().state, key, version.provenance["receipt"])
    assert receipt is not None
    return receipt


def _peer_once(
    course: _Course, outcome: Outcome, contestant: Contestant, entry: Entry, counted: bool
) -> None:
    if entry.failure or entry.once:
        return
    assert course.peers is not None
    site, source = course.site, course.source
    key = f"peers/{source}/{contestant.script}{len(contestant.environment)}.parquet"
    environment = {
        **site.environment,
        **contestant.environment,
        "BENCH_SOURCE": source,
        "BENCH_QUERY": QUERY,
        "BENCH_TARGET": f"s3://{BUCKETS[1]}/{key}",
    }
    log = site.directory / f"{source}-{contestant.script}.log"
    run = measure(contestant.command(course.peers), environment, log, _LONGEST, site.directory)
    _say(f"{source}: {entry.name}", run)
    if run.exit_code:
        last = next((line for line in reversed(run.output.splitlines()) if line.strip()), "")
        entry.failure = (
            f"not done after {_LONGEST} s" if run.wall >= _LONGEST else last.strip()[:100]
        )
        return
    slow = run.wall > _SLOW * outcome.first_wall
    if counted or slow:
        entry.runs.append(run)
    entry.once = slow
    if entry.verdict is None:
        entry.verdict = judge(course.s3, BUCKETS[1], key, site.duckdb_path)


def _limits_once(course: _Course) -> dict[str, float]:
    site, source = course.site, course.source
    log = site.directory / f"{source}-limits.log"
    run = measure([sys.executable, "-m", "bench.limits", source], site.environment, log, _LONGEST)
    _say(f"{source}: the physical limits", run)
    if run.exit_code:
        raise SystemExit(f"the limits could not be measured, see {log}")
    found: dict[str, float] = json.loads(run.output[run.output.rindex("{") :])
    return found


def baseline(site: BenchSite, rounds: int) -> float:
    """Median seconds from the start of a process to a step's body in an empty Dagster project."""
    dagster = Path(sysconfig.get_path("scripts")) / "dagster"
    command = [
        *(sys.executable, str(dagster), "asset", "materialize"),
        *("--select", "reached", "-m", "bench.baseline"),
    ]
    log = site.directory / "baseline.log"
    return statistics.median(
        _reached(measure(command, site.environment, log)) for _ in range(max(3, rounds))
    )


def _reached(run: Measurement) -> float:
    found = re.search(r"^reached ([\d.]+)$", run.output, re.MULTILINE)
    if found is None:
        raise SystemExit(f"the empty Dagster project failed: {run.output[-2000:]}")
    return float(found.group(1)) - run.started_at


@dataclass(frozen=True)
class Taken:
    """What one whole run of ours published, and the memory that it took."""

    rows: int
    peak_bytes: int


def memory(site: BenchSite, source: str, query: str, within: ControlGroup | None = None) -> Taken:
    """Measure one whole run of ours with another query, in a control group if one is given."""
    s3 = s3_of(site)
    put_sql(s3, source, query)
    environment = {**site.environment, **as_task(source)}
    command = within.enclosed(ours(source)) if within else ours(source)
    run = measure(command, environment, site.directory / "memory.log", 3600)
    _say(f"{source}: memory{' in a task' if within else ''}", run)
    if run.exit_code:
        raise SystemExit(f"our own run failed: {run.output[-2000:]}")
    return Taken(_receipt(site, s3, source).rows, run.peak_bytes)


def s3_of(site: BenchSite) -> S3Client:
    import os

    os.environ.update({k: v for k, v in site.environment.items() if k.startswith("AWS_")})
    return connect()


def _say(what: str, run: Measurement) -> None:
    sys.stderr.write(
        f"{what:<60} {run.wall:6.1f} s  {run.cpu:6.1f} CPU s  {run.peak_bytes >> 20:5d} MiB"
        f"{'' if not run.exit_code else f'  exit {run.exit_code}'}\n"
    )


def as_json(outcomes: list[Outcome]) -> Iterator[dict[str, Any]]:
    """The raw measurements as JSON."""
    for outcome in outcomes:
        for entry in outcome.entries:
            yield {
                "source": outcome.source,
                "name": entry.name,
                "failure": entry.failure,
                "runs": [
                    {
                        "wall": run.wall,
                        "cpu": run.cpu,
                        "servers_cpu": run.servers_cpu,
                        "peak": run.peak_bytes,
                    }
                    for run in entry.runs
                ],
            }

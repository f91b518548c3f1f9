"""Two code servers of one location at the same time, as in a rolling deployment.

The webserver asks one of them, and the daemon the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._grpc.client import DagsterGrpcClient

from extract_project.deployment.client import Deployment
from extract_project.embedded.s3_server import S3Server
from extract_project.manifest.bucket import list_files
from extract_project.manifest.snapshot import Mark, load_snapshot, marked_snapshot
from extract_project.settings import LOCATION
from extract_project.store.folder import Location
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.several_locations import CodeServer, Several, several
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.soak

_SECONDS = 180
_EVERY_MINUTE = "/*---\nschedule: '* * * * *'\nunchanged: publish\n---*/\n"
_ON_CHANGE = "/*---\non_change: materialize\n---*/\n"
_RELOADS = 3
_SNAPSHOT = ".json.gz"
_MARKS: tuple[Mark, ...] = ("newest", "served")


@dataclass(frozen=True)
class Pair:
    """The two servers, and their buckets."""

    site: Site
    running: Several

    def runs(self, path: str) -> list[DagsterRun]:
        with DagsterInstance.from_config(str(self.running.home)) as instance:
            return list(instance.get_runs(RunsFilter(tags={"extract/path": path})))

    def published(self, path: str) -> list[dict[str, str]]:
        """What each version of an extract says of itself, the newest first."""
        key = f"extracts/{path}.parquet"
        bucket = self.site.data.bucket
        return [
            self.site.s3.head_object(Bucket=bucket, Key=key, VersionId=version)["Metadata"]
            for version in self.site.version_ids(key)
        ]

    def ticks(self, sensor: str) -> list[InstigatorTick]:
        """The ticks of a sensor, the newest first."""
        with DagsterInstance.from_config(str(self.running.home)) as instance:
            return [
                tick
                for state in instance.all_instigator_state()
                if state.name == sensor
                for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
            ]

    def reload_both(self) -> None:
        """Have both reload, several times and at the same time."""
        deployment = Deployment(self.running.url)
        other = DagsterGrpcClient(port=self.running.ports[1], host="127.0.0.1")
        with ThreadPoolExecutor() as pool:
            asked: list[Future[object]] = []
            for _ in range(_RELOADS):
                asked.append(pool.submit(deployment.reload))
                asked.append(pool.submit(other.reload_code, _SECONDS))
        for each in asked:
            each.result()


@pytest.fixture(scope="module")
def pair(
    module_aws: S3Server, buckets: Buckets, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    s3 = connect()
    with buckets.lent(s3, "manifest") as manifest, buckets.lent(s3, "data") as data:
        site = Site.of(module_aws, s3, Location(manifest, "sql"), Location(data, "extracts"))
        site.put_sql("pair/ticking", f"{_EVERY_MINUTE}select 'one' as word")
        site.put_sql("pair/eager", f"{_ON_CHANGE}select 'one' as word")
        one = CodeServer(LOCATION, site.environment)
        with several(
            tmp_path_factory.mktemp("dagster"),
            (one, one),
            webserver_uses=slice(0, 1),
            daemon_uses=slice(1, 2),
        ) as running:
            yield Pair(site, running)


def test_two_servers_of_one_location_do_no_harm(pair: Pair) -> None:
    site = pair.site
    for path in ("pair/ticking", "pair/eager"):
        await_value(f"the first version of {path}", partial(_published, pair, path), _SECONDS)
    second = {
        site.put_sql("pair/ticking", f"{_EVERY_MINUTE}select 'two' as word"),
        site.put_sql("pair/eager", f"{_ON_CHANGE}select 'two' as word"),
    }
    pair.reload_both()
    Deployment(pair.running.url).launch(["pair/ticking"])

    for path in ("pair/ticking", "pair/eager"):
        new = partial(_published, pair, path, second)
        await_value(f"a version of {path} by the new SQL", new, _SECONDS)
    _await_a_tick_of_new_sql(pair, second)

    ticks = [run.tags["extract/tick"] for run in pair.runs("pair/ticking") if _ticked(run)]
    assert len(set(ticks)) == len(ticks)
    assert len([run for run in pair.runs("pair/eager") if _caused(run, "on_change")]) == 2
    for path in ("pair/ticking", "pair/eager"):
        _agree(pair, path)
    _snapshots_are_whole(site)


def test_the_server_that_the_webserver_does_not_ask_says_so_once(pair: Pair) -> None:
    pair.site.put_sql("pair/later", f"{_ON_CHANGE}select 'later' as word")
    await_value("the daemon's server to say so", lambda: _told_apart(pair), _SECONDS)
    assert "pair/later" in Deployment(pair.running.url).extracts()
    told = [tick.skip_reason or "" for tick in pair.ticks("manifest")]
    assert len([each for each in told if "pair/later.sql" in each and "reloaded" in each]) == 1
    pair.reload_both()
    await_value("its run", partial(_published, pair, "pair/later"), _SECONDS)
    _snapshots_are_whole(pair.site)


def _told_apart(pair: Pair) -> bool:
    errors = [tick.error.to_string() for tick in pair.ticks("manifest") if tick.error]
    return any("expected one code server for a code location" in each for each in errors)


def _published(pair: Pair, path: str, versions: Collection[str] = ()) -> bool:
    """Whether there is a version, made from one of these versions of the SQL."""
    found = pair.published(path)
    return any(not versions or each["extract-sql-version"] in versions for each in found)


def _await_a_tick_of_new_sql(pair: Pair, versions: set[str]) -> None:
    def ended() -> bool:
        return any(
            _ticked(run)
            and run.tags.get("extract/sql_version") in versions
            and run.status is DagsterRunStatus.SUCCESS
            for run in pair.runs("pair/ticking")
        )

    await_value("a tick with the new SQL", ended, _SECONDS)


def _ticked(run: DagsterRun) -> bool:
    return _caused(run, "schedule")


def _caused(run: DagsterRun, cause: str) -> bool:
    return run.tags.get("extract/cause") == cause


def _agree(pair: Pair, path: str) -> None:
    """Each run has published one version, made from the SQL that it was launched with."""
    runs = {run.run_id: run for run in pair.runs(path) if run.is_finished}
    assert {run.status for run in runs.values()} == {DagsterRunStatus.SUCCESS}
    made = [each for each in pair.published(path) if each["extract-run-id"] in runs]
    assert sorted(each["extract-run-id"] for each in made) == sorted(runs)
    for each in made:
        wanted = runs[each["extract-run-id"]].tags["extract/sql_version"]
        assert each["extract-sql-version"] == wanted


def _snapshots_are_whole(site: Site) -> None:
    """Each can be read, and both marks are at the manifest as it is."""
    folder = f"{site.state.prefix}/snapshots/"
    found = site.s3.list_objects_v2(Bucket=site.state.bucket, Prefix=folder)["Contents"]
    names = [each["Key"].removeprefix(folder) for each in found]
    for name in names:
        if name.endswith(_SNAPSHOT):
            load_snapshot(site.state, name.removesuffix(_SNAPSHOT))
    current = {each.key: each.token for each in list_files(site.manifest)}
    for mark in _MARKS:
        marked = marked_snapshot(site.state, site.manifest.uri, mark)
        assert marked is not None
        assert marked[1].files == current
    versions = site.s3.list_object_versions(Bucket=site.state.bucket, Prefix=folder)["Versions"]
    kept = [each["Key"] for each in versions if each["Key"].endswith(_SNAPSHOT)]
    assert sorted(kept) == sorted(set(kept)), "a snapshot was written over"

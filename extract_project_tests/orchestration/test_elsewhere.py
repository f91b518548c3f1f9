"""Extracts that depend on those of another code location: what starts them, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from extract_project.deployment.loaded import Question
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.elsewhere import extracts_elsewhere
from extract_project.manifest.others import read_others
from extract_project.manifest.snapshot import Snapshot, load_snapshot, point_to, save_snapshot
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.load.live import manifest_sensor
from extract_project.orchestration.load.loading import RefusedManifest
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.downstream import (
    DOWNSTREAM_SENSOR,
    DownstreamCursor,
    Waiting,
)
from extract_project.orchestration.status.answering import read_facts
from extract_project.settings import Settings
from extract_project.status.explanation import Explanation, explain
from extract_project.status.facts import Facts
from extract_project.status.reason import Kind, Reason
from extract_project.status.table import status_report
from extract_project.store.folder import Location
from extract_project_tests.conftest import DIALECTS, Site
from extract_project_tests.support.executing import execute, materialization

HOURLY = "schedule: 0 * * * *"
GOOD, BAD = "select 1 as a", "select error('no') as a"


class Team:
    """A code location, whose definitions are made anew for each question."""

    def __init__(self, site: Site, settings: Settings, *others: Location) -> None:
        self.site = site
        changed = {"manifest": Location.parse(site.manifest.uri), "upstream_manifests": others}
        self.settings = settings.model_copy(update=changed)

    def put(self, path: str, *header: str, sql: str = GOOD) -> None:
        self.site.put_sql(path, "/*---\n{}\n---*/\n{}".format("\n".join(header), sql))

    def snapshot(self) -> Snapshot:
        """What it loads now; others know it from then on."""
        folders = self.settings.connect()
        found = read_manifest(folders.manifest, DIALECTS, others=read_others(folders))
        point_to(folders.state, folders.manifest.uri, save_snapshot(folders.state, found))
        return found

    def location(self, snapshot: Snapshot) -> CodeLocation:
        return CodeLocation(self.settings, self.settings.connect, "snapshot-1", snapshot.elsewhere)

    def definitions(self) -> dg.Definitions:
        snapshot = self.snapshot()
        return compose(snapshot, self.location(snapshot))

    def run(self, instance: dg.DagsterInstance, path: str) -> None:
        execute(self.definitions(), instance, path)

    def look(
        self, instance: dg.DagsterInstance, cursor: DownstreamCursor | None = None
    ) -> tuple[list[str], str, DownstreamCursor]:
        """A tick of `following`: which extracts it starts, what it says, and its cursor."""
        repository = self.definitions().get_repository_def()
        with dg.build_sensor_context(
            instance=instance,
            repository_def=repository,
            cursor=cursor.model_dump_json() if cursor else None,
        ) as context:
            data = repository.get_sensor_def(DOWNSTREAM_SENSOR).evaluate_tick(context)
        paths = [request.tags["extract/path"] for request in data.run_requests or ()]
        found = DownstreamCursor.model_validate_json(data.cursor or "{}")
        return paths, data.skip_message or "", found

    def facts(self, instance: dg.DagsterInstance) -> Facts:
        snapshot = self.snapshot()
        extracts = {each.path: each for each in snapshot.extracts}
        location = self.location(snapshot)
        return read_facts(instance, extracts, snapshot.invalid, location, location_name="crm")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that knows of schedules and sensors."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def sales(site: Site, settings: Settings) -> Team:
    elsewhere = Location(site.manifest.bucket, "sales-sql")
    return Team(Site.of(site.server, site.s3, elsewhere, site.data), settings)


@pytest.fixture
def crm(site: Site, settings: Settings, sales: Team) -> Team:
    return Team(site, settings, Location.parse(sales.site.manifest.uri))


def told(explanation: Explanation, kind: Kind) -> Reason:
    (found,) = (each for each in explanation.reasons if each.kind is kind)
    return found


def test_runs_when_an_extract_elsewhere_has_new_data_and_only_then(
    sales: Team, crm: Team, instance: dg.DagsterInstance
) -> None:
    sales.put("sales/orders")
    sales.snapshot()
    crm.put("crm/report", "depends_on: sales/orders")
    assert crm.look(instance)[0] == []
    sales.run(instance, "sales/orders")
    assert crm.look(instance)[0] == ["crm/report"]
    crm.run(instance, "crm/report")
    made_from = materialization(instance, "crm/report").tags or {}
    theirs = materialization(instance, "sales/orders").tags or {}
    assert made_from["dagster/input_data_version/sales/orders"] == theirs["dagster/data_version"]
    assert crm.look(instance)[0] == []
    sales.run(instance, "sales/orders")  # the same data again
    assert crm.look(instance)[0] == []
    sales.put("sales/orders", sql="select 2 as a")
    sales.run(instance, "sales/orders")
    assert crm.look(instance)[0] == ["crm/report"]


def test_waits_at_its_tick_for_the_newest_tick_elsewhere(
    sales: Team, crm: Team, instance: dg.DagsterInstance
) -> None:
    sales.put("sales/orders", HOURLY)
    sales.put("sales/totals", "depends_on: sales/orders")
    sales.snapshot()
    crm.put("crm/report", HOURLY, "depends_on: sales/totals")
    repository = crm.definitions().get_repository_def()
    assert not repository.schedule_defs, "its own schedule would not wait"
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    cursor = DownstreamCursor(waiting={"crm/report": Waiting(seen=an_hour_ago)})
    started, said, cursor = crm.look(instance, cursor)
    assert (started, "UTC) waits for sales/totals" in said) == ([], True)
    sales.run(instance, "sales/orders")
    assert crm.look(instance, cursor)[0] == [], "sales/totals has new data to run with"
    sales.run(instance, "sales/totals")
    assert crm.look(instance, cursor)[0] == ["crm/report"]


def test_partitions_follow_those_elsewhere(
    sales: Team, crm: Team, instance: dg.DagsterInstance
) -> None:
    keys, sql = "partitions: [eu, us]", "select :partition_key as a"
    sales.put("sales/orders", keys, sql=sql)
    crm.put("crm/report", keys, "depends_on: sales/orders", sql=sql)
    execute(sales.definitions(), instance, "sales/orders", partition="eu")
    assert crm.look(instance)[0] == ["crm/report"]
    execute(crm.definitions(), instance, "crm/report", partition="eu")
    assert crm.look(instance)[0] == []


def test_one_that_is_removed_elsewhere_makes_it_invalid(
    sales: Team, crm: Team, stored: dg.DagsterInstance
) -> None:
    sales.put("sales/orders")
    sales.run(stored, "sales/orders")
    crm.put("crm/report", HOURLY, "depends_on: sales/orders")
    crm.put("crm/leads")
    assert not crm.snapshot().invalid
    store, key = sales.site.manifest.store, sales.site.manifest.key("sales/orders.sql")
    sales.site.s3.delete_object(Bucket=store.name, Key=key)
    sales.snapshot()
    assert [each.path for each in crm.snapshot().extracts] == ["crm/leads"]
    explanation = explain(crm.facts(stored), "crm/report")
    assert explanation.state == "invalid"
    assert "no extract 'sales/orders' to depend on, here or in" in explanation.reasons[0].evidence


def test_why_names_the_manifest_and_the_failure_elsewhere(
    sales: Team, crm: Team, stored: dg.DagsterInstance
) -> None:
    sales.put("sales/orders")
    sales.run(stored, "sales/orders")
    crm.put("crm/report", "depends_on: sales/orders")
    crm.run(stored, "crm/report")
    named = f"sales/orders of {sales.site.manifest.uri}"
    explanation = explain(crm.facts(stored), "crm/report")
    assert explanation.next_start == f"when {named} has new data"

    sales.put("sales/orders", sql=BAD)
    sales.run(stored, "sales/orders")
    facts = crm.facts(stored)
    reason = told(explain(facts, "crm/report"), Kind.UPSTREAM_FAILED)
    assert reason.what == f"it waits for {named}, which is failed"
    assert "no" in reason.evidence
    assert reason.remedy == "extract failed sales/orders, then extract rerun sales/orders"
    rows = status_report(facts, "crm").extracts
    assert [row.extract for row in rows] == ["crm/report"], "the other is another location's"


@pytest.mark.parametrize("state", ["disabled", "invalid"])
def test_why_says_that_it_does_not_wait_for_what_cannot_run(
    sales: Team, crm: Team, stored: dg.DagsterInstance, state: str
) -> None:
    sales.put("sales/orders", "enabled: false", sql="selec 1" if state == "invalid" else GOOD)
    sales.snapshot()
    crm.put("crm/report", HOURLY, "depends_on: sales/orders")
    reason = told(explain(crm.facts(stored), "crm/report"), Kind.UPSTREAM_OFF)
    named = f"sales/orders of {sales.site.manifest.uri}"
    assert reason.what == f"it does not wait for {named}, which is {state}"


def test_the_manifest_sensor_reloads_for_what_is_depended_on_elsewhere(
    sales: Team, crm: Team, instance: dg.DagsterInstance
) -> None:
    sales.put("sales/orders", HOURLY)
    sales.snapshot()
    crm.put("crm/report", "depends_on: sales/orders")
    snapshot = crm.snapshot()
    sensor = manifest_sensor(snapshot, crm.location(snapshot))

    def tick(sensor: dg.SensorDefinition, cursor: str | None = None) -> str:
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            return sensor.evaluate_tick(context).skip_message or ""

    announced = Question(reloads=True).model_dump_json()
    tick(sensor, announced)  # without it, it would ask a webserver for a reload
    assert tick(sensor) == "1 SQL files, all of them loaded"
    sales.put("sales/other")
    sales.snapshot()
    assert tick(sensor) == "1 SQL files, all of them loaded"
    sales.put("sales/orders", "schedule: 30 * * * *")
    sales.snapshot()
    changed = f"{sales.site.manifest.uri} changed (sales/orders)"
    assert tick(sensor) == f"{changed}: somebody else has them loaded right now"

    refused = RefusedManifest(snapshot.files, "it collides", crm.snapshot().elsewhere)
    stuck = manifest_sensor(snapshot, crm.location(snapshot), refused)
    with pytest.raises(Exception, match=rf"still served: {changed[:20]}.*it collides"):
        tick(stuck)


def test_a_run_worker_has_all_that_it_needs(sales: Team, crm: Team) -> None:
    sales.put("sales/orders")
    sales.snapshot()
    crm.put("crm/report", "depends_on: sales/orders")
    whole = crm.snapshot()
    state = crm.site.state
    snapshot = load_snapshot(state, save_snapshot(state, whole), only=["crm/report"])
    graph = compose(snapshot, crm.location(snapshot)).get_repository_def().asset_graph
    keys = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert keys == {"crm/report"}, "none of another location is an asset here"
    assert graph.get(dg.AssetKey(["crm", "report"])).parent_keys == {
        dg.AssetKey(["sales", "orders"])
    }
    assert extracts_elsewhere(whole.elsewhere)["sales/orders"].text == ""

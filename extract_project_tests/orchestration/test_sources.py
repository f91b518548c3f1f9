"""Extracts that run when a table of theirs has changed, with a real Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest

from extract_project.errors import WarehouseError
from extract_project.manifest.parsing import Dialects
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.sources import SourcesCursor, evaluate, source_sensors
from extract_project.settings import load_settings
from extract_project.sql.postgres import Postgres
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import TableChange
from extract_project_tests.conftest import Site
from extract_project_tests.support.parsing import header, reasons, valid
from extract_project_tests.support.waiting import await_value

ON_CHANGE = "/*---\nschedule: on_source_change\n---*/\n"


@pytest.fixture
def execute(postgres: PostgresWarehouse) -> Iterator[Callable[[str], Any]]:
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as connection:
        connection.execute("create schema source")
        connection.execute("create table source.orders as select 1 as id")
        connection.execute("create table source.lines as select 1 as id")
        connection.execute("create view source.both as select id from source.orders")
        connection.execute("select pg_stat_force_next_flush()")
        yield connection.execute
        connection.execute("drop schema source cascade")


class Sensor:
    """The sensor of a site's Postgres, as the daemon evaluates it tick after tick."""

    def __init__(self, site: Site) -> None:
        location = CodeLocation(load_settings(), load_settings().connect, "snapshot-1")
        dialects = Dialects({"pg": Postgres()}, "pg")
        from extract_project.manifest.bucket import read_manifest

        extracts = read_manifest(site.manifest, dialects).extracts
        (self.sensor,) = source_sensors(extracts, location, ())
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor)
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def launched(self) -> list[str]:
        return sorted(str(each.tags["extract/path"]) for each in self.tick().run_requests or [])


@pytest.fixture
def site_with_postgres(
    site: Site, postgres: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> Site:
    environment = {
        **site.environment,
        "EXTRACT_WAREHOUSES__PG__TYPE": "postgres",
        "EXTRACT_WAREHOUSES__PG__HOST": postgres.host,
        "EXTRACT_WAREHOUSES__PG__USER": postgres.user,
        "EXTRACT_WAREHOUSE": "pg",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return site


def test_runs_when_a_table_has_changed_and_only_then(
    site_with_postgres: Site, execute: Callable[[str], Any]
) -> None:
    site = site_with_postgres
    site.put_sql("a/orders", f"{ON_CHANGE}select * from source.orders")
    site.put_sql("a/lines", f"{ON_CHANGE}select * from source.lines")
    site.put_sql("a/view", f"{ON_CHANGE}select * from source.both")
    sensor = Sensor(site)
    assert sensor.launched() == ["a/lines", "a/orders", "a/view"]  # never seen before
    assert sensor.launched() == []
    execute("insert into source.orders values (2)")
    execute("select pg_stat_force_next_flush()")
    assert await_value("the change", sensor.launched) == ["a/orders", "a/view"]
    assert sensor.launched() == []


def test_tables_are_observed_with_a_data_version(
    site_with_postgres: Site, execute: Callable[[str], Any]
) -> None:
    site_with_postgres.put_sql("a/orders", f"{ON_CHANGE}select * from source.orders")
    sensor = Sensor(site_with_postgres)
    (event,) = sensor.tick().asset_events
    assert event.asset_key == dg.AssetKey(["pg", "source", "orders"])
    assert isinstance(event, dg.AssetObservation)
    assert event.tags["dagster/data_version"]
    assert sensor.tick().asset_events == []


def test_a_table_that_nothing_is_known_of_is_named() -> None:
    extract = valid(f"{ON_CHANGE}select * from shop.a, shop.b")
    looked = evaluate([extract], {"shop.a": TableChange("1")}, SourcesCursor())
    again = evaluate([extract], {"shop.a": TableChange("1")}, looked.cursor)
    assert (len(looked.requests), len(again.requests)) == (1, 0)
    assert again.reason == (
        "1 tables, none has changed; the warehouse reports nothing about shop.b"
    )


BOTH = {"shop.a": TableChange("1"), "shop.b": TableChange("2")}


@pytest.mark.parametrize("silent", ["shop.a", "shop.b", "both"])
def test_silence_about_a_table_starts_no_run(silent: str) -> None:
    """Nor does its end, nor the change of nothing meanwhile."""
    extract = valid(f"{ON_CHANGE}select * from shop.a, shop.b")
    heard = {name: each for name, each in BOTH.items() if silent not in (name, "both")}
    cursor = evaluate([extract], BOTH, SourcesCursor()).cursor
    for changes in (heard, heard, BOTH, heard, BOTH):
        look = evaluate([extract], changes, cursor)
        assert (look.requests, look.changed) == ([], [])
        cursor = look.cursor


def test_a_change_during_silence_is_seen_at_its_end() -> None:
    extract = valid(f"{ON_CHANGE}select * from shop.a, shop.b")
    cursor = evaluate([extract], BOTH, SourcesCursor()).cursor
    cursor = evaluate([extract], {"shop.a": TableChange("1")}, cursor).cursor
    look = evaluate([extract], {**BOTH, "shop.b": TableChange("3")}, cursor)
    assert (len(look.requests), look.changed) == (1, ["shop.b"])


def test_a_table_that_was_never_heard_of_starts_one_run_when_it_is() -> None:
    extract = valid(f"{ON_CHANGE}select * from shop.a, shop.b")
    cursor = evaluate([extract], {"shop.a": TableChange("1")}, SourcesCursor()).cursor
    heard = evaluate([extract], BOTH, cursor)
    again = evaluate([extract], BOTH, heard.cursor)
    assert (len(heard.requests), len(again.requests)) == (1, 0)


def test_tables_that_nobody_reads_any_more_are_forgotten() -> None:
    both = valid(f"{ON_CHANGE}select * from shop.a, shop.b")
    one = valid(f"{ON_CHANGE}select * from shop.a")
    cursor = evaluate([both], BOTH, SourcesCursor()).cursor
    assert evaluate([one], {}, cursor).cursor.tables == {"shop.a": "1"}


def test_a_warehouse_that_does_not_answer_launches_nothing(
    site_with_postgres: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_with_postgres.put_sql("a/orders", f"{ON_CHANGE}select * from source.orders")
    monkeypatch.setenv("EXTRACT_WAREHOUSES__PG__HOST", "/nowhere")
    with pytest.raises(WarehouseError, match="/nowhere"):
        Sensor(site_with_postgres).tick()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("schedule: on_source_change", "2:1: the SQL reads no table"),
        ("schedule: [on_source_change, 0 6 * * *]", "keep one of them"),
        ("schedule: on_change", "or on_source_change"),
        ("schedule: on_source_change\npartitions: daily", "use a cron with partitions"),
    ],
)
def test_what_cannot_follow_its_sources_is_refused(lines: str, message: str) -> None:
    assert message in "\n".join(reasons(header(lines)))

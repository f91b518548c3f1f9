"""Extracts downstream of others: started at their ticks, and on new data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.starts.downstream import (
    DownstreamCursor,
    Evaluation,
    Waiting,
    downstream_extracts,
    evaluate,
    waits_at_ticks,
)
from extract_project.orchestration.starts.observed import observe
from extract_project.orchestration.starts.readiness import Readiness
from extract_project.orchestration.starts.schedules import schedules
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute

HOURLY = "schedule: 0 * * * *"
GOOD = "select 1 as a"
BAD = "select error('no') as a"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def put(site: Site, path: str, *header: str, sql: str = GOOD) -> None:
    lines = "\n".join(header)
    site.put_sql(path, f"/*---\n{lines}\n---*/\n{sql}")


def look(
    site: Site,
    instance: dg.DagsterInstance,
    cursor: DownstreamCursor | None = None,
    now: datetime | None = None,
) -> Evaluation:
    """One evaluation of the sensor."""
    extracts = {each.path: each for each in site.snapshot().extracts}
    downstream = downstream_extracts(extracts)
    readiness = Readiness(extracts, observe(instance, with_all_upstream(downstream, extracts)))
    return evaluate(readiness, downstream, cursor or DownstreamCursor(), now or datetime.now(UTC))


def launched(evaluation: Evaluation) -> list[str]:
    return sorted(str(each.tags["extract/path"]) for each in evaluation.requests)


def due(path: str, ago: timedelta) -> DownstreamCursor:
    """The sensor saw an extract last so long ago."""
    return DownstreamCursor(waiting={path: Waiting(seen=datetime.now(UTC) - ago)})


class TestAtTicks:
    def test_waits_until_what_is_before_it_has_materialized_since_its_tick(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        held = look(site, instance, due("a/second", timedelta(hours=1)))
        assert launched(held) == []
        assert "UTC) waits for a/first" in held.reason
        still = look(site, instance, held.cursor)
        assert launched(still) == []
        execute(definitions(site, settings), instance, "a/first")
        freed = look(site, instance, still.cursor)
        assert launched(freed) == ["a/second"]
        assert launched(look(site, instance, freed.cursor)) == []

    def test_has_one_run_key_for_each_tick(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        execute(definitions(site, settings), instance, "a/first")
        cursor = due("a/second", timedelta(hours=1))
        keys = [look(site, instance, cursor).requests[0].run_key for _ in range(2)]
        assert keys[0] == keys[1]

    def test_does_not_wait_for_a_tick_that_comes_later(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        """The first one is daily, and has run today; the second one is hourly."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        put(site, "a/first", "schedule: 0 0 * * *")
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        execute(definitions(site, settings), instance, "a/first")
        hour = midnight + timedelta(hours=23)
        cursor = DownstreamCursor(waiting={"a/second": Waiting(seen=hour - timedelta(minutes=1))})
        assert launched(look(site, instance, cursor, hour)) == ["a/second"]
        tomorrow = DownstreamCursor(
            waiting={"a/second": Waiting(seen=midnight + timedelta(hours=23.5))}
        )
        held = look(site, instance, tomorrow, midnight + timedelta(hours=24))
        assert launched(held) == []

    def test_a_new_file_does_not_run_at_ticks_before_it_was_there(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        execute(definitions(site, settings), instance, "a/first")
        assert launched(look(site, instance)) == []

    def test_a_failure_before_it_holds_it_until_the_rerun(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY, sql=BAD)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        execute(definitions(site, settings), instance, "a/first")
        held = look(site, instance, due("a/second", timedelta(hours=1)))
        assert launched(held) == []
        put(site, "a/first", HOURLY)
        execute(definitions(site, settings), instance, "a/first")
        assert launched(look(site, instance, held.cursor)) == ["a/second"]

    def test_an_overtaken_tick_is_reported(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY, sql=BAD)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        late = look(site, instance, due("a/second", timedelta(hours=3)))
        assert "a later tick replaces" in late.reason
        assert len(late.cursor.waiting["a/second"].ticks) == 1

    def test_waits_for_one_that_runs_on_new_data_in_between(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first", HOURLY)
        put(site, "a/between", "depends_on: [a/first]")
        put(site, "a/last", HOURLY, "depends_on: [a/between]")
        execute(definitions(site, settings), instance, "a/first")
        held = look(site, instance, due("a/last", timedelta(hours=1)))
        assert launched(held) == ["a/between"]
        execute(definitions(site, settings), instance, "a/between")
        assert launched(look(site, instance, held.cursor)) == ["a/last"]

    def test_is_on_no_schedule_of_its_own(self, site: Site, settings: Settings) -> None:
        put(site, "a/first", HOURLY)
        put(site, "a/second", HOURLY, "depends_on: [a/first]")
        extracts = {each.path: each for each in site.snapshot().extracts}
        assert not waits_at_ticks(extracts["a/first"], extracts)
        assert waits_at_ticks(extracts["a/second"], extracts)
        found = schedules(each for each in extracts.values() if not waits_at_ticks(each, extracts))
        assert len(found) == 1
        (schedule,) = definitions(site, settings).get_repository_def().schedule_defs
        assert schedule.name == found[0].name

    def test_partitions_wait_for_their_own(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        daily = "partitions: {type: daily, start: 2026-01-01}"
        use = "select :partition_key as d"
        put(site, "a/first", "schedule: 0 0 * * *", daily, sql=use)
        put(site, "a/second", "schedule: 0 0 * * *", daily, "depends_on: [a/first]", sql=use)
        yesterday = f"{datetime.now(UTC) - timedelta(days=1):%F}"
        before = f"{datetime.now(UTC) - timedelta(days=2):%F}"
        defs = definitions(site, settings)
        execute(defs, instance, "a/first", partition=before)
        held = look(site, instance, due("a/second", timedelta(days=1)))
        assert launched(held) == []
        execute(defs, instance, "a/first", partition=yesterday)
        (request,) = look(site, instance, held.cursor).requests
        assert request.partition_key == yesterday


class TestOnNewData:
    def test_runs_when_the_data_before_it_is_new_and_only_then(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first")
        put(site, "a/second", "depends_on: [a/first]")
        assert launched(look(site, instance)) == []
        execute(definitions(site, settings), instance, "a/first")
        assert launched(look(site, instance)) == ["a/second"]
        execute(definitions(site, settings), instance, "a/second")
        assert launched(look(site, instance)) == []
        execute(definitions(site, settings), instance, "a/first")  # the same data again
        assert launched(look(site, instance)) == []
        put(site, "a/first", sql="select 2 as a")
        execute(definitions(site, settings), instance, "a/first")
        assert launched(look(site, instance)) == ["a/second"]

    def test_data_that_comes_back_is_new_data(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/second", "depends_on: [a/first]")
        keys = set()
        for number in (1, 2, 1, 2):
            put(site, "a/first", sql=f"select {number} as a")
            execute(definitions(site, settings), instance, "a/first")
            (request,) = look(site, instance).requests
            keys.add(request.run_key)
            execute(definitions(site, settings), instance, "a/second")
        assert len(keys) == 4

    def test_a_failed_follower_is_not_launched_over_and_over(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first")
        put(site, "a/second", "depends_on: [a/first]", sql=BAD)
        execute(definitions(site, settings), instance, "a/first")
        (first,) = look(site, instance).requests
        execute(definitions(site, settings), instance, "a/second")
        (again,) = look(site, instance).requests
        assert again.run_key == first.run_key

    def test_waits_for_all_and_follows_any(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/one")
        put(site, "a/two", sql="select 2 as a")
        put(site, "b/both", "depends_on: [a/one, a/two]")
        execute(definitions(site, settings), instance, "a/one")
        assert launched(look(site, instance)) == []
        execute(definitions(site, settings), instance, "a/two")
        assert launched(look(site, instance)) == ["b/both"]

    def test_one_that_is_not_enabled_follows_nothing(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        put(site, "a/first")
        put(site, "a/second", "depends_on: [a/first]", "enabled: false")
        execute(definitions(site, settings), instance, "a/first")
        assert launched(look(site, instance)) == []

    def test_partitions_follow_their_own(
        self, site: Site, settings: Settings, instance: dg.DagsterInstance
    ) -> None:
        keys, use = "partitions: [eu, us]", "select :partition_key as r"
        put(site, "a/first", keys, sql=use)
        put(site, "a/second", keys, "depends_on: [a/first]", sql=use)
        put(site, "a/whole", "depends_on: [a/first]")
        defs = definitions(site, settings)
        execute(defs, instance, "a/first", partition="us")
        found = {(r.tags["extract/path"], r.partition_key) for r in look(site, instance).requests}
        assert found == {("a/second", "us"), ("a/whole", None)}
        execute(defs, instance, "a/second", partition="us")
        execute(defs, instance, "a/whole")
        assert look(site, instance).requests == []
        execute(defs, instance, "a/first", partition="eu")
        found = {(r.tags["extract/path"], r.partition_key) for r in look(site, instance).requests}
        assert found == {("a/second", "eu"), ("a/whole", None)}


def test_a_deep_lattice_is_asked_once_for_each_extract(site: Site, settings: Settings) -> None:
    """Each of a layer depends on all of the one before: 4 to the 12th ways lead to the top."""
    width, depth = 4, 12
    for layer in range(depth):
        before = [f"l{layer - 1}/x{each}" for each in range(width)] if layer else []
        header = f"/*---\ndepends_on: [{', '.join(before)}]\n---*/\n" if before else ""
        for each in range(width):
            site.put_sql(f"l{layer}/x{each}", f"{header}select 1 as a")
    last = ", ".join(f"l{depth - 1}/x{each}" for each in range(width))
    site.put_sql(
        "z/end", f"/*---\n{{depends_on: [{last}], schedule: '0 6 * * *'}}\n---*/\nselect 1 a"
    )
    extracts = {each.path: each for each in site.snapshot().extracts}
    now = datetime.now(UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        readiness = Readiness(
            extracts, observe(instance, with_all_upstream([extracts["z/end"]], extracts))
        )
        assert all(readiness.settled(each, now) for each in readiness.upstream(extracts["z/end"]))

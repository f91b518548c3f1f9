"""Schedules: one run per extract and tick, in the time zone of the header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from extract_project.manifest.extract import Extract
from extract_project.orchestration.starts.schedules import schedules
from extract_project_tests.conftest import Site

MORNING = "schedule: 30 2 * * *\ntimezone: Europe/Berlin"


def extracts(site: Site, **headers: str) -> list[Extract]:
    for name, header in headers.items():
        site.put_sql(f"a/{name}", f"/*---\n{header}\n---*/\nselect 1 as a")
    return list(site.snapshot().extracts)


def runs(schedule: dg.ScheduleDefinition, at: datetime) -> list[dg.RunRequest]:
    context = dg.build_schedule_context(scheduled_execution_time=at)
    return list(schedule.evaluate_tick(context).run_requests or [])


def test_each_extract_that_is_due_has_a_run_of_its_own(site: Site) -> None:
    found = schedules(extracts(site, one=MORNING, two=MORNING, never=""))
    (schedule,) = found
    assert schedule.execution_timezone == "Europe/Berlin"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    at = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    requests = runs(schedule, at)
    assert [each.asset_selection for each in requests] == [
        [dg.AssetKey(["a", "one"])],
        [dg.AssetKey(["a", "two"])],
    ]
    keys = {each.run_key for each in requests}
    assert len(keys) == 2
    assert keys == {each.run_key for each in runs(schedule, at)}
    assert keys.isdisjoint(each.run_key for each in runs(schedule, at + timedelta(days=1)))


def test_other_crons_and_zones_are_other_schedules_with_lasting_names(site: Site) -> None:
    headers = {
        "one": MORNING,
        "two": "schedule: ['0 6 * * *', '0 18 * * *']",
        "three": "schedule: ['0 18 * * *', '0 6 * * *']",
        "four": "schedule: 30 2 * * *",
    }
    names = {each.name for each in schedules(extracts(site, **headers))}
    assert len(names) == 3
    assert names == {each.name for each in schedules(extracts(site, five=MORNING))}


def test_an_extract_that_is_not_enabled_is_on_no_schedule(site: Site) -> None:
    assert schedules(extracts(site, off=f"{MORNING}\nenabled: false")) == []


def test_every_day_has_one_tick_when_clocks_change(site: Site) -> None:
    """Half past two comes not at all on 29 March and twice on 25 October 2026 in Berlin."""
    (schedule,) = schedules(extracts(site, one=MORNING))
    for first in (datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)):
        ticks = schedule_execution_time_iterator(
            first.timestamp(), schedule.cron_schedule, schedule.execution_timezone, True
        )
        days = [next(ticks).date() for _ in range(5)]
        assert days == [days[0] + timedelta(days=n) for n in range(5)]

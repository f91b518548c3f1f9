"""Tags of runs: whoever filters runs by extract, cause, warehouse or SQL version finds all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute

TICK = "2026-11-24T06:00:00+00:00"


def tags_after(
    site: Site, settings: Settings, keys: list[str], given: dict[str, str]
) -> Mapping[str, str]:
    with dg.DagsterInstance.ephemeral() as instance:
        ran = execute(definitions(site, settings), instance, *keys, tags=given)
        run = instance.get_run_by_id(ran.run_id)
        assert run is not None
        return run.tags


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "manual"),
        ({"extract/cause": "schedule", "extract/tick": TICK}, "schedule"),
        ({"dagster/backfill": "abcdefgh"}, "backfill"),
        ({"extract/cause": "schedule", "dagster/parent_run_id": "another"}, "rerun"),
        ({"extract/rerun_of": "another"}, "rerun"),
    ],
)
def test_a_run_says_what_it_is_about(
    site: Site, settings: Settings, given: dict[str, str], cause: str
) -> None:
    sql_version = site.put_sql("a/b", "select 1 as n")
    site.put_sql("a/c", "select 1 as n")
    tags = tags_after(site, settings, ["a/b"], given)
    assert tags["extract/path"] == "a/b"
    assert tags["extract/cause"] == cause
    assert tags["extract/warehouse"] == "shop"
    assert tags["extract/sql_version"] == sql_version


def test_a_re_execution_has_the_sql_version_that_it_runs(site: Site, settings: Settings) -> None:
    """Dagster copies the tags of a run to the one that repeats it."""
    site.put_sql("a/b", "select 1 as n")
    copied = dict(tags_after(site, settings, ["a/b"], {}))
    newer = site.put_sql("a/b", "select 2 as n")
    assert copied["extract/sql_version"] != newer
    again = tags_after(site, settings, ["a/b"], {**copied, "dagster/parent_run_id": "another"})
    assert again["extract/sql_version"] == newer


def test_a_run_of_several_is_about_none_of_them(site: Site, settings: Settings) -> None:
    site.put_sql("a/b", "select 1 as n")
    site.put_sql("a/c", "select 1 as n")
    assert "extract/path" not in tags_after(site, settings, ["a/b", "a/c"], {})


def test_what_schedules_and_sensors_launch_is_tagged_before_it_starts(
    site: Site, settings: Settings
) -> None:
    """So that runs that wait in the queue are found, too."""
    daily = site.put_sql("a/daily", "/*---\nschedule: daily at 06:00\n---*/\nselect 1 as n")
    eager = site.put_sql("a/eager", "/*---\non_change: materialize\n---*/\nselect 1 as n")
    repository = definitions(site, settings).get_repository_def()
    schedule = repository.get_schedule_def("daily_06_00_utc")
    with dg.DagsterInstance.ephemeral() as instance:
        at_six = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=datetime.fromisoformat(TICK)
        )
        ticked = schedule.evaluate_tick(at_six)
        sensor = repository.get_sensor_def("manifest")
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        changed = sensor.evaluate_tick(context)
    found: list[Any] = [*(ticked.run_requests or ()), *(changed.run_requests or ())]
    kept = [
        {key: value for key, value in each.tags.items() if key.startswith("extract/")}
        for each in found
    ]
    assert kept[0].pop("extract/tick")
    assert kept == [
        {
            "extract/path": path,
            "extract/cause": cause,
            "extract/warehouse": "shop",
            "extract/sql_version": version,
        }
        for path, cause, version in (
            ("a/daily", "schedule", daily),
            ("a/eager", "on_change", eager),
        )
    ]

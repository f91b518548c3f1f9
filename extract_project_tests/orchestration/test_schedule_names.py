"""Names of schedules: for people, unique, and the same whatever else is in the manifest."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from zoneinfo import available_timezones

import pytest

from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.orchestration.names.ticks import ticks_between
from extract_project_tests.support.parsing import header, valid


def name(keys: str) -> str:
    sql = "select :partition_key as k" if "partitions" in keys else "select 1 as k"
    return schedule_name(valid(header(keys, sql)))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("schedule: 0 6 * * *", "daily_06_00_utc"),
        ("schedule: hourly", "hourly_utc"),
        ("schedule: hourly at :05", "hourly_05_utc"),
        ("schedule: every 15 minutes", "every_15_minutes_utc"),
        ("schedule: every minute", "every_minute_utc"),
        ("schedule: daily at 18:30 and 06:00", "daily_06_00_18_30_utc"),
        ("schedule: ['fridays at 18:00', 'daily at 06:00']", "daily_06_00_fridays_18_00_utc"),
        ("schedule: thursdays and mondays at 6:00", "mondays_thursdays_06_00_utc"),
        (
            "schedule: weekdays at 06:00 and 18:00\ntimezone: Europe/Berlin",
            "weekdays_06_00_18_00_europe_berlin",
        ),
        ("schedule: '@daily'\ntimezone: Etc/GMT-2", "daily_00_00_etc_gmt_minus_2"),
        (
            "schedule: 0 6 * * *\npartitions: {type: daily, start: 2026-01-01}",
            "daily_06_00_utc_by_day_from_2026_01_01",
        ),
    ],
)
def test_names_are_read_by_people(keys: str, expected: str) -> None:
    assert name(keys) == expected


def test_other_ticks_have_other_names() -> None:
    schedules = [
        "every 15 minutes",
        "0,15,30,45 * * * *",
        "0-59/15 * * * *",
        "0 6 15 * *",
        "0 6 1 * *",
        "0 6 * * 1-5",
        "0 6 * * 1,5",
        "0 6,18 * * *",
        "0 6-18 * * *",
        "0 6-18 * * 1-5",
        "hourly",
        "5 * * * *",
    ]
    names = [name(f"schedule: '{each}'") for each in schedules]
    start = datetime(2026, 11, 1, tzinfo=UTC)
    ticks = [
        ticks_between(valid(header(f"schedule: '{s}'")).header, start, start.replace(month=12))
        for s in schedules
    ]
    for (one, at_one), (two, at_two) in combinations(zip(names, ticks, strict=True), 2):
        assert one != two or at_one == at_two
    assert len({name(f"schedule: hourly\ntimezone: {zone}") for zone in available_timezones()}) == (
        len(available_timezones())
    )


def test_other_partitions_have_other_names() -> None:
    partitions = [
        "daily",
        "weekly",
        "[eu, us]",
        "[eu, uk]",
        "{type: daily, start: 2026-01-01}",
        "{type: daily, start: 2026-01-01, end: 2027-01-01}",
        "{type: daily, start: 2026-01-01, offset: 1h}",
        "{type: daily, start: 2026-01-01T06:00:00}",
        "{type: daily, start: 2026-01-01, timezone: Asia/Tokyo}",
    ]
    names = {name(f"schedule: 0 6 * * *\npartitions: {each}") for each in partitions}
    assert len(names) == len(partitions)


def test_a_long_list_of_ticks_has_a_name_of_bounded_length() -> None:
    first = [f"{minute} {minute} {minute} * *" for minute in range(1, 20)]
    names = {name(f"schedule: {first}"), name(f"schedule: {first[:-1]}")}
    assert len(names) == 2
    assert max(map(len, names)) < 100

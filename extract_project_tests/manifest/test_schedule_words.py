"""Schedules in words: which crons they are, when they tick, and what is no such word."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from dagster._utils.schedules import is_valid_cron_schedule

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.schedule_words import crons_of
from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.orchestration.names.ticks import ticks_between
from extract_project.orchestration.starts.schedules import schedules
from extract_project_tests.support.parsing import header, reasons, valid


@pytest.mark.parametrize(
    ("words", "crons"),
    [
        ("every minute", "*/1 * * * *"),
        ("every 15 minutes", "*/15 * * * *"),
        ("Every  5  Minutes", "*/5 * * * *"),
        ("every 60 minutes", "0 * * * *"),
        ("every hour", "0 */1 * * *"),
        ("every 6 hours", "0 */6 * * *"),
        ("every 24 hours", "0 0 * * *"),
        ("hourly", "0 * * * *"),
        ("hourly at :15", "15 * * * *"),
        ("daily", "0 0 * * *"),
        ("daily at 06:00", "0 6 * * *"),
        ("daily at 6:05", "5 6 * * *"),
        ("daily at 06:00, 12:00 and 18:00", "0 6,12,18 * * *"),
        ("daily at 06:30 and 18:00", "30 6 * * *; 0 18 * * *"),
        ("weekdays at 06:00 and 18:00", "0 6,18 * * 1-5"),
        ("weekends at 23:59", "59 23 * * 0,6"),
        ("mondays at 06:00", "0 6 * * 1"),
        ("monday and thursday at 06:00", "0 6 * * 1,4"),
        ("sundays, mondays and fridays at 00:00", "0 0 * * 0,1,5"),
        ("weekdays and saturdays at 06:00", "0 6 * * 1-5; 0 6 * * 6"),
        ("monthly at 06:00", "0 6 1 * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
    ],
)
def test_words_are_crons_and_stay_words(words: str, crons: str) -> None:
    extract = valid(header(f"schedule: '{words}'"))
    assert extract.header.crons == tuple(crons.split("; "))
    assert all(is_valid_cron_schedule(cron) for cron in extract.header.crons)
    assert extract.header.schedule == (" ".join(words.split()),)
    assert Extract.model_validate_json(extract.model_dump_json()) == extract
    (schedule,) = schedules([extract])
    assert str(schedule.description).startswith(f"{' '.join(words.split())} (UTC), each")


def test_words_and_crons_of_one_meaning_are_one_schedule() -> None:
    texts = ("daily at 06:00", "0 6 * * *", "'daily at 6:00'", "[0 6 * * *]")
    assert len({schedule_name(valid(header(f"schedule: {text}"))) for text in texts}) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("daly at 06:00", "'daly at 06:00' is not a schedule: did you mean 'daily'?"),
        ("weekday at noon", "'noon' is not a time of day: expected one from 00:00 to 23:59"),
        ("daily at 25:00", "'25:00' is not a time of day"),
        ("daily at 6", "'6' is not a time of day"),
        ("daily at", "'daily at' is not a schedule: did you mean 'daily'?"),
        ("every 7 minutes", "'every 7 minutes' is not regular"),
        ("every 0 minutes", "'every 0 minutes' is not regular"),
        ("every 5 hours", "starts again each day: expected one of 1, 2, 3, 4, 6, 8, 12, 24"),
        ("every 99999999 minutes", "is not a schedule"),
        ("every 15 minuts", "is not a schedule: did you mean 'minutes'?"),
        ("hourly at 06:00", "is not a schedule"),
        ("weekly at 06:00", "is not a schedule"),
        ("before lunch", "is not a schedule: expected words as in every 15 minutes, hourly"),
        ("@dayly", "unknown schedule '@dayly': did you mean '@daily'?"),
        ("@reboot", "unknown schedule '@reboot': expected one of @annually, @daily"),
        ("", "'' is not a valid cron: expected five fields"),
        (
            "6am",
            "'6am' is not a valid cron: expected five fields, minute hour day month weekday, as in",
        ),
        ("0 6 * *", "'0 6 * *' is not a valid cron"),
    ],
)
def test_other_words_are_refused(words: str, says: str) -> None:
    (reason,) = reasons(header(f"schedule: '{words}'"))
    assert reason.startswith("2:1: 'schedule': ")
    assert says in reason


def test_a_time_of_day_is_that_of_the_time_zone_on_both_sides_of_a_clock_change() -> None:
    found = valid(header("schedule: daily at 06:00\ntimezone: Europe/Berlin")).header
    ticks = ticks_between(
        found, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)
    )
    local = [tick.astimezone(ZoneInfo("Europe/Berlin")) for tick in ticks]
    assert [f"{tick:%d %H:%M}" for tick in local] == ["28 06:00", "29 06:00", "30 06:00"]
    assert [tick.hour for tick in ticks] == [5, 4, 4]


def test_a_text_that_is_no_words_is_left_to_the_cron() -> None:
    for text in ("0 6 * * *", "on_source_change", "* * * * mon", "", "six"):
        assert crons_of(text) is None

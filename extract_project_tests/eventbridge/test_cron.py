"""Crons as EventBridge Scheduler writes them start at the same times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from random import Random

import pytest

from extract_project.eventbridge.cron import expression
from extract_project.orchestration.dagster_internals import schedule_execution_time_iterator

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
BEGIN = datetime(2027, 1, 30, 12, 34, tzinfo=UTC)


def allowed(field: str, at: int, first: int) -> bool:
    """Whether a field of EventBridge's form has a value; days of the week count from 1."""

    def number(text: str) -> int:
        return DAYS.index(text) + 1 if text.isalpha() else int(text)

    if field in ("*", "?"):
        return True
    for item in field.split(","):
        low, _, high = item.partition("-")
        assert number(low) >= first
        if number(low) <= at <= number(high or low):
            return True
    return False


def starts(written: str, at: datetime) -> bool:
    minute, hour, day, month, weekday, year = written.removeprefix("cron(")[:-1].split()
    assert [day, weekday].count("?") == 1
    assert year == "*"
    return (
        allowed(minute, at.minute, 0)
        and allowed(hour, at.hour, 0)
        and allowed(day, at.day, 1)
        and allowed(month, at.month, 1)
        and allowed(weekday, at.isoweekday() % 7 + 1, 1)
    )


@pytest.mark.parametrize(
    ("cron", "written"),
    [
        ("0 6 * * *", "cron(0 6 * * ? *)"),
        ("0 6 * * 1-5", "cron(0 6 ? * MON-FRI *)"),
        ("30 6,18 * * 0,6", "cron(30 6,18 ? * SUN,SAT *)"),
        ("0 6 * * 5-7", "cron(0 6 ? * SUN,FRI,SAT *)"),
        ("0 6 * * 7", "cron(0 6 ? * SUN *)"),
        ("0 6 * * 3/2", "cron(0 6 ? * WED,FRI *)"),
        ("0 6 1 * *", "cron(0 6 1 * ? *)"),
        ("0 0 1 JAN,jul *", "cron(0 0 1 1,7 ? *)"),
        ("*/15 * * * *", "cron(0,15,30,45 * * * ? *)"),
        ("5/20 8-18/5 * * mon", "cron(5,25,45 8,13,18 ? * MON *)"),
    ],
)
def test_the_form(cron: str, written: str) -> None:
    assert expression(cron) == written


def dagster(cron: str) -> Iterator[datetime]:
    return schedule_execution_time_iterator(BEGIN.timestamp(), [cron], "UTC", ascending=True)


def test_the_times_are_those_of_dagster() -> None:
    random = Random(16)

    def field(low: int, high: int) -> str:
        first = random.randint(low, high - 1)
        last = random.randint(first + 1, high)
        forms = ("*", str(first), f"{first}-{last}", f"*/{random.randint(2, 7)}")
        return random.choice([*forms, f"{low},{last}", f"{first}-{last}/{random.randint(2, 5)}"])

    for _ in range(60):
        days = random.choice([(field(1, 28), "*"), ("*", field(0, 7)), ("*", "*")])
        cron = f"{field(0, 59)} {field(0, 23)} {days[0]} {field(1, 12)} {days[1]}"
        written = expression(cron)
        ticks = list(islice(dagster(cron), 12))
        assert all(starts(written, tick) for tick in ticks), (cron, written)
        for before, after in pairwise(ticks[:4]):
            between = min(int((after - before).total_seconds() // 60), 3_000)
            moments = (before + timedelta(minutes=each) for each in range(1, between))
            assert not any(starts(written, moment) for moment in moments), (cron, written)


def test_two_kinds_of_days_are_two_crons() -> None:
    with pytest.raises(ValueError, match="write two") as raised:
        expression("0 6 1 * 1")
    assert "['0 6 1 * *', '0 6 * * 1']" in str(raised.value)


def test_a_range_of_one_value_is_refused() -> None:
    """Dagster starts each hour of it."""
    assert [tick.hour for tick in islice(dagster("0 15-15 * * *"), 3)] == [13, 14, 15]
    with pytest.raises(ValueError, match="range of one value"):
        expression("0 15-15 * * *")


@pytest.mark.parametrize("weekday", ["6/1", "6/7", "7/2"])
def test_steps_from_the_last_value_are_refused(weekday: str) -> None:
    """Dagster steps through the whole week, so it starts on Sundays too."""
    ticks = islice(dagster(f"0 6 * * {weekday}"), 7)
    assert 7 in {tick.isoweekday() for tick in ticks}
    with pytest.raises(ValueError, match="no value after"):
        expression(f"0 6 * * {weekday}")


def test_a_cron_that_is_too_long_is_refused() -> None:
    minutes = ",".join(str(each) for each in range(60) if each % 20)
    hours = ",".join(str(each) for each in range(24) if each % 5)
    days = ",".join(str(each) for each in range(1, 32) if each % 10)
    with pytest.raises(ValueError, match="256 is the most"):
        expression(f"{minutes} {hours} {days} * *")

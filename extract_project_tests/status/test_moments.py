"""Times as people write and read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from extract_project.status import words
from extract_project.status.moments import parse_clock

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5:00", datetime(2026, 3, 2, 4, 0, tzinfo=UTC)),
        ("06:30", NOW),
        ("06:31", datetime(2026, 3, 1, 5, 31, tzinfo=UTC)),
        ("6h", NOW - timedelta(hours=6)),
        ("2026-01-31T05:00Z", datetime(2026, 1, 31, 5, tzinfo=UTC)),
    ],
)
def test_a_clock_is_the_last_one_in_local_time(text: str, expected: datetime) -> None:
    assert parse_clock(text, NOW, BERLIN) == expected


def test_what_is_no_time_says_the_forms() -> None:
    with pytest.raises(ValueError, match="5:00, the last one in local time"):
        parse_clock("soon", NOW)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW, "06:30 (0 s ago)"),
        (NOW + timedelta(minutes=35), "07:05 (in 35 min)"),
        (NOW - timedelta(hours=26), "Sun 04:30 (26 h ago)"),
        (NOW - timedelta(days=40), "2026-01-21 06:30 (40 d ago)"),
    ],
)
def test_times_are_told_in_words(moment: datetime, expected: str) -> None:
    assert words.at(moment, NOW, BERLIN) == expected

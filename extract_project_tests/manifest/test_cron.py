"""Cron expressions: what a header may say is what Dagster runs."""

from __future__ import annotations

import pytest
from dagster._utils.schedules import is_valid_cron_schedule
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from extract_project.manifest.fields.cron import Cron

CRON = TypeAdapter(Cron)
NUMBERS = st.integers(0, 60).map(str)
WORDS = st.sampled_from(["*", "MON", "fri", "jan", "L", "?", "7", "5L", "1W", "SUN#2", "@daily"])
RANGES = st.builds("{}-{}".format, NUMBERS, NUMBERS)
STEPS = st.builds("{}/{}".format, st.one_of(st.just("*"), RANGES), NUMBERS)
FIELD = st.lists(st.one_of(NUMBERS, WORDS, RANGES, STEPS), min_size=1, max_size=3).map(",".join)


@given(st.lists(FIELD, min_size=4, max_size=6).map(" ".join))
def test_g6_whatever_is_accepted_dagster_accepts_too(text: str) -> None:
    """Else one file would break the schedules of all."""
    try:
        accepted = CRON.validate_python(text)
    except ValidationError:
        return
    assert is_valid_cron_schedule(accepted), accepted


@pytest.mark.parametrize(
    "text", ["0 6 * * *", "*/15 8-18 * * 1-5", "0 0 1,15 * *", "30 2 * * SUN", "0 0 29 2 *"]
)
def test_what_people_write_is_accepted(text: str) -> None:
    assert CRON.validate_python(f" {text} ") == text

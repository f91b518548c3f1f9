"""Durations in headers: the timeout, the pause between attempts, the freshness."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from extract_project.expected import Expected
from extract_project.stopping import LONGEST_TIMEOUT
from extract_project.units import Duration, format_duration

_LONGEST_PAUSE = timedelta(hours=1)
_SHORTEST_FRESHNESS = timedelta(minutes=1)


def _timeout(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST_TIMEOUT:
        raise ValueError(
            f"{format_duration(value)} is not a valid timeout: expected more than 0s, at most 24h"
        )
    return value


def _pause(value: timedelta) -> timedelta:
    if value > _LONGEST_PAUSE:
        raise ValueError(
            f"{format_duration(value)} is too long a pause between attempts: expected at most 1h"
        )
    return value


def _freshness(value: timedelta) -> timedelta:
    if value < _SHORTEST_FRESHNESS:
        message = (
            f"{format_duration(value)} is shorter than Dagster can check: expected at least 1m"
        )
        raise ValueError(message)
    return value


Timeout = Annotated[Duration, AfterValidator(_timeout)]
Freshness = Annotated[Duration, AfterValidator(_freshness)]


class Retries(BaseModel):
    """The number of retries after transient failures, and the pause before each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max: Annotated[int, Expected("a whole number from 0 to 10")] = Field(
        2, ge=0, le=10, description="How many more attempts there may be."
    )
    delay: Annotated[Duration, AfterValidator(_pause)] = Field(
        timedelta(seconds=30),
        description="The pause before the second attempt; it doubles each time. At most 1h.",
    )

"""The ticks of an extract's schedule.

Dagster checks a cron anew for each question, which takes a quarter of a millisecond. Thousands of
extracts share some dozens of schedules, so the same question is answered once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile

from extract_project.manifest.header.model import Header
from extract_project.orchestration.dagster_internals import schedule_execution_time_iterator

_KEPT = 1_000


def ticks_between(header: Header, after: datetime, until: datetime) -> Sequence[datetime]:
    """The ticks later than `after` and not later than `until`, oldest first, in UTC.

    They equal the ticks of Dagster's own schedules, also at clock changes.
    """
    return _between(header.crons, header.timezone, after, until)


def last_tick(header: Header, until: datetime) -> datetime | None:
    """The newest tick that is not later than `until`; None without a schedule."""
    return _last(header.crons, header.timezone, until)


def next_tick(header: Header, after: datetime) -> datetime | None:
    """The first tick later than `after`; None without a schedule."""
    return _next(header.crons, header.timezone, after)


@lru_cache(_KEPT)
def _between(
    crons: tuple[str, ...], timezone: str, after: datetime, until: datetime
) -> tuple[datetime, ...]:
    if not crons:
        return ()
    ticks = schedule_execution_time_iterator(
        after.timestamp(), list(crons), timezone, ascending=True
    )
    due = takewhile(lambda tick: tick <= until, ticks)
    return tuple(tick.astimezone(UTC) for tick in due if tick > after)


@lru_cache(_KEPT)
def _last(crons: tuple[str, ...], timezone: str, until: datetime) -> datetime | None:
    if not crons:
        return None
    ticks = schedule_execution_time_iterator(
        until.timestamp(), list(crons), timezone, ascending=False
    )
    return next(tick.astimezone(UTC) for tick in ticks if tick <= until)


@lru_cache(_KEPT)
def _next(crons: tuple[str, ...], timezone: str, after: datetime) -> datetime | None:
    if not crons:
        return None
    ticks = schedule_execution_time_iterator(
        after.timestamp(), list(crons), timezone, ascending=True
    )
    return next(tick.astimezone(UTC) for tick in ticks if tick > after)

"""The ticks of an extract's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile

from extract_project.manifest.header.model import Header
from extract_project.orchestration.dagster_internals import schedule_execution_time_iterator


def ticks_between(header: Header, after: datetime, until: datetime) -> Sequence[datetime]:
    """The ticks later than `after` and not later than `until`, oldest first, in UTC.

    They equal the ticks of Dagster's own schedules, also at clock changes.
    """
    if not header.crons:
        return []
    ticks = schedule_execution_time_iterator(
        after.timestamp(), list(header.crons), header.timezone, ascending=True
    )
    due = takewhile(lambda tick: tick <= until, ticks)
    return [tick.astimezone(UTC) for tick in due if tick > after]


def last_tick(header: Header, until: datetime) -> datetime | None:
    """The newest tick that is not later than `until`; None without a schedule."""
    if not header.crons:
        return None
    ticks = schedule_execution_time_iterator(
        until.timestamp(), list(header.crons), header.timezone, ascending=False
    )
    return next(tick.astimezone(UTC) for tick in ticks if tick <= until)


def next_tick(header: Header, after: datetime) -> datetime | None:
    """The first tick later than `after`; None without a schedule."""
    if not header.crons:
        return None
    ticks = schedule_execution_time_iterator(
        after.timestamp(), list(header.crons), header.timezone, ascending=True
    )
    return next(tick.astimezone(UTC) for tick in ticks if tick > after)

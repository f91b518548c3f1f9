"""The activity of extracts: runs of the last 24 hours one by one, those of 30 days in sum.

It is kept in the data bucket, because Dagster would have to be asked for every event of a month.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.outcome import Outcome

HOURS = timedelta(hours=24)
DAYS = timedelta(days=30)


class Bar(BaseModel):
    """One run of an extract."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    outcome: Outcome
    start: AwareDatetime
    end: AwareDatetime | None = None
    """None while it waits or runs."""
    partition: str | None = None
    cause: str | None = None
    """Of its failure."""


class Result(BaseModel):
    """One materialization."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    seconds: float
    rows: int


class Day(BaseModel):
    """The materializations of one day, in UTC."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    """Of the slowest."""
    rows: int
    """Of the last."""
    last: AwareDatetime


class Activity(BaseModel):
    """The activity of the extracts of a code location, by path."""

    model_config = ConfigDict(frozen=True)

    looked_at: AwareDatetime | None = None
    """Everything until then is in it."""
    bars: Mapping[str, Mapping[str, Bar]] = {}
    """The runs of the last 24 hours, by run id."""
    days: Mapping[str, Mapping[date, Day]] = {}
    read: frozenset[str] = frozenset()
    """Paths whose materializations of the last 30 days have been read."""

    def with_runs(self, runs: Iterable[tuple[str, Bar]]) -> Self:
        """With these runs, each in place of what was known of it."""
        bars = {path: dict(known) for path, known in self.bars.items()}
        for path, bar in runs:
            bars.setdefault(path, {})[bar.run_id] = bar
        return self.model_copy(update={"bars": bars})

    def with_results(self, results: Iterable[tuple[str, Result]]) -> Self:
        """With these materializations; one that is in it already changes nothing."""
        days = {path: dict(known) for path, known in self.days.items()}
        for path, result in results:
            known = days.setdefault(path, {})
            day = result.at.date()
            known[day] = _with(known.get(day), result)
        return self.model_copy(update={"days": days})

    def without(self, paths: Iterable[str], now: datetime) -> Self:
        """Without extracts other than these, and without what is too old to be shown."""
        kept, oldest = set(paths), (now - DAYS).date()
        bars = {
            path: {
                key: bar for key, bar in known.items() if bar.end is None or bar.end > now - HOURS
            }
            for path, known in self.bars.items()
            if path in kept
        }
        days = {
            path: {day: each for day, each in known.items() if day > oldest}
            for path, known in self.days.items()
            if path in kept
        }
        return self.model_copy(
            update={"bars": bars, "days": days, "read": self.read & kept, "looked_at": now}
        )


def _with(day: Day | None, result: Result) -> Day:
    if day is None:
        return Day(seconds=result.seconds, rows=result.rows, last=result.at)
    later = result.at >= day.last
    return Day(
        seconds=max(day.seconds, result.seconds),
        rows=result.rows if later else day.rows,
        last=result.at if later else day.last,
    )

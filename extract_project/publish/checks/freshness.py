"""`freshness`: how old the newest value of a column may be when the run begins."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from extract_project.errors import AuditError
from extract_project.publish.checks.base import (
    Auditor,
    CheckSpec,
    Subject,
    Verdict,
    check_name,
    resolve,
)
from extract_project.units import Duration, format_duration

if TYPE_CHECKING:
    import pyarrow as pa


class Recency(BaseModel):
    """Which column says how new the data is, and how old that may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(description="of dates or timestamps; those without a zone are UTC")
    within: Duration = Field(
        gt=timedelta(), description="of the moment at which the run begins; a date ends at midnight"
    )


class Freshness(CheckSpec):
    """`freshness: {column: shipped_at, within: 6h}`"""

    freshness: Recency

    @property
    def name(self) -> str:
        return check_name("freshness", self.freshness.column)

    @property
    def rule(self) -> str:
        within = format_duration(self.freshness.within)
        return f"the newest {self.freshness.column} is no older than {within}"

    def auditor(self, subject: Subject) -> Auditor:
        import pyarrow as pa

        column = resolve(self.freshness.column, subject.schema, self.name)
        kind = subject.schema.field(column).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise AuditError(
                f"check {self.name!r} asks how old column {column!r} is, a {kind}: "
                f"expected a column of dates or timestamps"
            )
        return _Freshness(self.rule, column, self.freshness.within, subject.began_at)


class _Freshness(Auditor):
    def __init__(self, rule: str, column: str, within: timedelta, began_at: datetime) -> None:
        self._rule, self._column, self._within, self._began_at = rule, column, within, began_at
        self._newest: pa.Scalar | None = None
        self._rows = 0

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:
        import pyarrow.compute as pc

        self._rows += batch.num_rows
        newest = pc.max(batch.column(self._column))
        if newest.is_valid and (self._newest is None or newest.value > self._newest.value):
            self._newest = newest

    def conclude(self, result: Any) -> Verdict:
        if self._newest is None:
            empty = not self._rows
            why = "no rows" if empty else f"every {self._column} is null"
            return Verdict(empty, f"{why}; the rule is {self._rule}", {"rows": self._rows})
        value = _instant(self._newest)
        age = max(self._began_at - value, timedelta())
        summary = (
            f"the newest {self._column} is {_shown(self._newest)}, {format_duration(age)} before "
            f"the run began; the rule is {self._rule}"
        )
        figures = {"seconds old": int(age.total_seconds())}
        return Verdict(age <= self._within, summary, figures)


def _instant(newest: pa.Scalar) -> datetime:
    """The moment that a value stands for; a date, which is over at midnight, for that."""
    import pyarrow as pa

    if pa.types.is_date(newest.type):
        day = newest.cast(pa.date32()).as_py()
        if day == date.max:
            return datetime.max.replace(tzinfo=UTC)
        return datetime.combine(day + timedelta(days=1), time(), UTC)
    naive = pa.scalar(newest.value, pa.timestamp(newest.type.unit))
    moment: datetime = naive.cast(pa.timestamp("us"), safe=False).as_py()
    return moment.replace(tzinfo=UTC)


def _shown(newest: pa.Scalar) -> str:
    import pyarrow as pa

    return str(newest.cast(pa.string()).as_py())

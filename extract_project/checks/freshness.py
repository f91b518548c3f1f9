"""`freshness`: a limit on the age of a column's newest value when the run begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict, resolve
from extract_project.errors import AuditError
from extract_project.units import Duration, format_duration

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 10**6
_DAY_MICROSECONDS = 86_400 * _MICROSECONDS


class Recency(BaseModel):
    """The column whose newest value tells the age of the data, and the limit of that age."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(
        description="A column of dates or timestamps; those without a zone are UTC."
    )
    within: Duration = Field(
        gt=timedelta(),
        description="How old its newest value may be when the run begins. A date lasts until "
        "midnight.",
    )


class Freshness(CheckSpec):
    """The newest value of a column is recent: `freshness: {column: shipped_at, within: 6h}`."""

    key = "freshness"
    form = "a column and a duration, as in freshness: {column: shipped_at, within: 6h}"

    freshness: Recency

    @property
    def rule(self) -> str:
        within = format_duration(self.freshness.within)
        return f"the newest {self.freshness.column} is no older than {within}"

    @property
    def named_columns(self) -> Sequence[str]:
        return (self.freshness.column,)

    def auditor(self, subject: Subject) -> Auditor:
        import pyarrow as pa

        column = resolve(self.freshness.column, subject.schema, self.name)
        kind = subject.schema.field(column).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise AuditError(
                f"check {self.name!r} names column {column!r}, which is {kind}: "
                f"expected a column of dates or timestamps"
            )
        return _Freshness(self.rule, column, self.freshness.within, subject.began_at)


class _Freshness(Auditor):
    def __init__(self, rule: str, column: str, within: timedelta, began_at: datetime) -> None:
        self._rule, self._column, self._within, self._began_at = rule, column, within, began_at
        self.reads = (column,)
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
        from extract_project.schema.display import display_value

        age = _age(self._newest, self._began_at)
        summary = (
            f"the newest {self._column} is {display_value(self._newest)}, {format_duration(age)} "
            f"before the run began; the rule is {self._rule}"
        )
        metrics = {"seconds old": int(age.total_seconds())}
        return Verdict(age <= self._within, summary, metrics)


def _age(newest: pa.Scalar, began_at: datetime) -> timedelta:
    """The time since a value; for a date, since the midnight at its end.

    Computed with integers, because Python's `datetime` cannot hold years outside 1 to 9999.
    """
    import pyarrow as pa

    from extract_project.schema.years import PER_SECOND

    began = (began_at - _EPOCH) // timedelta(microseconds=1)
    if pa.types.is_date(newest.type):
        moment = (newest.cast(pa.date32()).value + 1) * _DAY_MICROSECONDS
    else:
        moment = newest.value * _MICROSECONDS // PER_SECOND[newest.type.unit]
    longest = timedelta.max // timedelta(microseconds=1)
    return timedelta(microseconds=min(max(began - moment, 0), longest))

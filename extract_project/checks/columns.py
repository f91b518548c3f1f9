"""Checks of single columns: `not_null`, `max_null_ratio`, `accepted_values`, `between`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from extract_project.checks.base import (
    Auditor,
    ColumnsCheck,
    Samples,
    Subject,
    Verdict,
    one_or_more,
    resolve,
)
from extract_project.errors import AuditError
from extract_project.values import Constant, Value

if TYPE_CHECKING:
    import pyarrow as pa

Ratio = Annotated[float, Field(ge=0, le=1)]


class NotNull(ColumnsCheck):
    """No value in these columns is NULL: `not_null: [customer_id]`."""

    key = "not_null"
    form = "a column, or a list of them, as in not_null: [order_id]"

    not_null: Annotated[list[str], one_or_more] = Field(min_length=1)

    @property
    def rule(self) -> str:
        return f"{', '.join(self.not_null)} never null"

    def auditor(self, subject: Subject) -> Auditor:
        return _NullRatios(
            {resolve(c, subject.schema, self.name): 0 for c in self.not_null}, subject.keys
        )


class MaxNullRatio(ColumnsCheck):
    """At most this share of a column is NULL: `max_null_ratio: {email: 0.05}`."""

    key = "max_null_ratio"
    form = "columns and shares from 0 to 1, as in max_null_ratio: {email: 0.05}"

    max_null_ratio: dict[str, Ratio] = Field(min_length=1)

    @property
    def rule(self) -> str:
        return ", ".join(f"{c} null in at most {r:.2%}" for c, r in self.max_null_ratio.items())

    def auditor(self, subject: Subject) -> Auditor:
        limits = {resolve(c, subject.schema, self.name): r for c, r in self.max_null_ratio.items()}
        return _NullRatios(limits, subject.keys)


class AcceptedValues(ColumnsCheck):
    """Every value is one of a list: `accepted_values: {status: [O, F, P]}`. NULL is accepted."""

    key = "accepted_values"
    form = "columns and their values, as in accepted_values: {status: [open, closed]}"

    accepted_values: dict[str, Annotated[list[Constant], Field(min_length=1)]] = Field(min_length=1)

    @property
    def rule(self) -> str:
        return "; ".join(
            f"{column} is one of {', '.join(str(value) for value in values)}"
            for column, values in self.accepted_values.items()
        )

    def auditor(self, subject: Subject) -> Auditor:
        sets = {}
        for column, values in self.accepted_values.items():
            name = resolve(column, subject.schema, self.name)
            sets[name] = _typed(values, subject.schema.field(name), self.name)
        return _Accepted(self.rule, sets, subject.keys)


class Between(ColumnsCheck):
    """Every value lies in a range: `between: {quantity: [1, 50]}`. Both ends are included; `null`
    leaves an end open. NULL is accepted."""

    key = "between"
    form = "columns with their lowest and highest value, as in between: {quantity: [1, 50]}"

    between: dict[str, Annotated[list[Constant], Field(min_length=2, max_length=2)]] = Field(
        min_length=1
    )

    @field_validator("between")
    @classmethod
    def _some_end(cls, value: dict[str, list[Value]]) -> dict[str, list[Value]]:
        for column, ends in value.items():
            if ends == [None, None]:
                raise ValueError(f"{column} has no limit: give at least one end")
        return value

    @property
    def rule(self) -> str:
        def words(low: Value, high: Value) -> str:
            if low is None or high is None:
                return f"at most {high}" if low is None else f"at least {low}"
            return f"between {low} and {high}"

        return "; ".join(f"{c} {words(*ends)}" for c, ends in self.between.items())

    def auditor(self, subject: Subject) -> Auditor:
        ranges = {}
        for column, ends in self.between.items():
            name = resolve(column, subject.schema, self.name)
            ranges[name] = _typed(ends, subject.schema.field(name), self.name)
        return _Ranges(self.rule, ranges, subject.keys)


class _PerColumn(Auditor):
    """Counts, per column, the values that break a rule."""

    def __init__(self, rule: str, columns: Sequence[str], keys: Sequence[str]) -> None:
        self._rule = rule
        self._violations = dict.fromkeys(columns, 0)
        self._samples = {column: Samples(column, keys) for column in columns}
        self.reads = (*columns, *keys)
        self._rows = 0

    def observe(self, batch: pa.RecordBatch, first_row: int) -> None:
        import pyarrow.compute as pc

        self._rows += batch.num_rows
        for column in self._violations:
            violates = self._violating(column, batch.column(column))
            count = pc.sum(violates).as_py() or 0 if violates is not None else 0
            if count:
                self._violations[column] += count
                self._samples[column].take(batch, violates, first_row)

    def _violating(self, column: str, values: pa.Array) -> pa.BooleanArray | None:
        """True for each value that breaks the rule; None if it is known that none does."""
        raise NotImplementedError

    def _allowed(self, column: str) -> float:
        """The number of violations that the rule allows in a column."""
        return 0

    def conclude(self, result: Any) -> Verdict:
        broken = {c: n for c, n in self._violations.items() if n > self._allowed(c)}
        counts = ", ".join(f"{c} in {n:,} of {self._rows:,} rows" for c, n in broken.items())
        return Verdict(
            passed=not broken,
            summary=f"{self._rule}: broken by {counts}" if broken else f"{self._rule}: kept",
            metrics={"rows": self._rows}
            | {f"violations {column}": count for column, count in self._violations.items()},
            samples=tuple(row for column in broken for row in self._samples[column].rows),
        )


class _NullRatios(_PerColumn):
    def __init__(self, limits: dict[str, float], keys: Sequence[str]) -> None:
        rule = ", ".join(
            f"{c} null in at most {r:.2%}" if r else f"{c} never null" for c, r in limits.items()
        )
        super().__init__(rule, list(limits), keys)
        self._limits = limits

    def _violating(self, column: str, values: pa.Array) -> pa.BooleanArray | None:
        return values.is_null() if values.null_count else None

    def _allowed(self, column: str) -> float:
        return self._limits[column] * self._rows


class _Accepted(_PerColumn):
    def __init__(self, rule: str, sets: dict[str, pa.Array], keys: Sequence[str]) -> None:
        super().__init__(rule, list(sets), keys)
        self._sets = sets

    def _violating(self, column: str, values: pa.Array) -> pa.BooleanArray:
        import pyarrow.compute as pc

        accepted = pc.is_in(values, value_set=self._sets[column])
        return pc.and_(pc.invert(accepted), values.is_valid())


class _Ranges(_PerColumn):
    def __init__(self, rule: str, ranges: dict[str, pa.Array], keys: Sequence[str]) -> None:
        super().__init__(rule, list(ranges), keys)
        self._ranges = ranges

    def _violating(self, column: str, values: pa.Array) -> pa.BooleanArray:
        import pyarrow as pa
        import pyarrow.compute as pc

        low, high = self._ranges[column]
        outside = pa.nulls(len(values), pa.bool_()).fill_null(False)
        if low.is_valid:
            outside = pc.or_(outside, pc.fill_null(pc.less(values, low), False))
        if high.is_valid:
            outside = pc.or_(outside, pc.fill_null(pc.greater(values, high), False))
        if pa.types.is_floating(values.type):
            outside = pc.or_(outside, pc.fill_null(pc.is_nan(values), False))
        return outside


def _typed(values: Sequence[Value], field: pa.Field, check: str) -> pa.Array:
    """Header values in the column's type, cast from text so that nothing is lost.

    A value for an instant may have any zone; without one it is UTC. A time without a zone is not
    compared with an instant.
    """
    import pyarrow as pa

    from extract_project.schema.exact import Misfit, exact_number
    from extract_project.schema.spelling import spelled

    text = pa.array([None if value is None else _text(value) for value in values], pa.string())
    try:
        if pa.types.is_timestamp(field.type) and field.type.tz:
            return pa.array([_instant(each, field.type) for each in text], field.type)
        if pa.types.is_decimal(field.type):
            return exact_number(text, field.type)
        return text.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, Misfit):
        shown = ", ".join(str(value) for value in values)
        raise AuditError(
            f"check {check!r} compares column {field.name!r}, {spelled(field.type)}, with {shown}: "
            f"expected values of that type"
        ) from None


def _instant(text: pa.StringScalar, kind: pa.TimestampType) -> pa.Scalar:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.assume_timezone(text.cast(pa.timestamp(kind.unit)), "UTC")
    except pa.ArrowInvalid:
        return text.cast(kind)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value)

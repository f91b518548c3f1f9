"""`rows_change`: a limit on how far the number of rows may differ from the current version's."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict

_NUMBER = r"\d+(?:\.\d+)?"
_BOTH = rf"(?:±|\+-|\+/-)?({_NUMBER})%"
_RANGE = rf"(?:([+-]{_NUMBER})%)?\.\.(?:([+-]{_NUMBER})%)?"
_PATTERN = rf"^\s*(?:{_BOTH}|{_RANGE})\s*$"
_FORM = "expected ±50%, or a range as -10%..+50%, -10%.. or ..+50%"


def _as_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a change in rows: {_FORM}")
    return value


def _checked(text: str) -> str:
    read_range(text)
    return text


class RowsChange(CheckSpec):
    """The number of rows is close to the current version's: `rows_change: ±50%`."""

    key = "rows_change"
    form = "a share of the rows, as in rows_change: ±50%"

    rows_change: Annotated[
        str, BeforeValidator(_as_text, json_schema_input_type=str), AfterValidator(_checked)
    ] = Field(
        description="How far it may differ: `±50%` (or `50%`), or a range with signs, "
        "`-10%..+50%`. An end that is left out is open: `-10%..`.",
        json_schema_extra={"pattern": _PATTERN, "examples": ["±50%", "-10%..+50%", "-10%.."]},
    )

    @property
    def rule(self) -> str:
        return f"{self.rows_change.strip()} rows against the current version"

    def auditor(self, subject: Subject) -> Auditor:
        return _RowsChange(self.rule, *read_range(self.rows_change), subject)


def read_range(text: str) -> tuple[Decimal | None, Decimal | None]:
    """Both ends in percent, None for an open end; raises ValueError that shows the form."""
    found = re.match(_PATTERN, text)
    both, low, high = found.groups() if found else (None, None, None)
    if both:
        return -Decimal(both), Decimal(both)
    if not (low or high):
        raise ValueError(f"{text!r} is not a change in rows: {_FORM}")
    ends = Decimal(low) if low else None, Decimal(high) if high else None
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise ValueError(f"{text!r} begins above its end: {_FORM}")
    return ends


class _RowsChange(Auditor):
    def __init__(
        self, rule: str, low: Decimal | None, high: Decimal | None, subject: Subject
    ) -> None:
        self._rule, self._low, self._high, self._subject = rule, low, high, subject

    def conclude(self, result: Any) -> Verdict:
        before = self._subject.baseline.rows
        rows = self._subject.rows_before + self._subject.counted().rows
        counted = {"rows": rows}
        if before is None:
            return Verdict(
                True, "no current version with a known number of rows to compare with", counted
            )
        if not before:
            return Verdict(
                True, "the current version has no rows: no percentage to compare", counted
            )
        change = Decimal(100 * (rows - before)) / before
        fits = (self._low is None or change >= self._low) and (
            self._high is None or change <= self._high
        )
        summary = (
            f"{rows:,} rows, {change:+.1f}% against the {before:,} of the current "
            f"version; the rule is {self._rule}"
        )
        metrics = {"rows": rows, "rows before": before, "percent": float(change)}
        return Verdict(fits, summary, metrics)

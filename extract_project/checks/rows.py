"""`min_rows` and `max_rows`: limits on the number of rows."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from extract_project.checks.base import Auditor, CheckSpec, Subject, Verdict


class MinRows(CheckSpec):
    """The result has at least this many rows: `min_rows: 1`."""

    key = "min_rows"
    form = "a whole number, as in min_rows: 1"

    min_rows: int = Field(ge=0, description="The fewest rows that are plausible.")

    @property
    def rule(self) -> str:
        return f"at least {self.min_rows:,} rows"

    def auditor(self, subject: Subject) -> Auditor:
        return _RowCount(self.rule, subject, lowest=self.min_rows)


class MaxRows(CheckSpec):
    """The result has at most this many rows: `max_rows: 1000000`."""

    key = "max_rows"
    form = "a whole number, as in max_rows: 1000000"

    max_rows: int = Field(ge=0, description="The most rows that are plausible.")

    @property
    def rule(self) -> str:
        return f"at most {self.max_rows:,} rows"

    def auditor(self, subject: Subject) -> Auditor:
        return _RowCount(self.rule, subject, highest=self.max_rows)


class _RowCount(Auditor):
    def __init__(
        self, rule: str, subject: Subject, lowest: int = 0, highest: int | None = None
    ) -> None:
        self._rule, self._subject, self._lowest, self._highest = rule, subject, lowest, highest

    def conclude(self, result: Any) -> Verdict:
        rows = self._subject.counted().rows
        passed = rows >= self._lowest and (self._highest is None or rows <= self._highest)
        return Verdict(passed, f"{rows:,} rows; the rule is {self._rule}", {"rows": rows})

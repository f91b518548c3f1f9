"""What a comparison of rows has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from extract_project.history.diff.column_metrics import ColumnMetrics

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ColumnDifference:
    """A column of either version."""

    name: str
    changed: int | None
    """Rows of the same key that have another value; None where there is no key, or no partner."""
    old: ColumnMetrics | None
    """None where only the new version has the column."""
    new: ColumnMetrics | None

    @property
    def differs(self) -> bool:
        return bool(self.changed) or self.old != self.new


@dataclass(frozen=True)
class ChangedRow:
    """A row of which some values changed."""

    key: Row
    old: Row
    """The values that changed, as they were."""
    new: Row


@dataclass(frozen=True)
class RowDifference:
    """Rows of the new version against those of the old one, in the columns that both have."""

    key: tuple[str, ...]
    """Empty: a changed row counts as one removed and one added."""
    note: str
    """Why a key that was there was not used, if so."""
    old_rows: int
    new_rows: int
    added: int
    removed: int
    changed: int
    columns: tuple[ColumnDifference, ...]
    samples_added: tuple[Row, ...] = ()
    samples_removed: tuple[Row, ...] = ()
    samples_changed: tuple[ChangedRow, ...] = ()

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed)

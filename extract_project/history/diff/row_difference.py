"""The result of comparing the rows of two versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from extract_project.history.diff.column_metrics import ColumnMetrics

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ColumnDifference:
    """A column of one or both versions."""

    name: str
    changed: int | None
    """The number of rows with the same key but another value; None without a key, or if only one
    version has the column."""
    old: ColumnMetrics | None
    """None if only the new version has the column."""
    new: ColumnMetrics | None

    @property
    def differs(self) -> bool:
        return bool(self.changed) or self.old != self.new


@dataclass(frozen=True)
class ChangedRow:
    """A row in which some values changed."""

    key: Row
    old: Row
    """The old values of the changed columns."""
    new: Row


@dataclass(frozen=True)
class RowDifference:
    """The differences between the rows of two versions, in the columns that both have."""

    key: tuple[str, ...]
    """If empty, a changed row counts as one removed and one added."""
    note: str
    """The reason why a given key was not used, if any."""
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

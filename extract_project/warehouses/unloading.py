"""The protocol of a warehouse that writes the files of a result itself.

A result that is too large for one task never passes through it: the warehouse runs the query once
(`keep`), says what the result is like (`summarize`), and writes it to the bucket (`unload`). The
pipeline
believes none of this: it compares what the warehouse says with what the bucket and the files say
(`pipeline/reconcile.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from extract_project.warehouses.protocol import Query, Result

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ColumnSummary:
    """A column of a result that has not been read."""

    nulls: int
    extremes: pa.Array | None = None
    """The lowest and the highest value; None if there are none, or the type has no order."""


@dataclass(frozen=True)
class Summary:
    """What a warehouse says of a result whose query has run."""

    rows: int
    digest: str
    """Equal for equal rows in any order, and only for those."""
    columns: Sequence[ColumnSummary]
    """In the order of the schema."""
    first: pa.Table
    """A few rows, for people."""


@dataclass(frozen=True)
class WrittenFile:
    """A file, as the warehouse says that it has written it."""

    name: str
    """The name without the folder."""
    bytes: int
    rows: int


@dataclass(frozen=True)
class Unloaded:
    """What a warehouse says that it has written."""

    files: Sequence[WrittenFile]
    beside: frozenset[str] = frozenset()
    """Names of other objects that it has written there, as a manifest of its own."""


class UnloadFolder(Protocol):
    """Where a warehouse writes a result, and nobody else anything."""

    @property
    def uri(self) -> str:
        """It ends with a slash."""

    @property
    def kms_key_id(self) -> str | None:
        """The key that what is written must be encrypted with."""

    def read(self, name: str) -> bytes:
        """A small object that the warehouse has written there; raises StagingError."""


@runtime_checkable
class Unloads(Protocol):
    """A session whose warehouse can write a result as Parquet."""

    @property
    def unload_from_rows(self) -> int:
        """The number of rows from which `engine: auto` has the warehouse write."""

    def require_unload_settings(self) -> None:
        """Raise WarehouseError that names the setting without which nothing can be written."""

    def keep(self, query: Query) -> Result:
        """Run the query, once, and keep its result in the warehouse: to be summarized, and then
        written or read. Raises as `execute` does.
        """

    def rows_of(self, result: Result) -> int:
        """The number of rows of a kept result, which have not been read."""

    def try_unload(self, query: Query, folder: UnloadFolder) -> tuple[pa.Schema, Unloaded]:
        """Write one row, with a NULL in each column, of a query that does not run.

        Whether the warehouse may write there, and the types that its files have, is then known
        before a query takes an hour. Returns the schema of the query, and what was written.

        Raises WarehouseError, or TypeMappingError for a column that is not exact in the files.
        """

    def summarize(self, result: Result) -> Summary:
        """What a kept result is like.

        Raises TypeMappingError if a column, or a value, would not be exact in the files: before
        anything is written.
        """

    def unload(self, result: Result, folder: UnloadFolder) -> Unloaded:
        """Write a kept result into a folder.

        Raises WarehouseError. What is there already is never replaced.
        """

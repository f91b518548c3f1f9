"""The protocol of a warehouse that writes the files of a result itself.

A result that is too large for one task never passes through it: the warehouse runs the query once,
says what the result is like (`summarize`), and writes it to the bucket (`unload`). The pipeline
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


@runtime_checkable
class Unloads(Protocol):
    """A session whose warehouse can write a result as Parquet."""

    @property
    def unload_from_rows(self) -> int:
        """The number of rows from which `engine: auto` has the warehouse write."""

    def require_unload_settings(self) -> None:
        """Raise WarehouseError that names the setting without which nothing can be written."""

    def rows_of(self, result: Result) -> int:
        """The number of rows, which have not been read."""

    def try_unload(
        self, query: Query, uri: str, kms_key_id: str | None
    ) -> tuple[pa.Schema, Sequence[WrittenFile]]:
        """Write one row, with a NULL in each column, of a query that does not run.

        Whether the warehouse may write there, and the types that its files have, is then known
        before a query takes an hour. Returns the schema of the query, and what was written.

        Raises WarehouseError, or TypeMappingError for a column that is not exact in the files.
        """

    def summarize(self, result: Result) -> Summary:
        """What the result is like.

        Raises TypeMappingError if a column, or a value, would not be exact in the files: before
        anything is written.
        """

    def unload(self, result: Result, uri: str, kms_key_id: str | None) -> Sequence[WrittenFile]:
        """Write the result below a URI that ends with a slash, encrypted with the key, if given.

        Raises WarehouseError. What is there already is never replaced.
        """

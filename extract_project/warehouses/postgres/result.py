"""The rows of a described statement, streamed as `COPY … CSV`.

COPY's CSV text is exact for every type, and Arrow's CSV reader converts it to typed columns without
a Python object per value, faster than the server can write it. (ADBC's driver returns NUMERIC as
text; DuckDB's scanner returns unbounded NUMERIC as a lossy double.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.memory import require_room
from extract_project.prefetch import prefetch
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.postgres.copying import LONG_ROW_BYTES
from extract_project.warehouses.postgres.transaction import LOCKING
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from extract_project.warehouses.postgres.session import PostgresSession
    from extract_project.warehouses.postgres.types import CopyColumns

_BLOCKS_AHEAD = 2
_NAMES_NOTHING = "42"  # class: syntax error or access rule violation


class PostgresResult:
    """A described statement in an open transaction; it runs when its batches are read."""

    query_url = None
    usage = None

    def __init__(
        self, session: PostgresSession, statement: Rendered, columns: CopyColumns, query_id: str
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._statement = statement
        self._columns = columns
        self.query_id = query_id

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        import psycopg

        with self._session.explaining(self._statement, len(LOCKING)):
            self._connection.query(LOCKING + self._statement.text)
        copy, before = self._columns.copy(self._statement.text)
        rows = 0
        with self._session.explaining(self._statement, before):
            try:
                with prefetch(
                    self._blocks(copy),
                    _BLOCKS_AHEAD,
                    self._session.cancel,
                    is_heavy=lambda block: len(block) >= LONG_ROW_BYTES,
                ) as blocks:
                    for block in blocks:
                        _require_room(block, rows)
                        batch = self._columns.parse(block, rows)
                        del block  # a long one takes as much memory again
                        rows += batch.num_rows
                        yield batch
                        del batch
            except psycopg.Error as error:
                if _names_nothing(error):
                    raise _changed(str(error.diag.message_primary)) from None
                raise self._session.explained(
                    error, self._statement, before, rows=rows + _rows_of(self._connection.rest)
                ) from None
            if rows != self._connection.copied:
                raise incomplete(
                    f"the server reported {self._connection.copied:,} rows, but {rows:,} arrived"
                )
            if self._connection.describe(self._statement.text) != list(self._columns.described):
                raise _changed("other columns")
        self._session.end()

    def _blocks(self, copy: str) -> Iterator[bytes | memoryview]:
        found = self._connection.start_copy(copy)
        if found != len(self.schema):
            raise _changed(f"{found} columns, and not {len(self.schema)}")
        yield from self._connection.blocks()


def _require_room(block: bytes | memoryview, rows_before: int) -> None:
    """Raise OutOfMemory if a long row cannot be parsed, which takes it three times again."""
    if len(block) >= LONG_ROW_BYTES:
        require_room(
            3 * len(block),
            f"row {rows_before + 1:,} has {len(block) >> 20:,} MiB: reading such a row",
            "select less of its longest value",
        )


def _rows_of(csv: bytes) -> int:
    """The number of whole rows: line ends outside of quotes."""
    return sum(part.count(b"\n") for part in csv.split(b'"')[::2])


def _names_nothing(error: psycopg.Error) -> bool:
    """Whether the statement has become invalid since it was described."""
    return (error.sqlstate or "").startswith(_NAMES_NOTHING) and bool(error.diag.statement_position)


def _changed(found: str) -> WarehouseError:
    """The error for a change during reading. Tables are locked; functions and types cannot be."""
    return WarehouseError(
        f"what the statement reads was changed while it was read ({found}): run it again",
        cause=Cause.BUSY,
        transient=True,
    )

"""The rows of a finished query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.protocol import Usage
from extract_project.warehouses.snowflake.chunks import Chunks, Patience
from extract_project.warehouses.snowflake.usage import usage_of

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.connector.result_batch import ResultBatch

    from extract_project.warehouses.snowflake.types import SnowflakeColumns


class SnowflakeResult:
    """A finished query, whose rows lie ready in chunks."""

    def __init__(
        self, cursor: SnowflakeCursor, query_id: str, url: str | None, patience: Patience
    ) -> None:
        from extract_project.warehouses.snowflake.types import snowflake_columns

        self._cursor = cursor
        self._patience = patience
        self._columns: SnowflakeColumns = snowflake_columns(cursor.description or [])
        self.query_id = query_id
        self.query_url = url
        self.usage: Usage | None = None

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        reported, rows = self._cursor.rowcount, 0
        batches = self._cursor.get_result_batches() or []
        chunks = Chunks(self._cursor.connection, batches, self._renewed, self._patience)
        for table in chunks.read():
            for batch in table.to_batches():
                rows += batch.num_rows
                yield self._columns.convert(batch)
        if rows != reported:
            raise WarehouseError(
                f"snowflake reported {reported:,} rows and {rows:,} arrived: run it again",
                cause=Cause.NETWORK,
                transient=True,
            )
        self.usage = usage_of(self._cursor.connection, self.query_id)

    def _renewed(self) -> Sequence[ResultBatch]:
        from snowflake.connector import Error

        from extract_project.warehouses.snowflake.errors import explained

        try:
            self._cursor.query_result(self.query_id)
            return self._cursor.get_result_batches() or []
        except Error as error:
            raise explained(error, "snowflake, asked for the result again") from None

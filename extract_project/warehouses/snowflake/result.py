"""The rows of a finished query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extract_project.metrics import Usage
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.snowflake.chunks import Chunks, Patience
from extract_project.warehouses.snowflake.errors import explained
from extract_project.warehouses.snowflake.usage import usage_of
from extract_project.warehouses.waiting import Cancellation

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.connector.result_batch import ResultBatch

    from extract_project.warehouses.snowflake.types import SnowflakeColumns


class SnowflakeResult:
    """A finished query, whose rows are ready in chunks."""

    def __init__(
        self,
        cursor: SnowflakeCursor,
        query: Query,
        *,
        query_id: str,
        url: str | None,
        cancellation: Cancellation,
        patience: Patience,
    ) -> None:
        from extract_project.warehouses.snowflake.types import described, snowflake_columns

        self._cursor = cursor
        self._cancellation = cancellation
        self._patience = patience
        self.query = query
        self.columns: SnowflakeColumns = snowflake_columns(described(cursor), query)
        self.query_id = query_id
        self.query_url = url
        self.usage: Usage | None = None

    @property
    def schema(self) -> pa.Schema:
        return self.columns.schema

    @property
    def rows(self) -> int:
        """The number of rows that Snowflake announces."""
        return self._cursor.rowcount or 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        from extract_project.warehouses.snowflake.agreement import require_agreement

        rows = 0
        batches = self._batches()
        chunks = Chunks(
            self._cursor.connection, batches, self._renewed, self._cancellation, self._patience
        )
        for number, table in enumerate(chunks.read(), 1):
            chunk = f"chunk {number} of {len(batches)}"
            require_agreement(table.schema, self.columns.described, chunk)
            for batch in table.to_batches():
                yield self.columns.convert(batch, rows)
                rows += batch.num_rows
        self._require_announced(rows)
        self.usage = usage_of(self._cursor.connection, self.query_id)

    def _require_announced(self, rows: int) -> None:
        announced = self._cursor.rowcount
        if announced == rows:
            return
        known = announced is not None and announced >= 0
        said = f"announced {announced:,} rows" if known else "did not say how many rows there are,"
        raise incomplete(f"snowflake {said} and sent {rows:,}")

    def _batches(self) -> Sequence[ResultBatch]:
        from snowflake.connector import Error

        try:
            return self._cursor.get_result_batches() or []
        except Error as error:
            raise explained(error, "snowflake, asked for the chunks of the result") from None

    def _renewed(self) -> Sequence[ResultBatch]:
        from snowflake.connector import Error

        try:
            self._cursor.query_result(self.query_id)
        except Error as error:
            raise explained(error, "snowflake, asked for the result again") from None
        return self._batches()

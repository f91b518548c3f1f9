"""The rows of a query, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.metrics import Usage
from extract_project.warehouses.clickhouse.running import Running

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.clickhouse.stream import Stream
    from extract_project.warehouses.clickhouse.types import ClickHouseColumns


class ClickHouseResult:
    """A query that has begun to send its rows."""

    query_url: str | None = None
    usage: Usage | None = None

    def __init__(
        self, running: Running, stream: Stream, columns: ClickHouseColumns, query_id: str
    ) -> None:
        self._running = running
        self._stream = stream
        self._columns = columns
        self.query_id = query_id

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows; the last one is followed by the proof that none is missing."""
        rows = 0
        try:
            while (batch := self._running.read(self._stream.next)) is not None:
                yield self._columns.convert(batch, rows)
                rows += batch.num_rows
            self._running.finish()
        except WarehouseError as error:
            error.query_id = self.query_id
            raise
        finally:
            with suppress(QueryCancelled):  # whatever has ended this says why
                self._running.abort()

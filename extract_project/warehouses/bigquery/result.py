"""The rows of a finished query: those of the temporary table that BigQuery keeps for a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.metrics import Usage
from extract_project.warehouses.bigquery.client import Client
from extract_project.warehouses.bigquery.names import TableName
from extract_project.warehouses.meaning import incomplete

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.bigquery.types import BigQueryColumns


class BigQueryResult:
    """A finished query, whose rows have not been read."""

    def __init__(
        self,
        client: Client,
        storage_address: str,
        columns: BigQueryColumns,
        table: TableName,
        rows: int,
        *,
        ordered: bool,
        query_id: str,
        url: str,
        usage: Usage | None,
    ) -> None:
        self._client = client
        self._storage_address = storage_address
        self._columns = columns
        self._table = table
        self._rows = rows
        self._ordered = ordered
        self.query_id = query_id
        self.query_url = url
        self.usage = usage

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows of all streams, counted: a stream that ends early may look whole.

        One stream has the order of an `order by`, several have no order.
        """
        from extract_project.warehouses.bigquery.storage import storage
        from extract_project.warehouses.bigquery.streams import STREAMS, read

        rows = 0
        client = self._client
        with storage(client.http, client.project, self._storage_address) as connected:
            streams = 1 if self._ordered else STREAMS
            sent = read(
                connected,
                lambda: connected.session(self._table, streams),
                self._columns.require_agreement,
            )
            for batch in sent:
                yield self._columns.convert(batch, rows)
                rows += batch.num_rows
        if rows != self._rows:
            raise incomplete(f"bigquery announced {self._rows:,} rows and sent {rows:,}")

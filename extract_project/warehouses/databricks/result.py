"""The rows of a finished query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.metrics import Usage
from extract_project.warehouses.databricks.chunks import Chunks
from extract_project.warehouses.databricks.client import Client
from extract_project.warehouses.databricks.manifest import Manifest
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.databricks.types import DatabricksColumns


class DatabricksResult:
    """A finished query, whose rows are ready in chunks."""

    def __init__(
        self, client: Client, query: Query, manifest: Manifest, *, query_id: str, url: str
    ) -> None:
        from extract_project.warehouses.databricks.types import databricks_columns

        self._client = client
        self._manifest = manifest
        self._columns: DatabricksColumns = databricks_columns(manifest.columns, query)
        self.query_id = query_id
        self.query_url = url
        self.usage: Usage | None = None

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows of all chunks, counted."""
        rows = 0
        chunks = Chunks(self._client, self.query_id, self._manifest.chunks)
        for number, table in enumerate(chunks.read(), 1):
            which = f"chunk {number} of {len(self._manifest.chunks)}"
            self._columns.require_agreement(table.schema, which)
            for batch in table.to_batches():
                yield self._columns.convert(batch, rows)
                rows += batch.num_rows
        if rows != self._manifest.rows:
            raise incomplete(f"databricks announced {self._manifest.rows:,} rows and sent {rows:,}")

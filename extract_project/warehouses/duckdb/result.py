"""The rows of a DuckDB statement, as files hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from extract_project.warehouses.duckdb.errors import explained
from extract_project.warehouses.duckdb.refused import require_distinct_keys, require_real_values
from extract_project.warehouses.protocol import Query, Rendered

if TYPE_CHECKING:
    import pyarrow as pa


class DuckDBResult:
    """A streaming result; DuckDB computes as far ahead as its consumer reads."""

    query_id = None
    query_url = None
    usage = None

    def __init__(self, reader: Any, rendered: Rendered, query: Query) -> None:
        from extract_project.schema.types import file_schema

        self._reader = reader
        self._rendered = rendered
        self._declared = query.declared
        self.schema: pa.Schema = file_schema(reader.schema, query.types, query.declared)

    def batches(self) -> Iterator[pa.RecordBatch]:
        import duckdb
        import pyarrow as pa

        from extract_project.schema.conform import conform

        rows = 0
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (duckdb.Error, OSError, pa.ArrowException) as error:
                raise explained(error, self._rendered) from error
            require_real_values(batch, rows)
            conformed = conform(batch, self.schema, rows, self._declared)
            require_distinct_keys(conformed, rows)
            rows += batch.num_rows
            yield conformed

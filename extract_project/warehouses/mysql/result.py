"""The rows of a running statement, streamed: the server sends no more than is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.prefetch import prefetch
from extract_project.warehouses.mysql.connection import Prepared
from extract_project.warehouses.mysql.server_error import ServerError
from extract_project.warehouses.mysql.wire import LONG_ROW_BYTES, Lost
from extract_project.warehouses.protocol import Rendered

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.mysql.session import MySQLSession
    from extract_project.warehouses.mysql.types import MySQLColumns

_BLOCKS_AHEAD = 2


class MySQLResult:
    """A statement that runs, whose rows have not been read."""

    query_url = None
    usage = None

    def __init__(
        self,
        session: MySQLSession,
        prepared: Prepared,
        statement: Rendered,
        columns: MySQLColumns,
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._prepared = prepared
        self._statement = statement
        self._columns = columns
        self.query_id = f"connection {session.connection.id}"

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        rows = 0
        try:
            with prefetch(
                self._connection.rows(),
                _BLOCKS_AHEAD,
                self._session.cancel,
                is_heavy=lambda block: block.size >= LONG_ROW_BYTES,
            ) as blocks:
                for block in blocks:
                    batch = self._columns.convert(block, rows)
                    del block  # a long one takes as much memory again
                    rows += batch.num_rows
                    yield batch
                    del batch
        except (ServerError, Lost) as error:
            raise self._session.explained(error, self._statement, rows) from None
        self._session.end(self._prepared)

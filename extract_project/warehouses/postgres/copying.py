"""Read a `COPY … TO STDOUT`, whole rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.warehouses.libpq.connection import Connection, checked

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_BLOCK_BYTES = 1 << 20
LONG_ROW_BYTES = 4 << 20
"""A row as long as this is a block by itself, which is not copied."""


class CopyConnection(Connection):
    """A connection whose server can `COPY`."""

    def __init__(self, server: PGconn) -> None:
        super().__init__(server)
        self.copied = 0
        self.rest = b""

    def start_copy(self, sql: str) -> int:
        """Start a `COPY … TO STDOUT`; returns its number of columns. Then read its `blocks`."""
        self._begin()
        with self._calling:
            self._server.send_query_params(sql.encode(), None)
        self._flush()
        return checked(self._next()).nfields

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Whole rows, about a mebibyte at a time. Afterwards `copied` is the server's count of
        rows.

        One message of the protocol is one row, so a block never ends within a row. They are read
        from libpq directly, because psycopg's `copy` takes half as much time again per row. If the
        server ends with an error, `rest` has the rows read so far.
        """
        from psycopg import Error

        block = bytearray()
        try:
            while True:
                size, row = self._take(block)
                if size == 0:
                    self._wait(self._readable)
                    self._consume()
                    continue
                if size < 0:
                    break
                if block:
                    yield bytes(block)
                    block.clear()
                if size >= LONG_ROW_BYTES:
                    yield row
                del row
            self.copied = self._ended().command_tuples or 0
        except Error:
            self.rest = bytes(block)
            raise
        if block:
            yield bytes(block)

    def _take(self, block: bytearray) -> tuple[int, memoryview]:
        """Add rows that have arrived to `block`, until it is full or a long row comes.

        Returns the size of the last row, and the row. The size is 0 if no other has arrived, and
        negative after the last.
        """
        with self._calling:
            while True:
                size, row = self._server.get_copy_data(1)
                if not 0 < size < LONG_ROW_BYTES:
                    return size, row
                block += row
                if len(block) >= _BLOCK_BYTES:
                    return size, row

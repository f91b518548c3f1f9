"""Read the rows of a statement as the server sends them, some at a time.

Redshift has no `COPY … TO STDOUT`. A cursor (`declare`, `fetch`) would keep the whole result on the
leader node, of limited size, and give 1,000 rows at a time where there is one node:
https://docs.aws.amazon.com/redshift/latest/dg/declare.html. Without one, rows arrive as they are
read, which is how Amazon's JDBC driver reads (`enableFetchRingBuffer`); memory stays flat because
libpq hands them out in chunks, and what is not read waits in the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extract_project.warehouses.libpq.connection import Column, Connection, checked, columns_of

Cells = list[list[bytes | None]]
"""The values of some rows as text, by column."""
_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 10_000
_CHUNK_BYTES = 16 << 20
_SUPER, _TEXT, _VARCHAR, _CHAR, _VARBYTE = 4000, 25, 1043, 1042, 6551
_LONGEST = {_SUPER: 16 << 20, _TEXT: 65_535, _VARCHAR: 65_535, _CHAR: 65_535, _VARBYTE: 16 << 20}
_SHORT = 64
_LENGTH_BYTES = 4
"""A modifier is a length and these bytes."""


class StreamingConnection(Connection):
    """A connection that reads rows in bounded memory."""

    def run(self, sql: str, values: Sequence[bytes] = (), types: Sequence[int] = ()) -> int:
        """Run a statement that gives no rows; returns how many it has written."""
        self._begin()
        with self._calling:
            self._server.send_query_params(sql.encode(), values, types)
        return self._ended().command_tuples or 0

    def rows(
        self, sql: str, values: Sequence[bytes], types: Sequence[int], columns: Sequence[Column]
    ) -> Iterator[tuple[list[Column], Cells]]:
        """The rows of a statement in blocks, with the columns that the server says they have.

        `columns` are those of its description. The last block may be empty. The rows have all
        arrived only when this ends: raises psycopg's error wherever the server or the network does.
        """
        from psycopg import OperationalError, pq

        self._begin()
        with self._calling:
            self._server.send_query_params(sql.encode(), values, types)
            self._server.set_chunked_rows_mode(rows_at_once(columns))
        self._flush()
        cells: Cells = [[] for _ in columns]
        size, found, is_whole = 0, list[Column](), False
        while (result := self._next()) is not None:
            checked(result)
            is_whole = result.status == pq.ExecStatus.TUPLES_OK
            found = found or columns_of(result)
            if result.nfields != len(cells):
                cells = [[] for _ in range(result.nfields)]
            rows = range(result.ntuples)
            for number, known in enumerate(cells):
                more = [result.get_value(row, number) for row in rows]
                size += sum(map(len, filter(None, more)))
                known.extend(more)
            if is_whole or size >= _BLOCK_BYTES or len(cells[0]) >= _BLOCK_ROWS:
                yield found, cells
                cells, size = [[] for _ in cells], 0
        if not is_whole:
            raise OperationalError("the server ended the result without saying so")


def rows_at_once(columns: Sequence[Column]) -> int:
    """How many rows libpq may keep: as many as fit into memory if each value is as long as it can
    be."""
    return max(1, min(_BLOCK_ROWS, _CHUNK_BYTES // max(1, sum(map(_longest, columns)))))


def _longest(column: Column) -> int:
    """The bytes of the longest value of a column, as text."""
    most = _LONGEST.get(column.type)
    if most is None:
        return _SHORT
    said = column.modifier - _LENGTH_BYTES
    length = min(said, most) if said > 0 and column.type != _SUPER else most
    return 2 * length if column.type == _VARBYTE else length

"""Read an Arrow stream from an HTTP body, and prove that it is whole.

ClickHouse answers 200 before it knows whether a query will succeed. If it then fails, the error's
text stands in the body, after whatever rows were sent, and some proxies end the body as if nothing
had happened. Arrow's reader takes the end of the body for the end of the stream. What only a
complete stream has is Arrow's end-of-stream marker, which ClickHouse writes after the last row: it
must be there, and nothing after it
(https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format).
"""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPException, HTTPResponse, IncompleteRead

import pyarrow as pa

from extract_project.errors import WarehouseError
from extract_project.memory import require_room
from extract_project.warehouses.clickhouse.errors import of_text
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Rendered

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_LARGE = 16 << 20
_TIMES = 10
"""Roughly how many times larger a batch of text is once decompressed, in the file's type."""
_KEPT = 32 << 10
"""How much of the end is kept: an error's text is in it."""


class _Body:
    """The body as a file for pyarrow; it keeps the last bytes that were read."""

    closed = False

    def __init__(self, reply: HTTPResponse) -> None:
        self._reply = reply
        self.tail = b""

    def read(self, size: int) -> bytes:
        """Raises OutOfMemory if a batch of long values has no place."""
        if size > _LARGE:
            require_room(
                _TIMES * size,
                f"a batch of the result has {size >> 20:,} MiB, compressed: reading it",
                "select less of its longest values",
            )
        try:
            data = self._reply.read(size)
        except IncompleteRead as error:
            self._keep(error.partial)
            raise
        self._keep(data)
        return data

    def _keep(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-_KEPT:] if len(data) < _KEPT else data[-_KEPT:]


class Stream:
    """The batches of one answer."""

    def __init__(self, reply: HTTPResponse, rendered: Rendered) -> None:
        """Reads the schema. Raises WarehouseError, as all methods do."""
        self._body = _Body(reply)
        self._rendered = rendered
        self._rows = 0
        try:
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._body, mode="r"))
        except (OSError, HTTPException, ValueError, pa.ArrowException) as error:
            raise self._cut(error) from None

    @property
    def schema(self) -> pa.Schema:
        return self._reader.schema

    def next(self) -> pa.RecordBatch | None:
        """The next batch; None after the last one, if the stream is whole."""
        try:
            batch: pa.RecordBatch = self._reader.read_next_batch()
            batch.validate()
        except StopIteration:
            self._require_end()
            return None
        except (OSError, HTTPException, ValueError, pa.ArrowException) as error:
            raise self._cut(error) from None
        self._rows += batch.num_rows
        return batch

    def _require_end(self) -> None:
        try:
            has_ended = self._body.tail.endswith(END) and not self._body.read(_KEPT)
        except (OSError, HTTPException, ValueError) as error:
            raise self._cut(error) from None
        if not has_ended:
            raise self._cut("no mark of its end")

    def _cut(self, reason: object) -> WarehouseError:
        """The server's own error, if the body has it."""
        with suppress(OSError, HTTPException, ValueError):
            self._body.read(_KEPT)
        told = of_text(self._body.tail.decode(errors="replace"), self._rendered)
        return told or incomplete(
            f"clickhouse's answer broke off after {self._rows:,} rows ({str(reason) or 'silence'})"
        )

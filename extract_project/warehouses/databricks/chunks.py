"""Download a result chunk by chunk: a few at a time, in order, complete.

Each chunk is behind a link that is valid for some minutes: it is asked for when the download
begins, and anew when the download is tried again. No token is sent to it. What arrives is compared
with the manifest: a stream that ends early may look whole, but does not have all rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, InvalidURL
from operator import attrgetter
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.ahead import tables
from extract_project.warehouses.databricks.client import Client, Link
from extract_project.warehouses.databricks.manifest import Chunk
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.rest import RequestRefused, body_of, opener
from extract_project.warehouses.waiting import begin

if TYPE_CHECKING:
    import pyarrow as pa

_SLOWEST_BYTES_PER_SECOND = 256 << 10
_GONE = 404
_CODE = re.compile(r"<Code>(\w+)</Code>")
"""How the store says in XML why it refuses."""


@dataclass(frozen=True)
class Chunks:
    """The chunks of one result."""

    client: Client
    statement_id: str
    chunks: Sequence[Chunk]

    def read(self) -> Iterator[pa.Table]:
        """The chunks, in order.

        Raises a transient WarehouseError if one cannot be downloaded, QueryCancelled on a cancel.
        """
        return tables(self.chunks, attrgetter("size"), partial(_Download, self))


class _Download:
    """The download of one chunk, retried until it is complete."""

    def __init__(self, chunks: Chunks, chunk: Chunk) -> None:
        self.chunk = chunk
        self._chunks = chunks
        self._start()

    def _start(self) -> None:
        """Start it in a separate thread, because a stalled download cannot be ended."""
        chunk, client, statement = self.chunk, self._chunks.client, self._chunks.statement_id
        seconds = client.http.patience.stall_seconds
        is_last = chunk is self._chunks.chunks[-1]
        self._whole: Future[pa.Table] = begin(
            "chunk",
            lambda: _downloaded(client.link(statement, chunk.number), chunk, is_last, seconds),
        )

    def table(self) -> pa.Table:
        """Wait for it; each new try has a new link."""
        import pyarrow as pa

        http = self._chunks.client.http
        limit = http.patience.stall_seconds + self.chunk.size / _SLOWEST_BYTES_PER_SECOND
        for tries in range(1, http.patience.tries + 1):
            try:
                return http.cancellation.result(self._whole, limit)
            except TimeoutError:
                reason = f"it was not there after {limit:.0f} s"
            except HTTPError as error:
                code = _CODE.search(body_of(error))
                reason = f"its link answered HTTP {error.code}{f' {code[1]}' if code else ''}"
            except InvalidURL:  # whose text would be the link, a secret
                reason = "its link is not valid"
            except (OSError, HTTPException, pa.ArrowInvalid) as error:
                reason = str(error) or type(error).__name__
            except WarehouseError as error:
                raise self._explained(error) from None
            if tries < http.patience.tries:
                http.cancellation.pause(http.patience.pause(tries))
                self._start()
        raise incomplete(
            f"{self._which} did not arrive whole in {http.patience.tries} tries ({reason})"
        )

    @property
    def _which(self) -> str:
        return f"chunk {self.chunk.number + 1} of {len(self._chunks.chunks)} of the result"

    def _explained(self, error: WarehouseError) -> WarehouseError:
        """Replace an error after an hour, for which Databricks keeps a result, by what to do about
        it."""
        if not isinstance(error, RequestRefused) or error.status != _GONE:
            return error
        return WarehouseError(
            f"{self._which} is no longer there: databricks keeps a result for one hour, and it was "
            f"not read by then: give the extract a larger task ('cpu', 'memory'), or publish less "
            f"at a time, as with 'partitions' in the header",
            cause=Cause.TIMEOUT,
        )


def _downloaded(link: Link, chunk: Chunk, is_last: bool, seconds: float) -> pa.Table:
    """The rows behind a link; raises ArrowInvalid where they are not those of the manifest."""
    import pyarrow as pa

    if _differ(link.first_row, chunk.first_row) or _differ(link.rows, chunk.rows):
        raise pa.ArrowInvalid(
            f"its link has {link.rows} rows from {link.first_row}: expected {chunk.rows} from "
            f"{chunk.first_row}"
        )
    expected = None if is_last else chunk.number + 1
    if link.following not in (None, expected):
        raise pa.ArrowInvalid(f"behind it is chunk {link.following + 1}, which was not announced")
    if not link.address.startswith(("https://", "http://")):
        raise InvalidURL
    request = Request(link.address, headers=dict(link.headers))
    with opener().open(request, timeout=seconds) as reply:
        body = reply.read()
    table = pa.ipc.open_stream(body).read_all()
    rows = link.rows if chunk.rows is None else chunk.rows
    if _differ(table.num_rows, rows):
        raise pa.ArrowInvalid(f"{table.num_rows:,} of {rows:,} rows arrived")
    return table


def _differ(one: int | None, other: int | None) -> bool:
    """Whether two numbers differ that are both known."""
    return one is not None and other is not None and one != other

"""Read several streams of a session at once, in bounded memory, and resume those that break.

The streams take turns, so that the order of the rows depends on as little as possible. The next
batch of each stream is fetched while the last one is used. A stream that breaks is read again from
the row at which it broke.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import grpc
import pyarrow as pa

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.ahead import BYTES_AHEAD
from extract_project.warehouses.bigquery.storage import ReadSession, Storage
from extract_project.warehouses.meaning import Meaning
from extract_project.warehouses.waiting import begin

STREAMS = 4
_LARGE = BYTES_AHEAD // STREAMS
"""After a batch of this many bytes, the next one is fetched only when it is asked for."""
_BROKEN = (
    None,  # no answer of the service
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,  # as a long stream now and then ends: with RST_STREAM
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_MEANINGS = {
    grpc.StatusCode.UNAUTHENTICATED: Meaning(
        Cause.SIGN_IN, hint="check CREDENTIALS, or CREDENTIALS_PATH"
    ),
    grpc.StatusCode.PERMISSION_DENIED: Meaning(
        Cause.PERMISSION,
        hint="grant BigQuery Read Session User to the account that signs in: see docs/bigquery.md",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: Meaning(Cause.BUSY, transient=True),
    grpc.StatusCode.FAILED_PRECONDITION: Meaning(
        Cause.TIMEOUT,
        hint="BigQuery hands out a result for six hours: give the extract a larger task ('cpu', "
        "'memory'), or publish less at a time, as with 'partitions' in the header",
    ),
}


def read(
    storage: Storage, open_session: Callable[[], ReadSession], check: Callable[[pa.Schema], None]
) -> Iterator[pa.RecordBatch]:
    """The rows of all streams of a session, whose schema is checked first.

    Raises a transient WarehouseError if it breaks for good, QueryCancelled on a cancel.
    """
    session = _opened(storage, open_session)
    check(session.schema)
    streams = [_Stream(storage, name, session.schema) for name in session.streams]
    reading = list(streams)
    try:
        while reading:
            for stream in tuple(reading):
                batch = stream.next()
                if batch is None:
                    reading.remove(stream)
                else:
                    yield batch
    finally:
        for stream in streams:
            stream.close()


def _opened(storage: Storage, open_session: Callable[[], ReadSession]) -> ReadSession:
    tries = _Tries(storage)
    while True:
        try:
            return storage.http.cancellation.result(begin("session", open_session))
        except grpc.RpcError as error:
            tries.again(error)


class _Stream:
    """One stream, read in threads, because nothing ends a wait in gRPC's own code."""

    def __init__(self, storage: Storage, name: str, schema: pa.Schema) -> None:
        self._storage = storage
        self._name = name
        self._schema = schema
        self._rows = 0
        self._coming: Future[pa.RecordBatch | None] | None = None
        self._open()

    def next(self) -> pa.RecordBatch | None:
        """The next batch; None at the end."""
        http = self._storage.http
        tries = _Tries(self._storage)
        while True:
            self._coming = self._coming or self._begun()
            try:
                batch = http.cancellation.result(self._coming, http.patience.stall_seconds)
                break
            except TimeoutError:
                stalled = f"nothing came within {http.patience.stall_seconds:.0f} s"
                fault: Exception = TimeoutError(stalled)
            except (grpc.RpcError, pa.ArrowInvalid, OSError) as error:
                fault = error
            self._call.cancel()
            tries.again(fault)
            self._open()
        if batch is None:
            return None
        self._rows += batch.num_rows
        self._coming = None if batch.nbytes > _LARGE else self._begun()
        return batch

    def close(self) -> None:
        """End the call, and drop what it has fetched."""
        self._call.cancel()

    def _open(self) -> None:
        self._call = self._storage.rows(self._name, self._rows)
        self._coming = self._begun()

    def _begun(self) -> Future[pa.RecordBatch | None]:
        call, schema = self._call, self._schema
        return begin("stream", lambda: _received(call, schema))


def _received(call: Any, schema: pa.Schema) -> pa.RecordBatch | None:
    """The next batch of a call; None if the service has ended it properly."""
    response = next(call, None)
    if response is None:
        return None
    sent = response.arrow_record_batch
    if not sent.serialized_record_batch:
        return pa.RecordBatch.from_pylist([], schema)
    batch = pa.ipc.read_record_batch(pa.py_buffer(sent.serialized_record_batch), schema)
    announced = response.row_count or sent.row_count
    if batch.num_rows != announced:
        raise pa.ArrowInvalid(f"{batch.num_rows:,} of {announced:,} rows of a batch arrived")
    return batch


class _Tries:
    """Counts failed tries, and ends them."""

    def __init__(self, storage: Storage) -> None:
        self._http = storage.http
        self._count = 0

    def again(self, fault: Exception) -> None:
        """Wait before the next try; raises WarehouseError if none is left."""
        self._count += 1
        code = fault.code() if isinstance(fault, grpc.RpcError) else None
        if code is grpc.StatusCode.UNAUTHENTICATED and self._count == 1:
            tokens = self._http.tokens
            tokens.renew(tokens.current(self._http.cancellation))
        elif code not in _BROKEN or self._count >= self._http.patience.tries:
            raise self._explained(fault, code) from None
        self._http.cancellation.pause(self._http.patience.pause(self._count))

    def _explained(self, fault: Exception, code: grpc.StatusCode | None) -> WarehouseError:
        known = _MEANINGS.get(code, Meaning(Cause.NETWORK, transient=code in _BROKEN))
        told = fault.details() if isinstance(fault, grpc.RpcError) else str(fault)
        reason = f"{code.name}: {told}" if code else told
        tries = f" after {self._count} tries" if self._count > 1 else ""
        parts = [f"bigquery did not send the result{tries} ({reason})"]
        parts += [known.hint] if known.hint else ["run it again"] if known.transient else []
        return WarehouseError(": ".join(parts), cause=known.cause, transient=known.transient)

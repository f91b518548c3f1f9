"""The Storage Read API over gRPC, with the faults of its streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

import grpc
import pyarrow as pa

from extract_project_tests.support.bigquery_server.wire import decoded, encoded, inner, text

if TYPE_CHECKING:
    from extract_project_tests.support.bigquery_server.service import Service

_NAME = "google.cloud.bigquery.storage.v1.BigQueryRead"
_ARROW = 2
_WORKERS = 16


@dataclass
class Break:
    """A fault of a stream after it has sent some batches, `times` of them.

    `abort` ends the call with the status `code`; `end` ends it as if it were complete; `again`
    sends the last batch twice; `stall` sends nothing any more; `count` announces a row too many;
    `deaf` begins at the first row, wherever it was asked to begin; `session` refuses to open a
    session, with `code`.
    """

    kind: Literal["abort", "end", "again", "stall", "count", "deaf", "session"]
    after: int = 0
    times: int = 1
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE


class _Reads:
    """The two calls of the service."""

    def __init__(self, service: Service, stopped: threading.Event) -> None:
        self._service = service
        self._stopped = stopped
        self._streams: dict[str, tuple[Any, list[pa.RecordBatch]]] = {}
        """How each is written, and its rows."""
        self._lock = threading.Lock()

    def open(self, request: bytes, context: Any) -> bytes:
        """A session: its schema, and the streams that share the rows."""
        self._require_token(context)
        asked = decoded(request)
        session = inner(asked, 2)
        table = text(session, 6)
        answer = self._service.result_of(table.rpartition("/")[2])
        routed = dict(context.invocation_metadata()).get("x-goog-request-params", "")
        if answer is None or unquote(routed) != f"read_session.table={table}":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {table}")
            raise AssertionError
        if text(asked, 1) != f"projects/{self._service.project}" or session.get(3) != _ARROW:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this double sends Arrow alone")
        if fault := self._take("session"):
            context.abort(fault.code, "no session now")
        wanted = int(asked.get(3, 0) or 8)
        self._service.sessions.append(wanted)
        options = pa.ipc.IpcWriteOptions(
            compression="lz4" if inner(inner(session, 8), 3).get(2) == 1 else None
        )
        shares = [list(answer.batches[n::wanted]) for n in range(min(wanted, len(answer.batches)))]
        names = [f"{table.partition('/datasets')[0]}/locations/eu/sessions/{id(answer)}/streams/{n}"
                 for n in range(len(shares))]  # fmt: skip
        with self._lock:
            for name, share in zip(names, shares, strict=True):
                self._streams[name] = (options, share)
        schema = encoded((1, answer.schema.serialize().to_pybytes()))
        streams = [(10, encoded((1, name))) for name in names]
        return encoded(
            (1, f"sessions/{id(answer)}"), (3, _ARROW), (5, schema), (6, table), *streams
        )

    def rows(self, request: bytes, context: Any) -> Iterator[bytes]:
        """The batches of a stream from a row on."""
        self._require_token(context)
        asked = decoded(request)
        name, offset = text(asked, 1), int(asked.get(2, 0))
        if name not in self._streams:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no stream {name}")
        self._service.reads.append((name, offset))
        if offset and self._take("deaf"):
            offset = 0
        options, share = self._streams[name]
        for sent, batch in enumerate(_from(share, offset)):
            fault = self._fault(sent)
            if fault and fault.kind == "abort":
                context.abort(fault.code, "the stream broke")
            if fault and fault.kind == "end":
                return
            if fault and fault.kind == "stall":
                self._stopped.wait()
                return
            more = 1 if fault and fault.kind == "count" else 0
            for _ in range(2 if fault and fault.kind == "again" else 1):
                yield _response(batch, options, more, with_schema=not sent)
        fault = self._fault(len(share))
        if fault and fault.kind == "abort":
            context.abort(fault.code, "the stream broke at its end")

    def _require_token(self, context: Any) -> None:
        given = dict(context.invocation_metadata()).get("authorization", "")
        if given.partition(" ")[2] not in self._service.sign_in.tokens:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not known")

    def _fault(self, sent: int) -> Break | None:
        with self._lock:
            for each in self._service.breaks:
                if each.times and each.after == sent and each.kind not in ("session", "deaf"):
                    each.times -= 1
                    return each
        return None

    def _take(self, kind: str) -> Break | None:
        with self._lock:
            for each in self._service.breaks:
                if each.times and each.kind == kind:
                    each.times -= 1
                    return each
        return None


def _from(share: Sequence[pa.RecordBatch], offset: int) -> Iterator[pa.RecordBatch]:
    for batch in share:
        if offset < batch.num_rows:
            yield batch.slice(offset)
        offset = max(0, offset - batch.num_rows)


def _response(batch: pa.RecordBatch, options: Any, more: int, *, with_schema: bool) -> bytes:
    """The first of a call has the schema too."""
    # A slice is written whole otherwise.
    copied = pa.RecordBatch.from_arrays(
        [pa.concat_arrays([each]) for each in batch.columns], schema=batch.schema
    )
    data = copied.serialize() if options.compression is None else _compressed(copied, options)
    schema = encoded((1, batch.schema.serialize().to_pybytes()))
    fields: list[tuple[int, bytes | int]] = [(8, schema)] if with_schema else []
    return encoded((4, encoded((1, bytes(data)))), (6, batch.num_rows + more), *fields)


def _compressed(batch: pa.RecordBatch, options: Any) -> bytes:
    """One message of a stream, without the schema before it and the end behind it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    reader.read_next_message()
    return bytes(reader.read_next_message().serialize())


@contextmanager
def serving_storage(service: Service) -> Iterator[int]:
    """Serve on the loopback address, within the block; gives the port."""
    stopped = threading.Event()
    reads = _Reads(service, stopped)
    handlers = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(reads.open),
        "ReadRows": grpc.unary_stream_rpc_method_handler(reads.rows),
    }
    with ThreadPoolExecutor(_WORKERS) as pool:
        server = grpc.server(pool, options=[("grpc.max_send_message_length", -1)])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_NAME, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield int(port)
        finally:
            stopped.set()
            server.stop(0).wait()

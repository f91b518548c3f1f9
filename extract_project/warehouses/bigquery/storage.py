"""The Storage Read API: a read session over a table, and the rows of each of its streams.

`BigQueryRead.CreateReadSession` and `BigQueryRead.ReadRows`, over gRPC
(https://cloud.google.com/bigquery/docs/reference/storage/rpc).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
import pyarrow as pa

from extract_project.warehouses.bigquery.messages import message
from extract_project.warehouses.bigquery.names import TableName
from extract_project.warehouses.meaning import understood
from extract_project.warehouses.rest import Http

_SERVICE = "/google.cloud.bigquery.storage.v1.BigQueryRead"
_ARROW, _LZ4 = 2, 1
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # a row may have 100 MB
    ("grpc.enable_retries", 0),  # a stream is resumed where it broke, here
)


@dataclass(frozen=True)
class ReadSession:
    """The streams that have a table's rows, each row in one of them."""

    schema: pa.Schema
    """The schema of each batch."""
    streams: tuple[str, ...]


@dataclass(frozen=True)
class Storage:
    """A connection to the service."""

    http: Http
    """Has the tokens, and the time limits."""
    project: str
    """The project that pays for what is read."""
    channel: Any

    def session(self, table: TableName, streams: int) -> ReadSession:
        """Ask for a session with so many streams at most; raises grpc.RpcError."""
        request = message("CreateReadSessionRequest")(
            parent=f"projects/{self.project}",
            read_session={
                "table": table.path,
                "data_format": _ARROW,
                "read_options": {"arrow_serialization_options": {"buffer_compression": _LZ4}},
            },
            max_stream_count=streams,
        )
        ask = self.channel.unary_unary(
            f"{_SERVICE}/CreateReadSession",
            request_serializer=_serialized,
            response_deserializer=message("ReadSession").FromString,
        )
        answer = ask(
            request,
            timeout=self.http.patience.answer_seconds,
            metadata=self._metadata("read_session.table", table.path),
        )
        with understood("the schema of bigquery's rows"):
            schema = pa.ipc.read_schema(pa.py_buffer(answer.arrow_schema.serialized_schema))
        return ReadSession(schema, tuple(each.name for each in answer.streams))

    def rows(self, stream: str, offset: int) -> Any:
        """Begin to read a stream from a row on; returns the call, which can be cancelled."""
        ask = self.channel.unary_stream(
            f"{_SERVICE}/ReadRows",
            request_serializer=_serialized,
            response_deserializer=message("ReadRowsResponse").FromString,
        )
        request = message("ReadRowsRequest")(read_stream=stream, offset=offset)
        return ask(request, metadata=self._metadata("read_stream", stream))

    def _metadata(self, routed_by: str, value: str) -> tuple[tuple[str, str], ...]:
        """The token, and what the service finds the right place by."""
        token = self.http.tokens.current(self.http.cancellation)
        return (
            ("authorization", f"Bearer {token}"),
            ("x-goog-request-params", f"{routed_by}={quote(value)}"),
        )


@contextmanager
def storage(http: Http, project: str, address: str) -> Iterator[Storage]:
    """Connect; an address of `http://` is not encrypted."""
    protocol, _, target = address.rpartition("://")
    if protocol == "http":
        channel = grpc.insecure_channel(target, _OPTIONS)
    else:
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), _OPTIONS)
    with channel:
        yield Storage(http, project, channel)


def _serialized(request: Any) -> bytes:
    return bytes(request.SerializeToString())

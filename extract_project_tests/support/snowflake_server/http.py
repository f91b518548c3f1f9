"""The HTTP side: routes, authorization headers, and faults."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from extract_project_tests.support.snowflake_server.faults import Fault
from extract_project_tests.support.snowflake_server.service import Reply, Service

_TOKEN = re.compile(r'Snowflake Token="([^"]*)"')
_TRICKLE_SECONDS = 0.02
_LOOK_SECONDS = 0.02
"""How often the server checks whether it should stop; every test waits for this."""
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key"


@dataclass(frozen=True)
class SnowflakeServer:
    """A running server."""

    host: str
    port: int
    service: Service


@contextmanager
def snowflake_server(service: Service, port: int = 0) -> Iterator[SnowflakeServer]:
    """Serve on the loopback address, within the block."""
    http = _Server(("127.0.0.1", port), service)
    service.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=[_LOOK_SECONDS], daemon=True)
    thread.start()
    try:
        yield SnowflakeServer("127.0.0.1", http.server_address[1], service)
    finally:
        http.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        super().__init__(address, _Handler)
        self.service = service
        self.stopped = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one piece: in two, each reply waits some 40 ms for a delayed acknowledgement.
    wbufsize = 1 << 16
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to the terminal."""

    def _answer(self) -> None:
        address = urlsplit(self.path)
        path = re.sub("/+", "/", address.path)  # the connector sends /monitoring/queries//<id>
        body = self._body()
        fault = self.server.service.faults.take(path)
        if fault and fault.kind == "status":
            self._send(b"", fault.status)
            return
        if fault and fault.kind == "silence":
            self.server.stopped.wait()
            self.close_connection = True
            return
        if path.startswith("/chunks/"):
            self._send_chunk(path, fault)
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        reply = self._route(path, query, json.loads(body) if body else {})
        self._send(json.dumps(reply).encode(), fault=fault)

    def _body(self) -> bytes:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data

    def _route(self, path: str, query: dict[str, str], body: Any) -> Reply:
        service, token = self.server.service, self._token()
        if path == "/session/v1/login-request":
            return service.login(body["data"])
        if path == "/session/token-request":
            return service.renew(token)
        if path == "/session" and query.get("delete") == "true":
            return service.end_session(token)
        if path == "/queries/v1/query-request":
            return service.submit(token, query["requestId"], body)
        if found := re.fullmatch(r"/queries/([0-9a-f-]{36})/result", path):
            return service.result(token, found.group(1))
        if found := re.fullmatch(r"/queries/([0-9a-f-]{36})/abort-request", path):
            return service.abort(found.group(1))
        if found := re.fullmatch(r"/monitoring/queries/([0-9a-f-]{36})", path):
            return service.status(found.group(1))
        return {"success": True, "code": None, "message": None, "data": None}

    def _token(self) -> str:
        found = _TOKEN.match(self.headers.get("authorization") or "")
        return found.group(1) if found else ""

    def _send_chunk(self, path: str, fault: Fault | None) -> None:
        query_id, number, generation = path.split("/")[2:]
        body = self.server.service.chunk(query_id, int(number), int(generation))
        if body is None or not self.headers.get(_CUSTOMER_KEY):
            self._send(b"<Error><Code>AccessDenied</Code></Error>", 403)
            return
        if fault and fault.kind == "truncate":
            stream = gzip.decompress(body)
            body = gzip.compress(stream[: len(stream) // 2])
        if fault and fault.kind == "short":
            body = gzip.compress(_without_rows(gzip.decompress(body)))
        self._send(body, encoding="gzip", fault=fault)

    def _send(
        self, body: bytes, status: int = 200, encoding: str = "", fault: Fault | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if encoding:
            self.send_header("content-encoding", encoding)
        self.end_headers()
        if fault and fault.kind in ("drop", "stall", "trickle"):
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            if fault.kind == "trickle":
                self._trickle(body[half:-1])
            if fault.kind == "stall":
                self.server.stopped.wait()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(body)

    def _trickle(self, rest: bytes) -> None:
        """Send a byte now and then, but never the last one."""
        for byte in rest:
            if self.server.stopped.wait(_TRICKLE_SECONDS):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        self.server.stopped.wait()


def _without_rows(stream: bytes) -> bytes:
    schema = pa.ipc.open_stream(stream).schema
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema).close()
    return bytes(sink.getvalue())

"""The HTTP side that doubles of warehouses share: serving, and carrying out faults."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa

from extract_project_tests.support.http_faults import Fault

_TRICKLE_SECONDS = 0.02
_LOOK_SECONDS = 0.02
"""How often the server checks whether it should stop; every test waits for this."""


class DoubleServer(ThreadingHTTPServer):
    """Serves `service`, which its handler knows."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler], service: Any) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.service = service
        self.stopped = threading.Event()


@contextmanager
def serving(port: int, handler: type[BaseHTTPRequestHandler], service: Any) -> Iterator[int]:
    """Serve on the loopback address, within the block; gives the port."""
    http = DoubleServer(port, handler, service)
    service.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=[_LOOK_SECONDS], daemon=True)
    thread.start()
    try:
        yield http.server_address[1]
    finally:
        http.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


class DoubleHandler(BaseHTTPRequestHandler):
    """Sends bodies, whole or not."""

    protocol_version = "HTTP/1.1"
    # Head and body in one piece: in two, each reply waits some 40 ms for a delayed acknowledgement.
    wbufsize = 1 << 16
    server: DoubleServer

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def answer(self) -> None:
        """Answer the request, whatever its method."""
        raise NotImplementedError

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing to the terminal."""

    def refused(self, fault: Fault | None) -> bool:
        """Whether a fault has answered instead of us."""
        if fault and fault.kind == "status":
            headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
            self.send(b"", fault.status, headers)
            return True
        if fault and fault.kind == "silence":
            self.server.stopped.wait()
            self.close_connection = True
            return True
        return False

    def send(
        self,
        body: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
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


def without_rows(stream: bytes) -> bytes:
    """An Arrow stream that has the same schema and ends properly."""
    schema = pa.ipc.open_stream(stream).schema
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema).close()
    return bytes(sink.getvalue())

"""S3 with faults: a reverse proxy that makes the requests fail that a test chooses.

Requests are forwarded byte for byte with the Host header that the client signed, so that their
signatures hold (the server behind it does verify them).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

_ANSWERED_AT_LENGTH = {
    *("GetObject", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"),
    *("CreateMultipartUpload", "CompleteMultipartUpload", "UploadPartCopy"),
}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(StrEnum):
    """What S3, or the network in front of it, does instead of a correct reply."""

    SLOW_DOWN = "503 SlowDown"
    INTERNAL_ERROR = "500 InternalError"
    CONFLICT = "409 ConditionalRequestConflict"
    EXPIRED_TOKEN = "400 ExpiredToken"
    INVALID_ARGUMENT = "400 InvalidArgument"
    NO_SUCH_KEY = "404 NoSuchKey"
    ACCESS_DENIED = "403 AccessDenied"
    ERROR_IN_200 = "200 InternalError"
    """S3 answers 200 at once if its work takes long, and reports the outcome in the body."""
    RESET_BEFORE = "reset before the request is read"
    RESET_REQUEST = "reset in the middle of the request"
    RESET_REPLY = "reset in the middle of the reply"
    LOST_REPLY = "reset after success"
    TRUNCATED = "the end in the middle of the reply"
    DAMAGED = "another byte in the reply"
    STALL = "no answer"

    @property
    def canned(self) -> tuple[int, str] | None:
        """Status and code of an error that S3 answers with instead of doing anything."""
        status, _, code = self.value.partition(" ")
        return (int(status), code) if status.isdigit() else None

    @property
    def is_applied(self) -> bool:
        """Whether S3 has carried out the request, and only its reply is lost."""
        return self in (Fault.RESET_REPLY, Fault.LOST_REPLY, Fault.TRUNCATED)


@dataclass(frozen=True)
class Request:
    """One request as S3 understands it."""

    operation: str
    """S3's name of the operation: `PutObject`, `CompleteMultipartUpload`, …"""
    bucket: str
    key: str
    part: str = ""
    """The number of the part, if the request is about one."""
    prefix: str = ""
    """Of a listing."""
    is_conditional: bool = False
    has_body: bool = False
    kms_key_id: str | None = None
    """The encryption that the request asks for."""

    @property
    def is_answered_at_length(self) -> bool:
        """Whether the reply has a body."""
        return self.operation in _ANSWERED_AT_LENGTH

    def publishes(self, key: str) -> bool:
        """Whether the request makes a new version of the key visible."""
        return self.key == key and self.operation in ("PutObject", "CompleteMultipartUpload")

    def may_suffer(self, fault: Fault) -> bool:
        """Whether this fault can happen to such a request."""
        match fault:
            case Fault.CONFLICT:
                return self.is_conditional
            case Fault.INVALID_ARGUMENT | Fault.NO_SUCH_KEY | Fault.ACCESS_DENIED | Fault.DAMAGED:
                return False  # unless a test knows better
            case Fault.ERROR_IN_200:
                return self.operation in ("CompleteMultipartUpload", "UploadPartCopy")
            case Fault.RESET_REQUEST:
                return self.has_body
            case Fault.TRUNCATED:
                return self.is_answered_at_length
            case _:
                return True

    @classmethod
    def parse(cls, method: str, path: str, headers: dict[str, str]) -> Request:
        split = urlsplit(path)
        query = parse_qs(split.query, keep_blank_values=True)
        bucket, _, key = unquote(split.path).lstrip("/").partition("/")
        operation = _operation(method, key, query, "x-amz-copy-source" in headers)
        return cls(
            operation=operation,
            bucket=bucket,
            key=key,
            part=query.get("partNumber", [""])[0],
            prefix=query.get("prefix", [""])[0],
            is_conditional=not {"if-match", "if-none-match"}.isdisjoint(headers),
            has_body=headers.get("content-length", "0") != "0",
            kms_key_id=(
                headers.get("x-amz-server-side-encryption-aws-kms-key-id")
                if headers.get("x-amz-server-side-encryption") == "aws:kms"
                else None
            ),
        )


def _operation(method: str, key: str, query: dict[str, list[str]], copies: bool) -> str:
    if not key and method == "POST":
        return "DeleteObjects"
    if not key:
        names = {
            "uploads": "ListMultipartUploads",
            "versions": "ListObjectVersions",
            "versioning": "GetBucketVersioning",
        }
        return next((name for word, name in names.items() if word in query), "ListObjectsV2")
    in_upload = "uploadId" in query
    if method == "PUT" and "legal-hold" in query:
        return "PutObjectLegalHold"
    if method == "PUT":
        return ("UploadPart" if in_upload else "PutObject") + ("Copy" if copies else "")
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if method == "DELETE":
        return "AbortMultipartUpload" if in_upload else "DeleteObject"
    return "HeadObject" if method == "HEAD" else "GetObject"


Choose = Callable[[Request], Fault | None]
Answered = Callable[[Request], None]


class FaultProxy:
    """The running proxy. The function that chooses faults may itself send requests."""

    def __init__(self, server: ThreadingHTTPServer, upstream: str) -> None:
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        self.upstream = upstream
        self.seen: list[Request] = []
        self.spoilt: list[tuple[Request, Fault]] = []
        self.connections = 0
        """The number of clients that are connected, or whose request S3 still processes."""
        self._choose: Choose | None = None
        self._answered: Answered | None = None
        self._lock = threading.Lock()

    @contextmanager
    def choosing(self, choose: Choose, answered: Answered | None = None) -> Iterator[None]:
        """Within the block, choose a fault for each request; earlier requests are forgotten.

        `answered` is called when S3 has answered one, and before the client knows.
        """
        with self._lock:
            self.seen, self.spoilt, self._choose = [], [], choose
            self._answered = answered
        try:
            yield
        finally:
            with self._lock:
                self._choose = self._answered = None

    def connected(self, change: Literal[1, -1]) -> None:
        with self._lock:
            self.connections += change

    def answered(self, request: Request) -> None:
        with self._lock:
            answered = self._answered
        if answered:
            answered(request)

    def asked(self, request: Request) -> Fault | None:
        with self._lock:
            self.seen.append(request)
            choose = self._choose
        fault = choose(request) if choose else None
        if fault:
            self.spoilt.append((request, fault))
        return fault


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy in front of the S3 server at `upstream`, without faults until some are chosen."""

    class Handler(_Handler):
        @property
        def proxy(self) -> FaultProxy:
            return proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    proxy = FaultProxy(server, upstream.removeprefix("http://"))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="fault proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with its own connection to S3."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: HTTPConnection | None = None

    @property
    def proxy(self) -> FaultProxy:
        raise NotImplementedError

    def setup(self) -> None:
        super().setup()
        self.proxy.connected(1)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to the terminal."""

    def handle_expect_100(self) -> bool:
        return True  # answered when the body is read, if it is

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):
            super().handle_one_request()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request.parse(self.command, self.path, headers)
        fault = self.proxy.asked(request)
        if fault is Fault.RESET_BEFORE:
            self._reset()
            return
        if "expect" in headers:
            self.send_response_only(100)
            self.end_headers()
        size = int(headers.get("content-length", "0"))
        if fault is Fault.RESET_REQUEST:
            self.rfile.read(size // 2)
            self._reset()
            return
        body = self.rfile.read(size)
        if fault is Fault.STALL:
            self.rfile.read(1)  # until the client gives up
            self.close_connection = True
        elif fault and fault.canned:
            self._refuse(*fault.canned)
        else:
            self._forward(request, body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _forward(self, request: Request, body: bytes, fault: Fault | None) -> None:
        reply, content = self._ask(body)
        if fault is Fault.DAMAGED and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.proxy.answered(request)
        if fault is Fault.LOST_REPLY:
            self._reset()
            return
        if fault is Fault.RESET_REPLY and not content:
            self.wfile.write(b"HTTP/1.1 ")
            self._reset()
            return
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = reply.getheader("content-length") if self.command == "HEAD" else len(content)
        if reply.status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if fault in (Fault.RESET_REPLY, Fault.TRUNCATED):
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)
        if fault is Fault.RESET_REPLY:
            self._reset()

    def _ask(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        self._upstream = self._upstream or HTTPConnection(self.proxy.upstream, timeout=60)
        self._upstream.putrequest(
            self.command, self.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                self._upstream.putheader(name, value)
        self._upstream.endheaders(body or None)
        reply = self._upstream.getresponse()
        return reply, reply.read()

    def _refuse(self, status: int, code: str) -> None:
        content = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
            f"<Message>injected</Message></Error>"
        ).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self) -> None:
        """Close with RST instead of FIN, as a crashing machine or a middlebox does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        if self._upstream:
            self._upstream.close()
        with suppress(OSError, ValueError):
            super().finish()
        self.proxy.connected(-1)

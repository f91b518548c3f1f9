"""STS: gives short-lived credentials for roles, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

_GIVEN = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE{number}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""
_DENIED = """<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>
<Message>not authorized</Message></Error></ErrorResponse>"""


@dataclass
class Sts:
    """The running service."""

    endpoint: str
    lifetime: timedelta = timedelta(hours=1)
    denies: bool = False
    code: str = "AccessDenied"
    """Of the error with which it denies."""
    asked: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def sts_server() -> Iterator[Sts]:
    """Serve on the loopback address while in the block."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sts.asked.append(dict(parse_qsl(body)))
            expiration = datetime.now(UTC) + sts.lifetime
            given = _GIVEN.format(number=len(sts.asked), expiration=expiration)
            reply = (_DENIED.format(code=sts.code) if sts.denies else given).encode()
            self.send_response(403 if sts.denies else 200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sts = Sts(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="STS")
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

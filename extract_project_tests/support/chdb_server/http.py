"""The HTTP side: parameters of the URL, chunks, and errors before and within them."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

from extract_project_tests.support.chdb_server.engine import EngineError
from extract_project_tests.support.chdb_server.service import Asked, Cut, Service
from extract_project_tests.support.http_double import DoubleHandler

_VERSION = " (version 26.9.2.1 (official build))"
_CODE = re.compile(r"Code: (\d+)\.")
_NOT_SETTINGS = ("default_format", "query_id", "database")
_STATUS = {"516": 403, "60": 404, "81": 404}


class Handler(DoubleHandler):
    """One connection."""

    def answer(self) -> None:
        service: Service = self.server.service
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = service.faults.take(self.path)
        if self.refused(fault):
            return
        user, key = (self.headers.get(f"X-ClickHouse-{each}", "") for each in ("User", "Key"))
        if service.users.get(user) != key:
            message = (
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, "
                f"or there is no user with such name. (AUTHENTICATION_FAILED)"
            )
            self._send_error(message)
            return
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        asked = Asked(
            body.decode(),
            given.get("query_id", ""),
            given.get("default_format", "TabSeparated"),
            {
                name: value
                for name, value in given.items()
                if name not in _NOT_SETTINGS and not name.startswith("param_")
            },
            {
                name.removeprefix("param_"): value
                for name, value in given.items()
                if name.startswith("param_")
            },
            user,
        )
        with suppress(BrokenPipeError, ConnectionError):
            self._stream(service, asked)

    def _stream(self, service: Service, asked: Asked) -> None:
        pieces = service.answer(asked)
        begun = False
        if service.cut and asked.form == "ArrowStream":
            self._cut(asked, service.cut, b"".join(pieces))
            return
        try:
            for piece in pieces:
                if not begun:
                    begun = True
                    self._begin(asked)
                self._chunk(piece)
            if not begun:
                self._begin(asked)
            self.wfile.write(b"0\r\n\r\n")
        except EngineError as error:
            if not begun:
                self._send_error(str(error))
                return
            self._chunk(f"\r\n__exception__\r\n{error}{_VERSION}\r\n".encode())
            self._break_off()
        finally:
            pieces.close()  # type: ignore[attr-defined]

    def _cut(self, asked: Asked, cut: Cut, body: bytes) -> None:
        self._begin(asked)
        self._chunk(body[: cut.after])
        if cut.how == "ended":
            self.wfile.write(b"0\r\n\r\n")
            return
        if cut.how == "error":
            message = "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 9.00 GiB."
            said = f"{message} (MEMORY_LIMIT_EXCEEDED){_VERSION}"
            self._chunk(f"\r\n__exception__\r\nabcdefghijklmnop\r\n{said}\n".encode())
        self._break_off()

    def _begin(self, asked: Asked) -> None:
        self.send_response(200)
        self.send_header("X-ClickHouse-Query-Id", asked.query_id)
        self.send_header("X-ClickHouse-Format", asked.form)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")
            self.wfile.flush()

    def _break_off(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _send_error(self, message: str) -> None:
        code = (_CODE.search(message) or ["", "0"])[1]
        self.send(
            f"{message}{_VERSION}\n".encode(),
            _STATUS.get(code, 500),
            {"X-ClickHouse-Exception-Code": code},
        )

"""A proxy: it speaks as Redshift does to the client, and as a client to PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.support.redshift_server import rules, wire
from extract_project_tests.support.redshift_server.unload import (
    UNLOAD,
    Sent,
    UnloadError,
    Unloading,
)

USER, PASSWORD = "loader", "hunter2"
_CHUNK = 1 << 16
_TYPES = {17: 6551, 25: 1043, 114: 4000, 3802: 4000, 2950: 1043}
"""PostgreSQL's types as Redshift's: bytea, text, json, jsonb, uuid."""
_VARBYTE = 6551
_PARAMETERS = {b"client_encoding": b"UNICODE", b"server_version": b"8.0.2"}
_MD5, _DIGEST = 5, 13
_INTERNAL = "XX000"
_FIELD = struct.Struct("!ihihih")


@dataclass
class RedshiftServer:
    """The proxy, what it was asked, and the faults that a test sets."""

    postgres: PostgresWarehouse
    port: int
    passwords: dict[str, str] = field(default_factory=lambda: {USER: PASSWORD})
    digests: set[str] = field(default_factory=set)
    """Users whose passwords are kept as SHA-256."""
    role: str = "postgres"
    """The role of PostgreSQL as which everybody signs in."""
    statements: list[str] = field(default_factory=list)
    breaks_after_rows: int | None = None
    """After so many rows, connections end."""
    forgets_the_end: bool = False
    """Whether a result has no CommandComplete."""
    hears_no_cancel: bool = False
    """Whether requests to cancel get lost."""
    types: dict[int, int] = field(default_factory=dict)
    """Types to describe as another one."""
    tls: ssl.SSLContext | None = None
    unloading: Unloading = field(default_factory=Unloading)


@contextmanager
def redshift_server(
    postgres: PostgresWarehouse, certificate: Path | None = None
) -> Iterator[RedshiftServer]:
    """Serve until left, before a running PostgreSQL; with a certificate, over TLS too."""
    rules.prepare(postgres)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RedshiftServer(postgres, listener.getsockname()[1])
        if certificate is not None:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(certificate)
        threading.Thread(target=_accept, args=[listener, server], daemon=True).start()
        yield server


def _accept(listener: socket.socket, server: RedshiftServer) -> None:
    with suppress(OSError):  # the listener was closed
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=[client, server], daemon=True).start()


def _serve(client: socket.socket, server: RedshiftServer) -> None:
    with suppress(OSError), client:
        code, content = wire.read_startup(client)
        while code in (wire.SSL_REQUEST, wire.GSS_REQUEST):
            if code == wire.SSL_REQUEST and server.tls is not None:
                client.sendall(b"S")
                client = server.tls.wrap_socket(client, server_side=True)
            else:
                client.sendall(b"N")
            code, content = wire.read_startup(client)
        with client, _postgres(server) as behind:
            if code == wire.CANCEL_REQUEST and server.hears_no_cancel:
                return
            if code == wire.CANCEL_REQUEST:
                behind.sendall(struct.pack("!ii", 8 + len(content), code) + content)
                behind.recv(1)
            elif _signed_in(client, behind, wire.parameters_of(content), server):
                _Session(client, behind, server).forward()


def _postgres(server: RedshiftServer) -> socket.socket:
    behind = socket.socket(socket.AF_UNIX)
    behind.connect(str(Path(server.postgres.host) / f".s.PGSQL.{server.postgres.port}"))
    return behind


def _signed_in(
    client: socket.socket, behind: socket.socket, asked: dict[str, str], server: RedshiftServer
) -> bool:
    user, salt = asked["user"], os.urandom(4)
    if user in server.digests:
        client.sendall(wire.authentication(_DIGEST, bytes(12)))
        return False
    client.sendall(wire.authentication(_MD5, salt))
    _, given = wire.read_message(client)
    known = server.passwords.get(user, "")
    inner = hashlib.md5(f"{known}{user}".encode()).hexdigest()
    if given.rstrip(b"\0").decode() != f"md5{hashlib.md5(inner.encode() + salt).hexdigest()}":
        text = f'password authentication failed for user "{user}"'
        client.sendall(wire.error("FATAL", "28000", text))
        return False
    behind.sendall(
        wire.startup(
            {
                "user": server.role,
                "database": server.postgres.database,
                "application_name": asked.get("application_name", ""),
                "client_encoding": "UTF8",
                "search_path": '"$user", public, redshift',
            }
        )
    )
    return True


@dataclass
class _Unload:
    """An unload that is under way."""

    found: re.Match[str]
    columns: list[Sent] = field(default_factory=list)
    rows: list[list[bytes | None]] = field(default_factory=list)


class _Session:
    """One connection, in one thread: TLS of Python's does not allow for two."""

    def __init__(
        self, client: socket.socket, behind: socket.socket, server: RedshiftServer
    ) -> None:
        self._client, self._behind, self._server = client, behind, server
        self._refused: list[bytes] = []
        self._varbytes: list[int] = []
        self._rows = 0
        self._unload: _Unload | None = None

    def forward(self) -> None:
        asked, answered = wire.Messages(), wire.Messages()
        while True:
            ready, _, _ = select.select([self._client, self._behind], [], [])
            for source in ready:
                data = source.recv(_CHUNK)
                if isinstance(source, ssl.SSLSocket):
                    while source.pending():
                        data += source.recv(_CHUNK)
                if not data:
                    return
                if source is self._client:
                    sent = b"".join(self._asked(*each) for each in asked.feed(data))
                    self._behind.sendall(sent)
                else:
                    self._answer(answered.feed(data))

    def _asked(self, kind: bytes, content: bytes) -> bytes:
        if kind == b"P":
            name, text, rest = content.split(b"\0", 2)
            return wire.message(kind, name + b"\0" + self._statement(text) + b"\0" + rest)
        if kind == b"Q":
            return wire.message(kind, self._statement(content.rstrip(b"\0")) + b"\0")
        return wire.message(kind, content)

    def _statement(self, text: bytes) -> bytes:
        statement = text.decode()
        self._server.statements.append(statement)
        refused = rules.refusal(statement)
        if refused:
            # PostgreSQL refuses this too, and its transaction is then what Redshift's would be.
            self._refused.append(wire.error("ERROR", *refused))
            return b"refused"
        unload = UNLOAD.fullmatch(statement)
        if unload:
            try:
                query = self._server.unloading.require(unload)
            except UnloadError as error:
                self._refused.append(wire.error("ERROR", _INTERNAL, str(error)))
                return b"refused"
            self._unload = _Unload(unload)
            return query.encode()
        return rules.rewritten(statement).encode()

    def _answer(self, messages: Iterator[tuple[bytes, bytes]]) -> None:
        """Send whole messages, up to the place where the connection breaks."""
        sent = bytearray()
        for kind, content in messages:
            sent += self._answered(kind, content)
            if kind == b"D":
                self._rows += 1
                if self._rows == self._server.breaks_after_rows:
                    self._client.sendall(sent)
                    raise ConnectionError("broken on purpose")
        self._client.sendall(sent)

    def _answered(self, kind: bytes, content: bytes) -> bytes:
        if self._unload is not None and kind in (b"T", b"D", b"C", b"E"):
            return self._unloaded(self._unload, kind, content)
        if kind == b"T":
            content = self._columns(content)
        elif kind == b"D" and self._varbytes:
            content = self._row(content)
        elif kind == b"C" and content.startswith(b"SELECT"):
            if self._server.forgets_the_end:
                return b""
            content = b"SELECT\0"
        elif kind == b"S":
            name, _, _ = content.split(b"\0", 2)
            if name in _PARAMETERS:
                content = name + b"\0" + _PARAMETERS[name] + b"\0"
        elif kind == b"E" and self._refused:
            return self._refused.pop(0)
        return wire.message(kind, content)

    def _unloaded(self, unload: _Unload, kind: bytes, content: bytes) -> bytes:
        """Take the rows of an unload, and say how it has ended."""
        if kind == b"T":
            unload.columns = list(_described(content))
            return wire.message(b"n")
        if kind == b"D":
            unload.rows.append(_values(content))
            return b""
        self._unload = None
        if kind == b"E":
            return wire.message(kind, content)
        try:
            self._server.unloading.write(unload.found, unload.columns, unload.rows)
        except UnloadError as error:
            return wire.error("ERROR", _INTERNAL, str(error))
        return wire.message(b"C", b"UNLOAD\0")

    def _columns(self, content: bytes) -> bytes:
        """A RowDescription with Redshift's types."""
        found, at = bytearray(content[:2]), 2
        self._varbytes = []
        for number in range(_count(content)):
            end = content.index(b"\0", at) + 1
            table, column, kind, size, modifier, form = _FIELD.unpack_from(content, end)
            kind = _TYPES.get(kind, kind)
            kind = self._server.types.get(kind, kind)
            if kind == _VARBYTE:
                self._varbytes.append(number)
            found += content[at:end] + _FIELD.pack(table, column, kind, size, modifier, form)
            at = end + _FIELD.size
        return bytes(found)

    def _row(self, content: bytes) -> bytes:
        """A DataRow whose values of VARBYTE are digits without a prefix."""
        found = bytearray(content[:2])
        for number, value in enumerate(_values(content)):
            sent = value
            if value is not None and number in self._varbytes:
                sent = value.removeprefix(b"\\x")
            found += struct.pack("!i", -1 if sent is None else len(sent)) + (sent or b"")
        return bytes(found)


def _count(content: bytes) -> int:
    return int(struct.unpack_from("!h", content)[0])


def _described(content: bytes) -> Iterator[Sent]:
    """The columns of a RowDescription."""
    at = 2
    for _ in range(_count(content)):
        end = content.index(b"\0", at)
        _, _, kind, _, modifier, _ = _FIELD.unpack_from(content, end + 1)
        yield Sent(content[at:end].decode(), kind, modifier)
        at = end + 1 + _FIELD.size


def _values(content: bytes) -> list[bytes | None]:
    """The values of a DataRow."""
    found, at = list[bytes | None](), 2
    for _ in range(_count(content)):
        (length,) = struct.unpack_from("!i", content, at)
        found.append(None if length < 0 else content[at + 4 : at + 4 + length])
        at += 4 + max(length, 0)
    return found

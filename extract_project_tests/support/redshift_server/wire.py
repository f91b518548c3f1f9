"""Messages of PostgreSQL's protocol, version 3."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
VERSION_3 = 196608
_HEAD = struct.Struct("!ci")
_INT = struct.Struct("!i")


class Messages:
    """Cuts what arrives into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The kind and the content of each message that is whole."""
        self._bytes += data
        at = 0
        while len(self._bytes) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._bytes, at)
            if len(self._bytes) - at < length + 1:
                break
            yield kind, bytes(self._bytes[at + _HEAD.size : at + length + 1])
            at += length + 1
        del self._bytes[:at]


def message(kind: bytes, content: bytes = b"") -> bytes:
    return _HEAD.pack(kind, len(content) + 4) + content


def error(severity: str, code: str, text: str) -> bytes:
    """An ErrorResponse."""
    fields = {"S": severity, "C": code, "M": text}
    return message(b"E", b"".join(f"{k}{v}\0".encode() for k, v in fields.items()) + b"\0")


def authentication(code: int, more: bytes = b"") -> bytes:
    return message(b"R", _INT.pack(code) + more)


def startup(parameters: Mapping[str, str]) -> bytes:
    content = b"".join(f"{k}\0{v}\0".encode() for k, v in parameters.items()) + b"\0"
    return _INT.pack(len(content) + 8) + _INT.pack(VERSION_3) + content


def read_startup(sock: socket.socket) -> tuple[int, bytes]:
    """The code and the content of a message before the protocol has begun."""
    (length,) = _INT.unpack(exactly(sock, 4))
    (code,) = _INT.unpack(exactly(sock, 4))
    return code, exactly(sock, length - 8)


def read_message(sock: socket.socket) -> tuple[bytes, bytes]:
    kind, length = _HEAD.unpack(exactly(sock, _HEAD.size))
    return kind, exactly(sock, length - 4)


def exactly(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = sock.recv(size - len(found))
        if not more:
            raise ConnectionError("the other side has closed the connection")
        found += more
    return found


def parameters_of(content: bytes) -> dict[str, str]:
    words = content.rstrip(b"\0").decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=True))

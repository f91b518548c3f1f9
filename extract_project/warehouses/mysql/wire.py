"""The socket to a MySQL or MariaDB server, and the packets on it.

A packet has a header of four bytes: the length of its payload, and a number that counts the packets
of one exchange. A payload of 16 MiB or more is cut into several packets. (MySQL's "Client/Server
Protocol" and MariaDB's "Clientserver Protocol" agree in all that is used here.)

Every wait is on the socket and ends within half a second, so that signal handlers run and a cancel
is noticed. A connection that ends, and a packet whose number is not the next one, are a `Lost`:
what has arrived until then is never taken for the whole.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from extract_project.memory import require_room

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WAIT_SECONDS = 0.5
_BLOCK_BYTES = 1 << 20
_HEADER = 4
_SPLIT = (1 << 24) - 1
"""The length of a packet whose payload continues in the next one."""
_ERROR = b"\xff"
_HEADER_AT = Struct("<I").unpack_from
LONG_ROW_BYTES = 4 << 20
"""For a row of this many bytes, room in memory is required before it is read."""
PADDING = 16
"""Bytes behind a block, so that a fixed number of bytes can be read from any place in a row."""


class Lost(Exception):
    """The connection is lost, or what arrives is not the protocol."""


@dataclass(frozen=True)
class Block:
    """Rows as they were sent: each is `data[start:end]`. `data` ends with `PADDING` bytes."""

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)


class Wire:
    """One connection. `pause` is called between two waits, and raises to give up."""

    def __init__(self, connected: socket.socket, pause: Callable[[], None]) -> None:
        connected.settimeout(_WAIT_SECONDS)
        self._socket = connected
        self.pause = pause
        self._arrived = bytearray()
        self._number = 0

    @property
    def is_encrypted(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket)

    @property
    def is_local(self) -> bool:
        """Whether it is a Unix socket, whose other end is on this machine."""
        return self._socket.family == socket.AF_UNIX

    def encrypt(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Begin TLS; raises OSError, of which ssl.SSLError is one."""
        self._socket.settimeout(seconds)
        self._socket = context.wrap_socket(self._socket, server_hostname=host)
        self._socket.settimeout(_WAIT_SECONDS)

    def close(self) -> None:
        self._socket.close()

    def command(self, payload: bytes) -> None:
        """Begin an exchange with this payload."""
        self._number = 0
        self.send(payload)

    def send(self, payload: bytes) -> None:
        """Send a payload as the next packet, or packets, of this exchange."""
        for at in range(0, len(payload) + 1, _SPLIT):
            part = payload[at : at + _SPLIT]
            self._write(len(part).to_bytes(3, "little") + bytes((self._number,)) + part)
            self._advance(1)

    def receive(self) -> bytearray:
        """The payload of the next packet, or packets."""
        payload = bytearray()
        while True:
            word = _HEADER_AT(self._take(_HEADER), 0)[0]
            size, number = word & _SPLIT, word >> 24
            part = self._take(size)
            # Whatever number an error has: a server that ends sends it without being asked.
            if number != self._number and part[:1] != _ERROR:
                raise Lost(f"packet {number} arrived, and packet {self._number} was expected")
            self._advance(1)
            payload = payload + part if payload else part
            if size < _SPLIT:
                return payload
            require_row_room(len(payload))

    def rows(self) -> Iterator[Block]:
        """The packets that begin with a zero byte, as the rows of a prepared statement do.

        What follows them is left to be received. A block has about a mebibyte of whole rows; a row
        that is longer is a block by itself.
        """
        rest = bytearray()
        while True:
            self.pause()
            memory = bytearray(_BLOCK_BYTES + PADDING)
            memory[: len(rest)] = rest
            starts, end, filled, is_last = self._fill(memory, len(rest))
            rest = memory[end:filled]
            if starts:
                yield self._block(memory, starts, end)
            elif not is_last:
                self._arrived, rest = rest, bytearray()
                yield self._long_row()
            if is_last:
                self._arrived = rest
                return

    def _fill(self, memory: bytearray, filled: int) -> tuple[list[int], int, int, bool]:
        """Read rows until the memory is full, or the next packet is no row, or does not fit.

        Returns where each row begins, where the last one ends, how many bytes were read, and
        whether no row follows.
        """
        starts: list[int] = []
        at = size = 0
        view = memoryview(memory)
        while True:
            while filled - at > _HEADER:
                begin = at + _HEADER
                size = _HEADER_AT(memory, at)[0] & _SPLIT
                if memory[begin] or not size:
                    return starts, at, filled, True
                if begin + size > filled:
                    break
                starts.append(begin)
                at = begin + size
            is_long = filled - at > _HEADER and size > _BLOCK_BYTES - _HEADER
            if is_long or filled == _BLOCK_BYTES:
                return starts, at, filled, False
            filled += self._read(view[filled:_BLOCK_BYTES])

    def _block(self, memory: bytearray, starts: list[int], end: int) -> Block:
        import numpy as np

        data = np.frombuffer(memory, np.uint8)
        begins = np.array(starts, np.int64)
        numbers = (self._number + np.arange(len(starts))) & 255
        if (data[begins - 1] != numbers).any():
            raise Lost("a row's packet does not have the next number")
        self._advance(len(starts))
        return Block(data, begins, np.append(begins[1:] - _HEADER, end))

    def _long_row(self) -> Block:
        import numpy as np

        require_row_room(_HEADER_AT(self._arrived, 0)[0] & _SPLIT)
        row = self.receive()
        size = len(row)
        row += bytes(PADDING)
        return Block(np.frombuffer(row, np.uint8), np.array([0]), np.array([size]))

    def _advance(self, packets: int) -> None:
        self._number = (self._number + packets) & 255

    def _take(self, size: int) -> bytearray:
        """Take `size` bytes: first those that have been read already, then the next ones."""
        taken = bytearray(size)
        have = min(size, len(self._arrived))
        taken[:have] = self._arrived[:have]
        del self._arrived[:have]
        view = memoryview(taken)
        while have < size:
            have += self._read(view[have:])
        return taken

    def _read(self, memory: memoryview) -> int:
        """Wait for bytes and read some of them, at least one."""
        while True:
            try:
                size = self._socket.recv_into(memory)
            except TimeoutError:
                self.pause()
                continue
            except OSError as error:
                raise Lost(str(error)) from error
            if not size:
                raise Lost("the server closed the connection")
            return size

    def _write(self, packet: bytes) -> None:
        view = memoryview(packet)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                self.pause()
            except OSError as error:
                raise Lost(str(error)) from error


def require_row_room(size: int) -> None:
    """Raise OutOfMemory if there is no room for three times so many bytes, which a row takes."""
    if size > LONG_ROW_BYTES:
        require_room(
            3 * size,
            f"a row has {size >> 20:,} MiB or more: reading such a row",
            "select less of its longest value",
        )

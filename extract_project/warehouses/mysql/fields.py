"""Read and write the fields of packets: numbers and texts with their length in front."""

from __future__ import annotations

from extract_project.warehouses.mysql.wire import Lost

_ONE_BYTE = 251
_NULL, _TWO, _THREE, _EIGHT = 251, 252, 253, 254
_BYTES = {_TWO: 2, _THREE: 3, _EIGHT: 8}


def length_encoded(data: bytes) -> bytes:
    """A text with its length in front."""
    size = len(data)
    if size < _ONE_BYTE:
        return bytes((size,)) + data
    for mark, width in _BYTES.items():
        if size < 1 << 8 * width:
            return bytes((mark,)) + size.to_bytes(width, "little") + data
    raise OverflowError(size)


class Fields:
    """Reads a payload from its beginning to its end; raises Lost if it is malformed."""

    def __init__(self, payload: bytes | bytearray, at: int = 0) -> None:
        self._payload = payload
        self._at = at

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._payload)

    def number(self, width: int) -> int:
        """A number of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def take(self, size: int) -> bytes:
        found = self._payload[self._at : self._at + size]
        if len(found) < size:
            raise Lost("a packet ends before its last field")
        self._at += size
        return bytes(found)

    def until_zero(self) -> bytes:
        """A text that ends with a zero byte, or with the payload."""
        end = self._payload.find(b"\0", self._at)
        size = (len(self._payload) if end < 0 else end) - self._at
        found = self.take(size)
        self._at += 1
        return found

    def rest(self) -> bytes:
        return self.take(max(0, len(self._payload) - self._at))

    def length(self) -> int | None:
        """A number of one to nine bytes; None stands for NULL."""
        first = self.number(1)
        if first < _ONE_BYTE:
            return first
        if first == _NULL:
            return None
        if first not in _BYTES:
            raise Lost("a packet has an invalid length field")
        return self.number(_BYTES[first])

    def value(self) -> bytes | None:
        """Bytes with their length in front; None is NULL."""
        size = self.length()
        return None if size is None else self.take(size)

    def text(self) -> str:
        """Text with its length in front; NULL becomes empty."""
        return (self.value() or b"").decode(errors="replace")

"""Protocol Buffers' wire format by hand (https://protobuf.dev/programming-guides/encoding/)."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
Value = int | bytes


def encoded(*fields: tuple[int, Value | str]) -> bytes:
    """A message of fields, each with its number."""
    message = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            message += _varint(number << 3 | _VARINT) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            message += _varint(number << 3 | _LENGTH) + _varint(len(data)) + data
    return bytes(message)


def decoded(message: bytes) -> dict[int, Value]:
    """The fields of a message by number; of several with one number, the last."""
    return dict(_fields(message))


def text(message: dict[int, Value], number: int) -> str:
    value = message.get(number, b"")
    assert isinstance(value, bytes)
    return value.decode()


def inner(message: dict[int, Value], number: int) -> dict[int, Value]:
    value = message.get(number, b"")
    assert isinstance(value, bytes)
    return decoded(value)


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield key >> 3, value
            continue
        length, at = (
            _read_varint(message, at)
            if kind == _LENGTH
            else (
                {_FIXED64: 8, _FIXED32: 4}[kind],
                at,
            )
        )
        yield key >> 3, message[at : at + length]
        at += length


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at

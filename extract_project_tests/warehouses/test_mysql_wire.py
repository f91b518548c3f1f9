"""Rows of MySQL's binary protocol in packets that are cut anywhere, and packets that are wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from random import Random

import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError
from extract_project.sql.query import Query
from extract_project.warehouses.mysql.columns import Column
from extract_project.warehouses.mysql.types import mysql_columns
from extract_project.warehouses.mysql.wire import Lost, Wire

TEXT = Column("c", 253, 0, 45, 4000, 0, None)
INT, DATE, MOMENT = (Column("n", kind, 0, 63, 11, 0, None) for kind in (3, 10, 12))
END = b"\xfe\0\0\2\0"
WHOLE = (1 << 24) - 1


def packets(*payloads: bytes, number: int = 0) -> bytes:
    """The payloads as packets that follow each other."""
    sent = bytearray()
    for payload in payloads:
        for at in range(0, len(payload) + 1, WHOLE):
            part = payload[at : at + WHOLE]
            sent += len(part).to_bytes(3, "little") + bytes((number,)) + part
            number = (number + 1) & 255
    return bytes(sent)


def row(text: bytes) -> bytes:
    """A row of one text."""
    size = len(text)
    head = bytes((size,)) if size < 251 else b"\xfe" + size.to_bytes(8, "little")
    return b"\0\0" + head + text


@contextmanager
def wire(data: bytes, piece: int = 1 << 20) -> Iterator[Wire]:
    """A connection whose other end has sent the data in pieces, and then ends."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        with theirs, suppress(OSError):  # we have read enough
            for at in range(0, len(data), piece):
                theirs.sendall(data[at : at + piece])

    sending = threading.Thread(target=send)
    sending.start()
    with ours:
        yield Wire(ours, lambda: None)
    sending.join()


def texts(found: Wire) -> list[bytes]:
    columns = mysql_columns([TEXT], Query(""))
    batches = [columns.convert(block, 0) for block in found.rows()]
    return [value.encode() for batch in batches for value in batch.column(0).to_pylist()]


def test_g5_rows_arrive_whole_wherever_they_are_cut() -> None:
    """Rows of all sizes, in pieces of all sizes, around the ends of blocks and of packets."""
    chosen = Random(5)
    mib = 1 << 20
    sizes = [
        chosen.choice((0, 1, 250, 251, 700, 65_536, mib - 40, mib, 3 * mib)) for _ in range(60)
    ]
    sizes += [WHOLE - 12, WHOLE - 11, WHOLE - 10, WHOLE + 5, 0]
    sent = [bytes((97 + size % 26,)) * size for size in sizes]
    data = packets(*map(row, sent), END)
    for piece in (65_521, len(data)):
        with wire(data, piece) as found:
            assert texts(found) == sent
            assert found.receive() == END
    with wire(packets(*[row(b"x")] * 3, END), 1) as found:
        assert texts(found) == [b"x"] * 3


@pytest.mark.parametrize(
    "data",
    [
        packets(row(b"a")) + packets(row(b"b"), number=2),
        packets(row(b"a")) + packets(row(b"b"), number=0),
        packets(row(b"a"), row(b"b")) + packets(END, number=3),
        packets(row(b"a" * (WHOLE + 9)))[: WHOLE + 4] + packets(b"aaa", number=2),
        packets(row(b"a"), row(b"b")),
        packets(row(b"a"), row(b"b"))[:-1],
        packets(row(b"a"), row(b"b")) + b"\x05",
        packets(row(b"a"), row(b"b")) + END[:3],
    ],
    ids=["skipped", "again", "end", "part", "none", "cut", "header", "cut end"],
)
def test_g5_a_packet_that_is_missing_or_cut_is_noticed(data: bytes) -> None:
    def read(found: Wire) -> None:
        texts(found)
        found.receive()

    with wire(data) as found, pytest.raises(Lost):
        read(found)


@pytest.mark.parametrize(
    "payload",
    [
        *(b"\0\0\5abcd", b"\0\0\1abcd", b"\0\0\xfc\xff\xffabc", b"\0\0\xfc", b"\0\0", b"\0"),
        *(b"\0\0\xfe" + bytes([0xFF] * 7) + last + b"abc" for last in (b"\x7f", b"\xff", b"\x80")),
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("kinds", [[TEXT], [DATE], [INT, TEXT], [TEXT, INT], [TEXT, MOMENT]])
def test_g5_a_row_that_is_not_what_was_described_is_noticed(
    payload: bytes, kinds: list[Column]
) -> None:
    """And nothing beyond it is read."""
    named = [replace(each, name=f"{each.name}{i}") for i, each in enumerate(kinds)]
    columns = mysql_columns(named, Query(""))
    with wire(packets(payload, END)) as found:
        (block,) = found.rows()
        with pytest.raises(Lost):
            columns.convert(block, 0)


@pytest.mark.parametrize("length", [1, 8, 9, 12, 63, 64])
def test_g5_a_bit_has_as_many_bytes_as_it_needs(length: int) -> None:
    """MariaDB has sent a computed one as text: what has other bytes is not taken for a number."""
    columns = mysql_columns([Column("b", 16, 1 << 5, 63, length, 0, None)], Query(""))
    size = -(-length // 8)
    largest = (1 << min(length, 63)) - 1
    rows = [row(largest.to_bytes(size)), b"\0\4", row(bytes(size))]
    with wire(packets(*rows, END)) as found:
        (block,) = found.rows()
        expected = [largest, None, 0] if length > 1 else [True, None, False]
        assert columns.convert(block, 0).column(0).to_pylist() == expected
    for other in (size - 1, size + 1):
        with wire(packets(*rows, row(bytes(other)), END)) as found:
            (block,) = found.rows()
            said = rf"column 'b' has {other} bytes in row 4, where a BIT\({length}\) has {size}: "
            with pytest.raises(TypeMappingError, match=said):
                columns.convert(block, 0)


def test_g5_text_that_is_not_utf8_is_refused_with_its_row() -> None:
    """The server passes on what somebody wrote into a column past it."""
    columns = mysql_columns([TEXT], Query(""))
    with wire(packets(row(b"a"), b"\0\4", row(b"Gr\xf6\xdfe"), END)) as found:
        (block,) = found.rows()
        said = r"column 'c' has bytes that are not UTF-8 in row 10,003, at byte 3: .*using latin1"
        with pytest.raises(TypeMappingError, match=said):
            columns.convert(block, 10_000)


def test_json_of_mysql_is_text_though_it_is_said_to_be_binary() -> None:
    columns = mysql_columns([Column("j", 245, 1 << 7, 63, 4294967295, 0, None)], Query(""))
    assert columns.schema.types == [pa.string()]

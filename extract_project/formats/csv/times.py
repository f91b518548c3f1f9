"""Write dates and timestamps by a pattern, and read them back, exactly and column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.formats.csv.patterns import Pattern, Piece
from extract_project.schema.years import PER_SECOND

_ISO_DATE: Sequence[Piece] = ((0, 4), "-", (5, 7), "-", (8, 10))
_ISO_CLOCK: Sequence[Piece] = ("T", (11, 13), ":", (14, 16), ":", (17, 19))
_ISO_DIGITS = 29
_MIDNIGHT = "T00:00:00.000000000"
_BILLION = 10**9


def first_lossy(values: pa.Array, pattern: Pattern) -> int | None:
    """Index of the first value with more digits than the pattern writes; None if there is none."""
    if pa.types.is_date32(values.type):
        return None
    unit = _BILLION // PER_SECOND[values.type.unit]
    step = pattern.nanoseconds // unit
    if step <= 1:
        return None
    numbers = values.cast(pa.int64())
    rest = pc.not_equal(pc.multiply(pc.divide(numbers, step), step), numbers)
    index: int = pc.index(rest, True).as_py()
    return None if index < 0 else index


def patterned(values: pa.Array, pattern: Pattern) -> pa.StringArray:
    """Values of the years 1 to 9999 as text, written by a pattern; NULL as NULL."""
    text = values.fill_null(0).cast(pa.string())
    tail = _MIDNIGHT if pa.types.is_date32(values.type) else _zeros(values.type)
    return _nulls_of(values, _rearranged(text, _fitting(pattern.pieces, tail)))


def from_pattern(text: pa.StringArray, kind: pa.DataType, pattern: Pattern) -> pa.StringArray:
    """The inverse: the same values in ISO 8601."""
    starts: dict[int, int] = {}
    at = 0
    for piece in pattern.pieces:
        size = len(piece.encode()) if isinstance(piece, str) else piece[1] - piece[0]
        if not isinstance(piece, str):
            starts[piece[0]] = at
        at += size
    digits = {piece[0]: piece[1] for piece in pattern.pieces if not isinstance(piece, str)}
    sample = "0" * at
    return _nulls_of(text, _rearranged(text.fill_null(sample), list(_iso(kind, starts, digits))))


def _zeros(kind: pa.DataType) -> str:
    """Return the zeros that Arrow's text of a timestamp needs for nine digits after the point."""
    return {"s": ".000000000", "ms": "000000", "us": "000", "ns": ""}[kind.unit]


def _fitting(pieces: Sequence[Piece], tail: str) -> list[Piece]:
    """The pieces, with slices beyond the end of the text replaced by the digits of `tail`."""
    first = _ISO_DIGITS - len(tail)
    fitting: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) or piece[1] <= first:
            fitting.append(piece)
        else:
            start, stop = piece
            if start < first:
                fitting.append((start, first))
            fitting.append(tail[max(0, start - first) : stop - first])
    return fitting


def _iso(kind: pa.DataType, starts: dict[int, int], digits: dict[int, int]) -> list[Piece]:
    wanted = list(_ISO_DATE)
    if not pa.types.is_date32(kind):
        places = {"s": 0, "ms": 3, "us": 6, "ns": 9}[kind.unit]
        wanted += _ISO_CLOCK
        wanted += [".", (20, 20 + places)] if places else []
    pieces: list[Piece] = []
    for piece in wanted:
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        start, stop = piece
        there = min(stop, digits.get(start, start)) - start
        if there:
            pieces.append((starts[start], starts[start] + there))
        pieces.append("0" * (stop - start - there))
    return [each for each in pieces if each]


def _rearranged(text: pa.StringArray, pieces: Sequence[Piece]) -> pa.StringArray:
    """Build each text from slices of the given text and from literals.

    All given texts have one length, and none is NULL.
    """
    rows = len(text)
    if not rows:
        return text
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + rows + 1]
    width = int(ends[-1] - ends[0]) // rows
    if (np.diff(ends) != width).any():
        raise ValueError("a date or timestamp has not the length of its pattern")
    given = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(rows, width)
    constants = [each.encode() if isinstance(each, str) else b"" for each in pieces]
    sizes = [
        len(constant) if isinstance(piece, str) else piece[1] - piece[0]
        for piece, constant in zip(pieces, constants, strict=True)
    ]
    made = np.empty((rows, sum(sizes)), np.uint8)
    at = 0
    for piece, constant, size in zip(pieces, constants, sizes, strict=True):
        if isinstance(piece, str):
            made[:, at : at + size] = np.frombuffer(constant, np.uint8)
        else:
            made[:, at : at + size] = given[:, slice(*piece)]
        at += size
    places = np.arange(rows + 1, dtype=np.int32) * np.int32(at)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(places), pa.py_buffer(made))


def _nulls_of(values: pa.Array, text: pa.StringArray) -> pa.StringArray:
    if not values.null_count:
        return text
    return pc.if_else(values.is_valid(), text, pa.scalar(None, pa.string()))

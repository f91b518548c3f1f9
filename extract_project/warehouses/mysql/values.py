"""The values of each kind of column, as the binary protocol sends them, as Arrow's arrays.

A value that no file can hold is `Unfit`: an invalid date (`0000-00-00`, `2026-02-31`), a TIME that
is no time of day, text that is not UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from extract_project.schema.exact import Misfit, exact_number
from extract_project.schema.spelling import spelled
from extract_project.warehouses.mysql.sent import Flags, Places, Sent

Read = Callable[[Sent, pa.DataType], pa.Array]
"""The values of the column at which `Sent` is, as a type; raises Unfit."""
Integers = npt.NDArray[np.int64]

_DAY = 86_400 * 10**6
"""In microseconds."""
_EPOCH_YEAR, _MONTHS = 1970, 12
_DATE, _TO_CLOCK, _TO_FRACTION = 4, 7, 11
"""Bytes of a date, of one with a time, and of one with a fraction of a second."""
_TIME, _TIME_TO_FRACTION = 8, 12


class Unfit(Exception):
    """A value that the column's type in the file does not have.

    `why` goes on after "column 'x' has `value` in row 1", and has the column as `{name}`.
    """

    def __init__(self, row: int, value: object, why: str) -> None:
        super().__init__(f"{value} at {row}: {why}")
        self.row = row
        self.value = value
        self.why = why


def numbers(kind: str) -> Read:
    """Numbers of one of numpy's types."""
    return lambda sent, to: sent.array(sent.numbers(kind), to)


def nothing(sent: Sent, to: pa.DataType) -> pa.Array:
    """A column that is NULL in every row."""
    return pa.nulls(len(sent), to)


def octets(sent: Sent, to: pa.DataType) -> pa.Array:
    return sent.bytes().cast(to)


def text(sent: Sent, to: pa.DataType) -> pa.Array:
    found = sent.bytes()
    try:
        return found.cast(to)
    except pa.ArrowInvalid:
        for row, value in enumerate(found.to_pylist()):
            try:
                (value or b"").decode()
            except UnicodeDecodeError as error:
                raise Unfit(
                    row,
                    "bytes that are not UTF-8",
                    f"at byte {error.start + 1}: correct the row, or say in the SQL what they are, "
                    f"as in convert(cast({{name}} as binary) using latin1)",
                ) from None
        raise


def decimals(sent: Sent, to: pa.DataType) -> pa.Array:
    """Decimals are sent as text, with all their digits."""
    try:
        return exact_number(sent.bytes().cast(pa.string()), to)
    except Misfit as misfit:
        raise Unfit(
            misfit.index,
            misfit.value,
            f"which {spelled(to)} has no room for: declare a wider type in 'columns', or write "
            f"cast({{name}} as char)",
        ) from None


def bits(length: int) -> Read:
    """BIT(length), which is sent in as few bytes as have room for it, the highest first."""
    size = (length + 7) // 8

    def read(sent: Sent, to: pa.DataType) -> pa.Array:
        begins, ends = sent.pieces()
        is_other = (ends - begins != size) & ~sent.nulls
        if is_other.any():
            row = int(is_other.argmax())
            raise Unfit(
                row,
                f"{ends[row] - begins[row]} bytes",
                f"where a BIT({length}) has {size}: make it a number, {{name}} + 0",
            )
        whole = sent.at(begins, ">u8").astype(np.uint64) >> np.uint64(64 - 8 * size)
        return sent.array(np.where(sent.nulls, np.uint64(0), whole), pa.uint64()).cast(to)

    return read


def days(sent: Sent, to: pa.DataType) -> pa.Array:
    begins, ends = sent.pieces(0, _DATE)
    return sent.array(_days(sent, begins, ends).astype(np.int32), to)


def moments(sent: Sent, to: pa.DataType) -> pa.Array:
    """DATETIME and TIMESTAMP: how many fields are sent depends on which are zero."""
    begins, ends = sent.pieces(0, _DATE, _TO_CLOCK, _TO_FRACTION)
    found = _DAY * _days(sent, begins, ends)
    found += _clock(sent, begins + _DATE, ends - begins >= _TO_CLOCK)
    found += _fraction(sent, begins + _TO_CLOCK, ends - begins >= _TO_FRACTION)
    return sent.array(found, to)


def times(sent: Sent, to: pa.DataType) -> pa.Array:
    """TIME: a sign, days, and a time. It is a duration, of which a file has times of day."""
    begins, ends = sent.pieces(0, _TIME, _TIME_TO_FRACTION)
    is_there = ends > begins
    found = _clock(sent, begins + 5, is_there)
    found += _fraction(sent, begins + _TIME, ends - begins >= _TIME_TO_FRACTION)
    found += np.where(is_there, sent.at(begins + 1, "<u4").astype(np.int64), 0) * _DAY
    found = np.where(is_there & (sent.data[begins] > 0), -found, found)
    beyond = (found < 0) | (found >= _DAY)
    if beyond.any():
        row = int(beyond.argmax())
        raise Unfit(
            row,
            _duration(int(found[row])),
            "which is no time of day: files have no such value; write time_to_sec({name}) for "
            "seconds, or cast({name} as char)",
        )
    return sent.array(found, to)


def _days(sent: Sent, begins: Places, ends: Places) -> Integers:
    """Days since 1970; raises Unfit for an invalid date. 0 for NULL."""
    fields = np.where(ends > begins, sent.at(begins, "<u4").astype(np.int64), 0)
    year, month, day = fields & 0xFFFF, fields >> 16 & 0xFF, fields >> 24
    months = _MONTHS * (year - _EPOCH_YEAR) + month - 1
    first, after = _first_days(months), _first_days(months + 1)
    found: Integers = first + day - 1
    is_none = (month < 1) | (month > _MONTHS) | (day < 1) | (found >= after)
    is_none &= ~sent.nulls
    if is_none.any():
        row = int(is_none.argmax())
        raise Unfit(
            row,
            f"{year[row]:04}-{month[row]:02}-{day[row]:02}",
            "which is no date: files have no such value; write if(month({name}) and day({name}), "
            "{name}, null) for NULL, or cast({name} as char)",
        )
    found[sent.nulls] = 0
    return found


def _first_days(months: Integers) -> Integers:
    """The first day of each month, both counted from 1970."""
    days: Integers = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    return days


def _clock(sent: Sent, places: Places, is_there: Flags) -> Integers:
    """The time of day without its fraction, in microseconds."""
    fields = np.where(is_there, sent.at(places, "<u4").astype(np.int64), 0)
    seconds = (fields & 0xFF) * 3600 + (fields >> 8 & 0xFF) * 60 + (fields >> 16 & 0xFF)
    microseconds: Integers = seconds * 10**6
    return microseconds


def _fraction(sent: Sent, places: Places, is_there: Flags) -> Integers:
    """Microseconds, where they were sent."""
    if not is_there.any():
        return np.zeros(len(places), np.int64)
    return np.where(is_there, sent.at(np.where(is_there, places, 0), "<u4").astype(np.int64), 0)


def _duration(microseconds: int) -> str:
    """As MySQL writes it: `-838:59:59.000001`."""
    seconds, fraction = divmod(abs(microseconds), 10**6)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    point = f".{fraction:06}" if fraction else ""
    return f"{'-' if microseconds < 0 else ''}{shown}{point}"

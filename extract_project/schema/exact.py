"""Casts that keep every value exactly, or report the first value that they cannot keep.

The values of a column are not known when its type is chosen. So a cast from a wide type to a narrow
one is allowed, and each value is checked. Nothing is rounded, and nothing wraps around.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.schema.text import plain_text, text_of

_MOST_DIGITS = {128: 38, 256: 76}
"""The most digits of a decimal, by its width in bits."""
_ANY_INTEGER = pa.decimal128(20, 0)
"""Holds every integer of 64 bits, with or without a sign."""


class Misfit(Exception):
    """The value at `index` of an array that the target type cannot hold exactly."""

    def __init__(self, index: int, value: object, target: pa.DataType) -> None:
        super().__init__(f"{value} at {index} as {target}")
        self.index = index
        self.value = value
        self.target = target


def is_exact(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether the target type holds values of the source type exactly, provided that each fits."""
    if is_widening(source, target):
        return True
    if _is_number(source) and _is_number(target):
        return _scale(target) >= _scale(source)
    if pa.types.is_timestamp(source) and pa.types.is_timestamp(target):
        return bool(source.tz == target.tz)
    return bool(pa.types.is_time(source) and pa.types.is_time(target))


def is_widening(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether the target type is of the same kind, and holds every value of the source type."""
    types = pa.types
    if types.is_integer(source) and types.is_integer(target):
        if types.is_signed_integer(target) == types.is_signed_integer(source):
            return bool(target.bit_width >= source.bit_width)
        return bool(types.is_signed_integer(target) and target.bit_width > source.bit_width)
    if types.is_floating(source) and types.is_floating(target):
        return bool(target.bit_width >= source.bit_width)
    if types.is_decimal(source) and types.is_decimal(target):
        whole = target.precision - target.scale >= source.precision - source.scale
        # From 128 to 256 bits is no widening: few readers support 256.
        alike = target.bit_width == source.bit_width
        return bool(whole and alike and target.scale >= source.scale)
    return bool(source.equals(target))


def _is_number(kind: pa.DataType) -> bool:
    """Integers and decimals."""
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _scale(kind: pa.DataType) -> int:
    return int(kind.scale) if pa.types.is_decimal(kind) else 0


def exact_cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Cast to a type that `is_exact` allows; raises Misfit."""
    if column.type.equals(target):
        return column
    try:
        return _cast(column, target)
    except pa.ArrowInvalid:
        index = _first_misfit(column, target)
        raise Misfit(index, text_of(column[index]), target) from None


def exact_number(text: pa.StringArray, target: pa.DataType) -> pa.Array:
    """Parse numbers in plain digits as decimals or integers; raises Misfit.

    Zeros at the end do not count: `1.50` fits a scale of 1.
    """
    if not _has_too_many_digits(text, target).any():
        with suppress(pa.ArrowInvalid):
            return _cast(text, target)
    plain = pc.utf8_rtrim(pc.replace_substring_regex(text, r"(\.[0-9]*?)0+$", r"\1"), ".")
    beyond = _has_too_many_digits(plain, target)
    if beyond.any():
        index = int(beyond.argmax())
        raise Misfit(index, text_of(plain[index]), target)
    return exact_cast(plain, target)


def _has_too_many_digits(text: pa.StringArray, target: pa.DataType) -> npt.NDArray[np.bool_]:
    """Whether each number has, with the target's scale, more digits than any decimal of its width.

    Arrow does not look at that: it wraps around, and makes a wrong number of some of them (seen
    with 26.0.1, for 39 digits and more).
    """
    if not pa.types.is_decimal(target):
        return np.zeros(len(text), np.bool_)
    most = _MOST_DIGITS[target.bit_width]
    longest = pc.max(pc.binary_length(text)).as_py()
    if longest is None or longest + target.scale <= most:
        return np.zeros(len(text), np.bool_)
    plain = pc.utf8_ltrim(text, "-0")
    whole = pc.utf8_length(pc.replace_substring_regex(plain, r"\..*", ""))
    digits = pc.utf8_length(pc.replace_substring(plain, ".", ""))
    beyond = pc.or_(pc.greater(whole, most - target.scale), pc.greater(digits, most))
    return _bytes(beyond.fill_null(False)).view(np.bool_)


def int64_of(wide: pa.Array, *, unsigned: bool = False) -> pa.Array:
    """Convert 128-bit integers to int64; raises Misfit.

    `wide` has 16 bytes per value: decimals of scale 0, or the storage of an extension type, which
    Arrow does not cast.
    """
    target = pa.int64()
    if not len(wide):
        return pa.array([], target)
    words = np.frombuffer(wide.buffers()[1], np.int64).reshape(-1, 2)
    words = words[wide.offset : wide.offset + len(wide)]
    low, high = words[:, 0], words[:, 1]
    beyond = (high != 0) | (low < 0) if unsigned else high != low >> 63
    bitmap = None
    if wide.null_count:
        valid = _bytes(wide.is_valid())
        beyond &= valid.view(np.bool_)
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    if beyond.any():
        index = int(beyond.argmax())
        raise Misfit(index, _joined(words[index], unsigned), target)
    return pa.Array.from_buffers(target, len(wide), [bitmap, pa.py_buffer(low.copy())])


def _bytes(flags: pa.BooleanArray) -> npt.NDArray[np.uint8]:
    """Flags as bytes, 1 or 0. pyarrow's own conversion to numpy would import pandas."""
    wide = pc.cast(flags, pa.uint8())
    return np.frombuffer(wide.buffers()[1], np.uint8)[wide.offset : wide.offset + len(wide)]


def _joined(words: npt.NDArray[np.int64], unsigned: bool) -> int:
    return int.from_bytes(words.tobytes(), "little", signed=not unsigned)


def _cast(column: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(column.type) and pa.types.is_string(target):
        return _shortest(column)
    if pa.types.is_decimal128(column.type) and not column.type.scale and pa.types.is_int64(target):
        return int64_of(column)
    if pa.types.is_decimal(target) and pa.types.is_integer(column.type):
        # A direct cast demands room for the largest integer of the type, whatever the values are.
        column = column.cast(_ANY_INTEGER)
    if pa.types.is_decimal(target) and pa.types.is_decimal(column.type):
        _require_whole_digits(column, target)
    return pc.cast(column, target, safe=True)


def _shortest(numbers: pa.Array) -> pa.StringArray:
    """Each decimal as text, with all its digits but the zeros at its end: `1.5`."""
    text = plain_text(numbers)
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".") if numbers.type.scale > 0 else text


def _require_whole_digits(column: pa.Array, target: pa.DataType) -> None:
    """Raise ArrowInvalid if a decimal has more digits before the point than the target.

    Arrow's own check comes after the digits of the new scale were added, and these may wrap around.
    """
    most = target.precision - target.scale
    if column.type.precision - column.type.scale <= most:
        return
    extremes = pc.min_max(column)
    for value in (extremes["min"].as_py(), extremes["max"].as_py()):
        if value is not None and value.copy_abs() >= 10**most:
            raise pa.ArrowInvalid(f"{value} has more than {most} digits before the point")


def _first_misfit(column: pa.Array, target: pa.DataType) -> int:
    """The index of the first value that does not fit, found by binary search."""
    fits, fails = 0, len(column)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        try:
            _cast(column.slice(fits, middle - fits), target)
            fits = middle
        except pa.ArrowInvalid:
            fails = middle
    return fits

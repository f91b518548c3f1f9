"""The error for a value that does not fit the file's type, with the header key that keeps it."""

from __future__ import annotations

import re

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit
from extract_project.schema.spelling import spelled
from extract_project.visible import one_line

_DIGITS = 38
_FINE = re.compile(r"\.\d{6}(?!0+Z?$)\d+Z?$")
"""Matches a time with digits beyond a microsecond, at its end."""
_YEAR = re.compile(r"([+-]?\d+)-")
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
"""The first and last year that nanoseconds cover completely."""


def refused(
    column: str, rows_before: int, misfit: Misfit, declared: bool, inside: bool = False
) -> TypeMappingError:
    """The error for one value.

    `declared`: `columns` asks for the type. `inside`: the value is within a list, struct or map.
    """
    said = _why("…" if inside else column, misfit, declared)
    return TypeMappingError(
        f"column {column!r} has {one_line(str(misfit.value))} in row "
        f"{rows_before + misfit.index + 1:,}, {said}"
    )


def _why(column: str, misfit: Misfit, declared: bool) -> str:
    """Why it is refused, and what to write. `column` is how the SQL names the column."""
    kind, value = misfit.target, str(misfit.value)
    if pa.types.is_integer(kind):
        return _beyond_integers(column, value, kind, declared)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _beyond_moments(column, value, kind, declared)
    if not value.strip("-").replace(".", "", 1).isdigit():
        keeps = "" if declared else ", or write 'numeric: text' in the header"
        replaced = f"nullif({column}, '{value}')"
        return f"which decimals do not have: replace it in the SQL, e.g. {replaced}{keeps}"
    exactly = f"which does not fit {spelled(kind)} exactly"
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return f"which has more than {kind.precision} digits: cast it in the SQL, e.g. to text"
    if not pa.types.is_decimal(kind):
        return f"{exactly}: cast it in the SQL, e.g. to text"
    if len(value.lstrip("-").partition(".")[0]) > kind.precision - kind.scale:
        keeps = "declare a wider type" if declared else "write 'numeric: text' in the header"
        return f"which {spelled(kind)} has no room for: {keeps}"
    rounded = f"round({column}, {kind.scale})"
    if declared:
        return f"{exactly}: declare a wider type, or write {rounded}"
    return (
        f"{exactly}: write {rounded} in the SQL, or 'numeric: text' in the header, which keeps "
        f"every digit"
    )


def _beyond_integers(column: str, value: str, kind: pa.DataType, declared: bool) -> str:
    digits = value.lstrip("-")
    if not digits.isdigit():
        return f"which is not an integer: replace it in the SQL, e.g. nullif({column}, '{value}')"
    beyond = f"beyond {spelled(kind)}"
    if len(digits) > _DIGITS:
        return f"{beyond} and every decimal of {_DIGITS} digits: cast it to text in the SQL"
    keeps = "declare it decimal(38,0)" if declared else "write 'integers: decimal' in the header"
    return f"{beyond}: to keep it, {keeps}"


def _beyond_moments(column: str, value: str, kind: pa.DataType, declared: bool) -> str:
    zone = "tz" if pa.types.is_timestamp(kind) and kind.tz else ""
    name = f"timestamp{zone}" if pa.types.is_timestamp(kind) else "time"
    year = _YEAR.match(value)
    reached = year is None or _FIRST_YEAR <= int(year[1]) <= _LAST_YEAR
    cut = (
        "or cast it in the SQL"
        if name == "time"
        else f"or cut them in the SQL, date_trunc('microsecond', {column})"
    )
    if kind.unit == "ns":
        keeps = f"declare it {name}" if declared else "write 'timestamps: us' in the header"
        return f"outside the years 1677 to 2262, the range of nanoseconds: to keep it, {keeps}" + (
            f", {cut}" if _FINE.search(value) else ""
        )
    if not _FINE.search(value):
        return f"outside the range of {spelled(kind)}: replace it in the SQL"
    if not reached:
        return (
            f"with digits beyond a microsecond, which no type of a file can keep in such a year: "
            f"{cut.removeprefix('or ')}"
        )
    keeps = f"declare it {name}(9)" if declared else "write 'timestamps: ns' in the header"
    return f"with digits beyond a microsecond: to keep them, {keeps}, {cut}"

"""Values as text for people: on one line, NULL visible, long ones cut.

Only this module makes text for people from Arrow values. It does not convert them to Python values:
Python has no year 0 or 12022, and no dictionary with two equal keys.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.schema.text import plain_text
from extract_project.visible import one_line

_CHARACTERS = 60


def display(values: pa.Array | pa.ChunkedArray) -> list[str]:
    """One text per value."""
    if isinstance(values, pa.ChunkedArray):
        return [text for chunk in values.chunks for text in display(chunk)]
    kind = values.type
    if pa.types.is_string(kind):
        values = pc.utf8_slice_codeunits(values, 0, _CHARACTERS + 1)
    elif pa.types.is_binary(kind):
        values = pc.binary_slice(values, 0, _CHARACTERS)
    text = plain_text(values)
    if pa.types.is_timestamp(kind):
        text = pc.replace_substring(text, "T", " ")
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        text = pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")
    return [shown(each) for each in text.to_pylist()]


def display_value(value: pa.Scalar) -> str:
    """The same for one value."""
    return display(pa.repeat(value, 1))[0]


def shown(value: object) -> str:
    """The same for a Python text or number."""
    text = "NULL" if value is None else one_line(str(value))
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"

"""Values as text, column by column, exact: shared by csv and jsonl.

Decimals are plain (never `1E-7`), times are ISO 8601, binary is base64 (RFC 4648).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.schema.years import expanded, is_beyond

_ESCAPED = r'["\\\x00-\x1f]'
_ESCAPES = {each: json.dumps(each)[1:-1] for each in ("\\", '"', *map(chr, range(0x20)))}
_BLOCK = 1 << 16
_LONG = 1 << 16
"""Above this average length in bytes, texts are escaped one character after the other."""


def plain_text(values: pa.Array) -> pa.StringArray:
    """Each value as text, NULL as NULL; nested values as JSON.

    Every value of a file's type has its own text. Values are not converted to Python's types, which
    cannot hold all of them.
    """
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_decimal(kind):
        return _plain_decimals(values)
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        return _plain_times(values)
    if pa.types.is_binary(kind):
        encoded = [None if v is None else base64.b64encode(v) for v in values.to_pylist()]
        return pa.array(encoded, pa.string())
    if pa.types.is_struct(kind):
        return _objects(values)
    if pa.types.is_map(kind):
        return _maps(values)
    if pa.types.is_nested(kind):
        return _lists(values)
    return values.cast(pa.string())


def text_of(value: pa.Scalar) -> str | None:
    """The same for one value."""
    text: str | None = plain_text(pa.repeat(value, 1))[0].as_py()
    return text


def json_text(values: pa.Array) -> pa.StringArray:
    """Each value as JSON, with all its digits; NULL as NULL.

    NaN and Infinity, which JSON does not have as numbers, are strings.
    """
    kind = values.type
    text = plain_text(values)
    if pa.types.is_floating(kind):
        # To JSON readers, `-0` is the integer 0.
        text = pc.if_else(pc.equal(text, "-0"), "-0.0", text)
        return pc.if_else(pc.is_finite(values), text, _json_string(text))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return text
    return text if pa.types.is_nested(kind) else _json_string(text)


def json_rows(batch: pa.RecordBatch, end: str = "") -> pa.StringArray:
    """Each row as a JSON object, with `end` behind it. Equal rows of one schema have equal
    texts.
    """
    return json_objects(batch.schema.names, batch.columns, end)


def json_objects(
    names: Sequence[str], columns: Sequence[pa.Array], end: str = ""
) -> pa.StringArray:
    """One JSON object for each position of the columns, with `end` behind it."""
    pieces: list[object] = []
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        opening = f"{',' if number else '{'}{json.dumps(name, ensure_ascii=False)}:"
        pieces += [opening, json_text(column)]
    return pc.binary_join_element_wise(
        *pieces, f"}}{end}", "", null_handling="replace", null_replacement="null"
    )


def _json_string(text: pa.StringArray) -> pa.StringArray:
    escapes = pc.match_substring_regex(text, _ESCAPED)
    if pc.any(escapes).as_py():
        if text.nbytes > len(text) * _LONG:
            return pc.binary_join_element_wise('"', _escaped(text), '"', "")
        escaped = [
            None if v is None else json.dumps(v, ensure_ascii=False) for v in text.to_pylist()
        ]
        return pa.array(escaped, pa.string())
    return pc.binary_join_element_wise('"', text, '"', "")


def _escaped(text: pa.StringArray) -> pa.StringArray:
    """Long texts with what JSON escapes, as `json.dumps` writes it: as Python texts, they would
    take four bytes for each character.
    """
    found = _bytes_in(text)
    for character, escape in _ESCAPES.items():
        if found[ord(character)]:
            text = pc.replace_substring(text, character, escape)
    return text


def _bytes_in(text: pa.StringArray) -> Any:
    """How often each byte occurs, at its index; the text is not copied as a whole."""
    data = np.frombuffer(bytes_of(text), np.uint8)
    found = np.zeros(256, np.int64)
    for start in range(0, len(data), _BLOCK):
        found += np.bincount(data[start : start + _BLOCK], minlength=256)
    return found


def bytes_of(text: pa.StringArray) -> memoryview:
    """The characters of a string array as one contiguous buffer."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return memoryview(b"")
    ends = pa.Array.from_buffers(pa.int32(), len(text) + 1, [None, offsets], offset=text.offset)
    return memoryview(data)[ends[0].as_py() : ends[len(text)].as_py()]


def _objects(values: pa.StructArray) -> pa.StringArray:
    names = [field.name for field in values.type.fields]
    return _where_valid(values, json_objects(names, values.flatten()))


def _lists(values: pa.Array) -> pa.StringArray:
    offsets, items = _inside(values, values.values)
    return _joined(values, offsets, json_text(items).fill_null("null"), "[", "]")


def _maps(values: pa.MapArray) -> pa.StringArray:
    offsets, keys = _inside(values, values.keys)
    _, items = _inside(values, values.items)
    names = _json_string(plain_text(keys))
    pairs = pc.binary_join_element_wise(names, json_text(items).fill_null("null"), ":")
    return _joined(values, offsets, pairs, "{", "}")


def _inside(values: pa.Array, children: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The offsets of the lists, counted from 0, and only the children that belong to them."""
    offsets = values.offsets
    start, stop = offsets[0], offsets[len(values)]
    return pc.subtract(offsets, start), children.slice(start.as_py(), stop.as_py() - start.as_py())


def _joined(
    values: pa.Array, offsets: pa.Array, items: pa.StringArray, opening: str, closing: str
) -> pa.StringArray:
    inner = pc.binary_join(pa.ListArray.from_arrays(offsets, items), ",")
    return _where_valid(values, pc.binary_join_element_wise(opening, inner, closing, ""))


def _where_valid(values: pa.Array, text: pa.StringArray) -> pa.StringArray:
    return pc.if_else(values.is_valid(), text, pa.scalar(None, pa.string()))


def _plain_times(values: pa.Array) -> pa.StringArray:
    """ISO 8601. Arrow's own text has a space instead of the `T`."""
    beyond = is_beyond(values)
    ordinary = values if beyond is None else pc.if_else(beyond, None, values)
    text = ordinary.cast(pa.string())
    if pa.types.is_timestamp(values.type):
        text = pc.utf8_replace_slice(text, 10, 11, "T")
    if beyond is None:
        return text
    numbers = values.cast(pa.int32() if pa.types.is_date32(values.type) else pa.int64())
    texts = text.to_pylist()
    for index in pc.indices_nonzero(beyond).to_pylist():
        texts[index] = expanded(numbers[index].as_py(), values.type)
    return pa.array(texts, pa.string())


def _plain_decimals(values: pa.Array) -> pa.StringArray:
    text = values.cast(pa.string())
    scientific = pc.match_substring(text, "E")
    if not pc.any(scientific).as_py():
        return text
    scale = values.type.scale
    plain = [None if v is None else f"{v:.{max(0, scale)}f}" for v in values.to_pylist()]
    return pa.array(plain, pa.string())

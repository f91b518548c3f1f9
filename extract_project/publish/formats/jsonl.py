"""JSON Lines: one object per row, every column present, NULL as null.

Numbers are written exactly, with all their digits; what JSON has no number for (NaN, Infinity)
is text. Dates, times and decimals inside text columns stay text.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.publish.formats.encoder import Sink
from extract_project.publish.formats.options import FileFormat
from extract_project.publish.formats.text import TextStream, plain_text

_ESCAPED = r'["\\\x00-\x1f]'


class JsonlEncoder:
    """Rows are built column by column, without a Python object per value."""

    def __init__(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> None:
        self._stream = TextStream(sink, file_format)

    def write(self, rows: pa.Table) -> None:
        for batch in rows.to_batches():
            self._stream.write(pc.binary_join_element_wise(json_rows(batch), "\n", ""))

    def close(self) -> None:
        self._stream.close()


def json_rows(batch: pa.RecordBatch) -> pa.StringArray:
    """Each row as a JSON object: rows of one schema have equal texts when they are equal."""
    pieces: list[object] = []
    for number, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        opening = f"{',' if number else '{'}{json.dumps(name, ensure_ascii=False)}:"
        pieces += [opening, _literal(column)]
    return pc.binary_join_element_wise(
        *pieces, "}", "", null_handling="replace", null_replacement="null"
    )


def _literal(values: pa.Array) -> pa.StringArray:
    kind = values.type
    text = plain_text(values)
    if pa.types.is_floating(kind):
        # To JSON readers, `-0` is the integer 0.
        text = pc.if_else(pc.equal(text, "-0"), "-0.0", text)
        return pc.if_else(pc.is_finite(values), text, _string(text))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return text
    return text if pa.types.is_nested(kind) else _string(text)


def _string(text: pa.StringArray) -> pa.StringArray:
    escapes = pc.match_substring_regex(text, _ESCAPED)
    if pc.any(escapes).as_py():
        escaped = [
            None if v is None else json.dumps(v, ensure_ascii=False) for v in text.to_pylist()
        ]
        return pa.array(escaped, pa.string())
    return pc.binary_join_element_wise('"', text, '"', "")

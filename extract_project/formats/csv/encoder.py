"""CSV by RFC 4180: CRLF, a header row, quotes only where needed.

NULL is an empty unquoted field and the empty string is `""`, so that both survive. The value `\\.`
is quoted, as Postgres quotes it: alone on a line it ends the data for psql before 18.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.formats.protocol import FileFormat, Sink
from extract_project.formats.stream import TextStream
from extract_project.schema.text import plain_text

_NEEDS_QUOTES = r'[",\r\n]|^$|^\s|\s$|^\\\.$'


class CsvEncoder:
    """Rows are built column by column, without a Python object per value."""

    def __init__(self, sink: Sink, schema: pa.Schema, file_format: FileFormat) -> None:
        self._stream = TextStream(sink, file_format)
        header = [_quoted(pa.array([name]))[0].as_py() for name in schema.names]
        self._stream.write(pa.array([",".join(header) + "\r\n"]))

    def write(self, rows: pa.Table) -> None:
        for batch in rows.to_batches():
            fields = [_field(column) for column in batch.columns]
            lines = pc.binary_join_element_wise(
                *fields, ",", null_handling="replace", null_replacement=""
            )
            self._stream.write(pc.binary_join_element_wise(lines, "\r\n", ""))

    def close(self) -> None:
        self._stream.close()


def _field(values: pa.Array) -> pa.StringArray:
    kind = values.type
    text = plain_text(values)
    # Other types have no commas, no quotes, and no empty values.
    free = pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_nested(kind)
    return _quoted(text) if free else text


def _quoted(text: pa.StringArray) -> pa.StringArray:
    needs = pc.match_substring_regex(text, _NEEDS_QUOTES)
    if not pc.any(needs).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), text)

"""Read CSV as `encoder` writes it, in every dialect."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from extract_project.formats.csv.charsets import codec
from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.csv.times import from_pattern
from extract_project.formats.protocol import FileFormat
from extract_project.schema.from_text import from_text

_LONGEST_ROW = 32 << 20
"""In bytes. Arrow reads this much at once, and no row may be longer."""
_NULL, _PAIR = b"\xfe", b"\xff"
"""Bytes that never occur in UTF-8."""


def read_csv(
    file: BinaryIO, file_format: FileFormat, schema: pa.Schema, dialect: Dialect
) -> pa.RecordBatchReader:
    text: Any = pa.input_stream(file, compression=file_format.text_codec)
    if dialect.encoding != "utf-8":
        text = pa.transcoding_input_stream(text, codec(dialect.encoding), "utf-8")
    if dialect.has_backslashes and "\\" in dialect.null:
        text = pa.PythonFile(_MarkedNulls(text, dialect.null.encode()), "r")
    return pa.RecordBatchReader.from_batches(schema, _batches(text, schema, dialect))


def _batches(text: Any, schema: pa.Schema, dialect: Dialect) -> Iterator[pa.RecordBatch]:
    is_marked = dialect.has_backslashes and "\\" in dialect.null
    reader = _open(
        text,
        read_options=pa.csv.ReadOptions(
            block_size=_LONGEST_ROW,
            use_threads=False,
            column_names=None if dialect.header else schema.names,
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=False if dialect.quote == "none" else '"',
            double_quote=not dialect.has_backslashes,
            escape_char="\\" if dialect.has_backslashes else False,
            newlines_in_values=True,
            ignore_empty_lines=False,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.binary() if is_marked else pa.string() for name in schema.names},
            null_values=[] if is_marked else [dialect.null],
            strings_can_be_null=not is_marked,
            quoted_strings_can_be_null=False,
        ),
    )
    for batch in reader or ():
        columns = [
            _values(_unmarked(column) if is_marked else column, field.type, dialect)
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _open(text: Any, **options: Any) -> Any:
    """Arrow's reader; None if the file has no line, which is valid without a header."""
    try:
        return pa.csv.open_csv(text, **options)
    except pa.ArrowInvalid as error:
        if str(error) == "Empty CSV file":
            return None
        raise


def _values(text: pa.StringArray, kind: pa.DataType, dialect: Dialect) -> pa.Array:
    pattern = None
    if pa.types.is_date32(kind):
        pattern = dialect.date_pattern
    elif pa.types.is_timestamp(kind):
        pattern = dialect.timestamp_pattern
    elif dialect.decimal != "." and (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        text = pc.replace_substring(text, dialect.decimal, ".")
    return from_text(from_pattern(text, kind, pattern) if pattern else text, kind)


def _unmarked(column: pa.BinaryArray) -> pa.StringArray:
    is_null = pc.equal(column, _NULL)
    return pc.if_else(is_null, pa.scalar(None, pa.binary()), column).cast(pa.string())


class _MarkedNulls(io.RawIOBase):
    r"""UTF-8 text with `\N` replaced by a byte that never occurs in UTF-8.

    Arrow reads `\N` as an escaped `N`, and so cannot tell it from the text `N`.
    """

    def __init__(self, text: Any, null: bytes) -> None:
        self._text, self._null = text, null
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._held + self._text.read(size - len(self._held) if size > 0 else size)
        if not data:
            return b""
        # If this block ends within an escape, its backslash is kept for the next block.
        backslashes = len(data) - len(data.rstrip(b"\\"))
        is_cut = backslashes % 2 == 1
        self._held = b"\\" if is_cut else b""
        whole = data[:-1] if is_cut else data
        if not whole:
            return self.read(size)
        paired = whole.replace(b"\\\\", _PAIR)
        return paired.replace(self._null, _NULL).replace(_PAIR, b"\\\\")

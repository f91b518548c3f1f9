"""Write CSV in a dialect. The default is RFC 4180: CRLF, a header row, quotes only where needed.

By default NULL is an empty field without quotes and the empty string is `""`, so a reader can tell
them apart.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from extract_project.errors import TypeMappingError
from extract_project.formats.csv.charsets import codec, missing_character
from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.csv.patterns import Pattern
from extract_project.formats.csv.quoting import Misquoted, Quoting
from extract_project.formats.csv.times import first_lossy, patterned
from extract_project.formats.protocol import FileFormat, Sink, Unwritable
from extract_project.formats.stream import TextStream
from extract_project.schema.text import bytes_of, plain_text, text_of

_BYTE_ORDER_MARK = "\ufeff"


class CsvEncoder:
    """Writes CSV. Rows are built column by column, without a Python object per value."""

    def __init__(
        self, sink: Sink, schema: pa.Schema, file_format: FileFormat, dialect: Dialect
    ) -> None:
        self._stream = TextStream(sink, file_format)
        self._dialect = dialect
        self._codec = codec(dialect.encoding)
        self._quoting = Quoting(dialect)
        self._end = dialect.end_of_line
        self._fields = [self._field(field) for field in schema]
        head = _BYTE_ORDER_MARK if dialect.bom else ""
        if dialect.header:
            names = [self._heading(name) for name in schema.names]
            head += dialect.delimiter.join(names) + self._end
        self._stream.write_bytes(head.encode(self._codec))

    def write(self, rows: pa.Table) -> None:
        for number, batch in enumerate(rows.to_batches()):
            try:
                self._write(batch)
            except Unwritable as error:
                before = sum(each.num_rows for each in rows.to_batches()[:number])
                raise error.later(before) from None

    def close(self) -> None:
        self._stream.close()

    def _write(self, batch: pa.RecordBatch) -> None:
        columns = zip(batch.schema.names, self._fields, batch.columns, strict=True)
        fields = [write(name, column) for name, write, column in columns]
        lines = pc.binary_join_element_wise(
            *fields,
            self._dialect.delimiter,
            null_handling="replace",
            null_replacement=self._dialect.null,
        )
        del fields  # a long value is in memory as often as these texts are
        text = bytes_of(pc.binary_join_element_wise(lines, self._end, ""))
        del lines
        self._stream.write_bytes(self._encoded(text, batch))

    def _field(self, field: pa.Field) -> Callable[[str, pa.Array], pa.StringArray]:
        """The function that writes the values of a column."""
        kind, dialect = field.type, self._dialect
        if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_nested(kind):
            return self._free
        pattern = _pattern_of(kind, dialect)
        has_point = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        has_comma = has_point and dialect.decimal != "."

        # Values of the other types contain no delimiter and no quote, and are never empty.
        def write(name: str, values: pa.Array) -> pa.StringArray:
            text = _in_pattern(name, values, pattern) if pattern else plain_text(values)
            if has_comma:
                text = pc.replace_substring(text, ".", dialect.decimal)
            return self._quoting.in_quotes(text) if dialect.quote == "all" else text

        return write

    def _free(self, name: str, values: pa.Array) -> pa.StringArray:
        text = plain_text(values)
        try:
            return self._quoting.quoted(text)
        except Misquoted as error:
            value = text[error.index].as_py()
            raise Unwritable(name, error.index, value, error.reason) from None

    def _heading(self, name: str) -> str:
        try:
            text: str = self._quoting.quoted(pa.array([name]))[0].as_py()
        except Misquoted as error:
            raise TypeMappingError(f"the name of column {name!r}: {error.reason}") from None
        lacks = missing_character(text, self._dialect.encoding)
        if lacks:
            raise TypeMappingError(
                f"the name of column {name!r} has {lacks}, which {self._dialect.encoding} lacks: "
                f"rename it in the SQL, or write 'encoding: utf-8'"
            )
        return text

    def _encoded(self, text: memoryview, batch: pa.RecordBatch) -> bytes | memoryview:
        if self._codec == "utf-8":
            return text
        decoded = bytes(text).decode()
        if decoded.isascii() and self._codec != "utf-16-le":
            return text
        try:
            return decoded.encode(self._codec)
        except UnicodeEncodeError:
            raise self._unencodable(batch) from None

    def _unencodable(self, batch: pa.RecordBatch) -> Unwritable:
        """The error for the first value, row by row, with a character that the encoding lacks."""
        encoding = self._dialect.encoding
        texts = [plain_text(column).to_pylist() for column in batch.columns]
        for index, row in enumerate(zip(*texts, strict=True)):
            for name, value in zip(batch.schema.names, row, strict=True):
                lacks = missing_character(value or "", encoding)
                if lacks:
                    reason = (
                        f"{encoding} lacks {lacks}: write 'encoding: utf-8', or replace() it in "
                        f"the SQL"
                    )
                    return Unwritable(name, index, value, reason)
        raise AssertionError("what a dialect adds has been checked with the header")


def _pattern_of(kind: pa.DataType, dialect: Dialect) -> Pattern | None:
    if pa.types.is_date32(kind):
        return dialect.date_pattern
    return dialect.timestamp_pattern if pa.types.is_timestamp(kind) else None


def _in_pattern(name: str, values: pa.Array, pattern: Pattern) -> pa.StringArray:
    index = first_lossy(values, pattern)
    if index is not None:
        reason = (
            "the pattern 'timestamp' shows less than that: add what it lacks (%H:%M:%S.%6f), or "
            "date_trunc() it in the SQL"
        )
        raise Unwritable(name, index, text_of(values[index]) or "", reason)
    return patterned(values, pattern)

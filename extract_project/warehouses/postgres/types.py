"""PostgreSQL's types as files keep them, and how their CSV text is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, exact_number
from extract_project.schema.refusal import refused
from extract_project.schema.types import file_schema, number, schema_of
from extract_project.schema.wanted import Wanted
from extract_project.sql.query import Query
from extract_project.sql_quoting import identifier
from extract_project.warehouses.libpq.connection import Column

# Object identifiers of built-in types are fixed (pg_type.dat in PostgreSQL's source).
_NUMERIC, _BYTEA = 1700, 17
_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    26: pa.uint32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
    _BYTEA: pa.binary(),
}
_REFUSED = {1186: "interval", 1266: "time with time zone", 790: "money"}
# Those that are text, among them two vectors that look like arrays and are none.
_TEXTS = {18, 19, 25, 114, 705, 1042, 1043, 2950, 3802, *(22, 30)}


@dataclass(frozen=True)
class CopyColumns:
    """The columns of a COPY: the file's schema, and how to ask for and read the text."""

    described: tuple[Column, ...]
    schema: pa.Schema
    arrays: frozenset[str]
    unbounded: frozenset[str] = frozenset()
    """Numerics without a precision that become numbers of a type."""
    declared: frozenset[str] = frozenset()
    """The columns whose type the author declares."""

    def copy(self, statement: str) -> tuple[str, int]:
        """The COPY of a statement, with arrays as JSON, and where in it the statement begins."""
        before, after = "copy (", "\n) to stdout (format csv)"
        if self.arrays:
            columns = ", ".join(
                f"pg_catalog.to_json({identifier(name)})"
                if name in self.arrays
                else identifier(name)
                for name in self.schema.names
            )
            before, after = f"{before}select {columns} from (", f"\n) as result{after[1:]}"
        return f"{before}{statement}{after}", len(before)

    def parse(self, block: bytes | memoryview, rows_before: int) -> pa.RecordBatch:
        """Whole rows of CSV as one batch; raises TypeMappingError with the column at fault.

        `rows_before` came in earlier blocks.
        """
        # Arrow's CSV reader looks at the digits of a number, not at those that its scale adds.
        types = [
            pa.string() if field.name in self.unbounded else _read_as(field.type)
            for field in self.schema
        ]
        try:
            read = _read(block, types)
        except pa.ArrowInvalid as error:
            raise self._refused(error, block, rows_before) from None
        columns = [
            self._number(column, field, rows_before)
            if field.name in self.unbounded
            else _finished(column, field)
            for column, field in zip(read, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _number(self, text: pa.StringArray, field: pa.Field, rows_before: int) -> pa.Array:
        try:
            return exact_number(text, field.type)
        except Misfit as misfit:
            declared = field.name in self.declared
            raise refused(field.name, rows_before, misfit, declared) from None

    def _refused(
        self, error: Exception, block: bytes | memoryview, rows_before: int
    ) -> TypeMappingError:
        """Arrow's complaint about a value, with the column's name; of integers, with their row."""
        found = _COLUMN.search(str(error))
        if not found:  # without Arrow's words, which quote the row
            return TypeMappingError(
                f"the server sent a row that has not these {len(self.schema)} columns"
            )
        index = int(found.group(1))
        field = self.schema.field(index)
        if pa.types.is_integer(field.type):
            self._number(_read(block, [pa.string()] * len(self.schema))[index], field, rows_before)
        return TypeMappingError(
            f"column {field.name!r}: {found.group(2)}; files have no such value: "
            f"replace it in the SQL, or cast the column to text"
        )


def _read(block: bytes | memoryview, types: Sequence[pa.DataType]) -> list[pa.Array]:
    """Whole rows of CSV as columns of these types; raises ArrowInvalid."""
    names = [str(index) for index in range(len(types))]
    table = pa.csv.read_csv(
        pa.py_buffer(block),
        pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
        pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa.csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return [column.combine_chunks() for column in table.columns]


def not_known(columns: Sequence[Column]) -> set[int]:
    """Types of which only the database's catalogue says whether they are arrays."""
    return {column.type for column in columns} - {_NUMERIC, *_TYPES, *_TEXTS, *_REFUSED}


def copy_columns(
    columns: Sequence[Column], elements: Mapping[int, int], query: Query
) -> CopyColumns:
    """What a COPY of these columns gives, as the query's author wants it.

    `elements` are the types that are arrays, and what they are arrays of.
    Raises TypeMappingError naming every column that no file keeps exactly.
    """

    def wanted(column: Column) -> pa.DataType:
        return _file_type(column, elements, Wanted(query.types, query.declared.get(column.name)))

    schema = file_schema(schema_of(columns, wanted), query.types, query.declared)
    numbers = {each.name for each in schema if not pa.types.is_string(each.type)}
    return CopyColumns(
        tuple(columns),
        schema,
        arrays=frozenset(column.name for column in columns if column.type in elements),
        unbounded=frozenset(each.name for each in columns if _is_unbounded(each)) & numbers,
        declared=frozenset(query.declared),
    )


def _file_type(column: Column, elements: Mapping[int, int], wanted: Wanted) -> pa.DataType:
    element = elements.get(column.type)
    if element in _REFUSED:
        raise TypeMappingError(
            f"an array of {_REFUSED[element]} has no exact type in files: cast it to text[]"
        )
    if column.type in _REFUSED:
        kind = _REFUSED[column.type]
        raise TypeMappingError(f"{kind} has no exact type in files: cast it to text")
    if column.type != _NUMERIC:
        return _TYPES.get(column.type, pa.string())
    if _is_unbounded(column):
        return wanted.unbounded
    precision = ((column.modifier - 4) >> 16) & 0xFFFF
    scale = ((column.modifier - 4) & 0x7FF ^ 0x400) - 0x400
    # numeric(3, -2) has five digits before the point, numeric(3, 5) has five behind it.
    return number(max(precision, precision - scale, scale), max(0, scale), wanted)


def _is_unbounded(column: Column) -> bool:
    return column.type == _NUMERIC and column.modifier < 0


def _read_as(kind: pa.DataType) -> pa.DataType:
    """Return the type as which Arrow's CSV reader reads a column.

    Types that it cannot read are read as text and converted afterwards.
    """
    return pa.string() if pa.types.is_binary(kind) or pa.types.is_decimal256(kind) else kind


def _finished(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_decimal256(field.type):
        return column.cast(field.type)
    if not pa.types.is_binary(field.type):
        return column
    digits = [None if value is None else bytes.fromhex(value[2:]) for value in column.to_pylist()]
    return pa.array(digits, pa.binary())


_COLUMN = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?(.*)", re.DOTALL)

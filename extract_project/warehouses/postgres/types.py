"""PostgreSQL's types as files keep them, and how their CSV text is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv

from extract_project.errors import TypeMappingError
from extract_project.schema.exact import Misfit, exact_number
from extract_project.schema.types import file_schema, number
from extract_project.warehouses.postgres.connection import Column, quoted

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
    """Numerics without a precision, which have a type because the author declares it."""

    def copy(self, statement: str) -> tuple[str, int]:
        """The COPY of a statement, with arrays as JSON, and where in it the statement begins."""
        before, after = "copy (", "\n) to stdout (format csv)"
        if self.arrays:
            columns = ", ".join(
                f"pg_catalog.to_json({quoted(name)})" if name in self.arrays else quoted(name)
                for name in self.schema.names
            )
            before, after = f"{before}select {columns} from (", f"\n) as result{after[1:]}"
        return f"{before}{statement}{after}", len(before)

    def parse(self, block: bytes) -> pa.RecordBatch:
        """Whole rows of CSV as one batch; raises TypeMappingError with the column at fault."""
        names = [str(index) for index in range(len(self.schema))]
        # Arrow's CSV reader looks at the digits of a number, not at those that its scale adds.
        types = {
            n: pa.string() if field.name in self.unbounded else _read_as(field.type)
            for n, field in zip(names, self.schema, strict=True)
        }
        try:
            table = pa.csv.read_csv(
                pa.py_buffer(block),
                pa.csv.ReadOptions(
                    column_names=names, use_threads=False, block_size=len(block) + 1
                ),
                pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                pa.csv.ConvertOptions(
                    column_types=types,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    true_values=["t"],
                    false_values=["f"],
                ),
            )
        except pa.ArrowInvalid as error:
            raise _named(error, self.schema.names) from None
        columns = [
            _declared(column.combine_chunks(), field)
            if field.name in self.unbounded
            else _finished(column.combine_chunks(), field)
            for column, field in zip(table.columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def not_known(columns: Sequence[Column]) -> set[int]:
    """Types of which only the database's catalogue says whether they are arrays."""
    return {column.type for column in columns} - {_NUMERIC, *_TYPES, *_TEXTS, *_REFUSED}


def copy_columns(
    columns: Sequence[Column], elements: Mapping[int, int], declared: Mapping[str, pa.DataType]
) -> CopyColumns:
    """What a COPY of these columns gives.

    `elements` are the types that are arrays, and what they are arrays of. A numeric without a
    precision has the type that is declared for it.
    Raises TypeMappingError naming every column that no file keeps exactly.
    """
    faults = []
    fields = []
    unbounded: list[str] = []
    for column in columns:
        name = column.name
        try:
            if _is_unbounded(column) and _holds_numbers(declared.get(name)):
                unbounded.append(name)
                fields.append(pa.field(name, declared[name]))
            else:
                fields.append(pa.field(name, _file_type(column, elements)))
        except TypeMappingError as error:
            faults.append(f"column {name!r}: {error}")
    if faults:
        raise TypeMappingError("; ".join(faults))
    arrays = frozenset(column.name for column in columns if column.type in elements)
    return CopyColumns(tuple(columns), file_schema(pa.schema(fields)), arrays, frozenset(unbounded))


def _file_type(column: Column, elements: Mapping[int, int]) -> pa.DataType:
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
        raise TypeMappingError(
            f"numeric without a precision has no exact type in files: give it one, "
            f"e.g. {column.name}::numeric(38, 9), or declare its type in 'columns'"
        )
    precision = ((column.modifier - 4) >> 16) & 0xFFFF
    scale = ((column.modifier - 4) & 0x7FF ^ 0x400) - 0x400
    # numeric(3, -2) has five digits before the point, numeric(3, 5) has five behind it.
    return number(max(precision, precision - scale, scale), max(0, scale))


def _is_unbounded(column: Column) -> bool:
    return column.type == _NUMERIC and column.modifier < 0


def _read_as(kind: pa.DataType) -> pa.DataType:
    """What Arrow's CSV reader makes of a column; what it cannot, is made of its text afterwards."""
    return pa.string() if pa.types.is_binary(kind) or pa.types.is_decimal256(kind) else kind


def _finished(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_decimal256(field.type):
        return column.cast(field.type)
    if not pa.types.is_binary(field.type):
        return column
    digits = [None if value is None else bytes.fromhex(value[2:]) for value in column.to_pylist()]
    return pa.array(digits, pa.binary())


def _declared(text: pa.StringArray, field: pa.Field) -> pa.Array:
    try:
        return exact_number(text, field.type)
    except Misfit as misfit:
        raise TypeMappingError(
            f"column {field.name!r} has {misfit.value}, which does not fit its declared type "
            f"{field.type} exactly: declare a wider type, or round it in the SQL"
        ) from None


def _holds_numbers(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_decimal(kind) or pa.types.is_integer(kind))


_COLUMN = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?(.*)", re.DOTALL)


def _named(error: Exception, names: list[str]) -> TypeMappingError:
    """Arrow's complaint about a value, with the column's name."""
    found = _COLUMN.search(str(error))
    if not found:  # without Arrow's words, which quote the row
        return TypeMappingError(f"the server sent a row that has not these {len(names)} columns")
    return TypeMappingError(
        f"column {names[int(found.group(1))]!r}: {found.group(2)}; files have no such value: "
        f"replace it in the SQL, or cast the column to text"
    )

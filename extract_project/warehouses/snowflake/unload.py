"""The SQL with which Snowflake summarizes and writes the result of a query that has run.

Both read `result_scan`, so the query runs once. The same expression for each column is summarized
and written, so that the summary is about the values in the files.

Sources: https://docs.snowflake.com/en/sql-reference/sql/copy-into-location, and for the types
https://docs.snowflake.com/en/user-guide/data-unload-considerations: a NUMBER becomes a DECIMAL
unless it is cast to BIGINT; TIMESTAMP_LTZ and TIMESTAMP_TZ are refused. In which unit a timestamp
is written is not said: the files tell, and what is not exact is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.sql_quoting import backslashed, identifier
from extract_project.warehouses.unloading import WrittenFile

if TYPE_CHECKING:
    from extract_project.warehouses.snowflake.types import Column, SnowflakeColumns

_FILE_BYTES = 256 << 20
_SHOWN = 100
_FIRST_ROWS = 10
_WIDEST_INT64 = 18
_MICROS = 6
_TEXT, _JSON, _ZONED = (2,), (5, 9, 10), (6, 7)
"""Type codes: see `types`."""


def summary_sql(columns: SnowflakeColumns, query_id: str) -> str:
    """One row: the number of rows, their digest, and then for each column its NULLs, its lowest
    and highest value, and a value that its type in the file does not hold.
    """
    written = list(_written(columns).values())
    asked = ["count(*)", f"to_varchar(hash_agg({', '.join(written)}))"]
    for field, known, value in zip(columns.schema, columns.described, written, strict=True):
        name, misfit = _name(field), _misfit(field, known)
        ends = f"iff({misfit}, null, {_ends(field, value)})"
        asked += [f"count_if({value} is null)", f"min({ends})", f"max({ends})"]
        asked.append(f"max(iff({misfit}, {name}, null))::varchar")
    named = (f"{each} as c{number}" for number, each in enumerate(asked))
    return f"select {', '.join(named)} from {_scan(query_id)}"


def first_rows_sql(columns: SnowflakeColumns, query_id: str) -> str:
    """A few rows of the result, with as much of a long text as is shown."""
    fields, written = columns.schema, _written(columns).items()
    shown = {
        name: f"left({value}, {_SHOWN})" if pa.types.is_string(field.type) else value
        for field, (name, value) in zip(fields, written, strict=True)
    }
    return f"{_selected(shown)} from {_scan(query_id)} limit {_FIRST_ROWS}"


def rows_sql(columns: SnowflakeColumns, query_id: str) -> str:
    """The rows of the result, as they are written."""
    return f"{_selected(_written(columns))} from {_scan(query_id)}"


def nulls_sql(columns: SnowflakeColumns) -> str:
    """One row of the same types, with a NULL in each column."""
    return _selected(_written(columns, _null))


def copy_sql(rows: str, uri: str, integration: str, kms_key_id: str | None) -> str:
    """Write rows below the URI, and list each file."""
    key = f" kms_key_id = {backslashed(kms_key_id)}" if kms_key_id else ""
    encryption = f"encryption = (type = 'AWS_SSE_KMS'{key}) " if kms_key_id else ""
    return (
        f"copy into {backslashed(uri)} from ({rows}) "
        f"storage_integration = {integration} {encryption}"
        f"file_format = (type = parquet compression = snappy) header = true "
        f"include_query_id = true detailed_output = true max_file_size = {_FILE_BYTES}"
    )


def files_of(rows: Iterable[Sequence[object]]) -> Iterator[WrittenFile]:
    """Read what `copy_sql` lists: name, bytes and rows of each file."""
    for name, size, count in rows:
        yield WrittenFile(str(name).rpartition("/")[2], int(str(size)), int(str(count)))


def _selected(written: Mapping[str, str]) -> str:
    return f"select {', '.join(f'{value} as {name}' for name, value in written.items())}"


def _written(
    columns: SnowflakeColumns, source: Callable[[pa.Field, Column], str] | None = None
) -> Mapping[str, str]:
    """The expression of each column in the files, by its quoted name.

    `source` makes what it is an expression of; by default that is the column.

    Raises TypeMappingError that names every column that Snowflake does not write exactly.
    """
    found = {
        _name(field): _expression(field, known, source(field, known) if source else _name(field))
        for field, known in zip(columns.schema, columns.described, strict=True)
    }
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise TypeMappingError(
            f"snowflake does not write the type of {', '.join(missing)} to Parquet exactly: cast "
            f"it in the SQL (a timestamp with a zone as convert_timezone('UTC', x)::timestamp_ntz, "
            f"others as x::varchar), or write 'engine: stream'"
        )
    return {name: value for name, value in found.items() if value is not None}


def _expression(field: pa.Field, known: Column, name: str) -> str | None:
    kind = field.type
    if known.type_code in _ZONED:
        return None
    if known.type_code in _JSON:
        return f"to_json({name})"
    if pa.types.is_string(kind):
        return name if known.type_code in _TEXT else None
    if pa.types.is_int64(kind):
        return f"{name}::bigint"
    if pa.types.is_decimal(kind):
        return f"{name}::number({kind.precision}, {kind.scale})"
    if pa.types.is_float64(kind):
        return f"{name}::double"
    if pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        target = "time" if pa.types.is_time(kind) else "timestamp_ntz"
        return f"{name}::{target}({_digits(kind)})"
    if pa.types.is_date32(kind) or pa.types.is_boolean(kind) or pa.types.is_binary(kind):
        return name
    return None


def _misfit(field: pa.Field, known: Column) -> str:
    """The condition of a value that its type in the file does not hold."""
    name, kind = _name(field), field.type
    if pa.types.is_int64(kind) and (known.precision or 0) > _WIDEST_INT64:
        return f"{name} not between {-(2**63)} and {2**63 - 1}"
    if pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        return f"{name} <> {_expression(field, known, name)}"
    return "false"


def _null(field: pa.Field, known: Column) -> str:
    """A NULL of the column's own type."""
    if known.type_code in _JSON:
        return "null::variant"
    kinds = (
        (pa.types.is_string, "varchar"),
        (pa.types.is_floating, "double"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_date, "date"),
        (pa.types.is_time, "time"),
        (pa.types.is_timestamp, "timestamp_ntz"),
        (pa.types.is_binary, "binary"),
    )
    kind = next((name for is_kind, name in kinds if is_kind(field.type)), "number(38, 0)")
    return f"null::{kind}"


def _ends(field: pa.Field, value: str) -> str:
    """What the lowest and highest value are taken of; NULL for types without an order."""
    if pa.types.is_binary(field.type):
        return "null::number(1, 0)"
    if pa.types.is_boolean(field.type):
        return f"{value}::number(1, 0)"
    if pa.types.is_string(field.type):
        return f"left({value}, {_SHOWN})"
    if pa.types.is_floating(field.type):
        return f"nullif({value}, 'NaN'::double)"
    return value


def _digits(kind: pa.DataType) -> int:
    return _MICROS if kind.unit == "us" else 9


def _name(field: pa.Field) -> str:
    return identifier(field.name)


def _scan(query_id: str) -> str:
    return f"table(result_scan({backslashed(query_id)}))"

"""The SQL with which Redshift keeps a query's result, summarizes it, and writes it.

The result is kept in a temporary table, because `unload` takes no bind parameters, and a query that
ran for the summary and again for the files might give other rows. `insert … select` is among the
statements that take parameters:
https://docs.aws.amazon.com/redshift/latest/dg/r_PREPARE.html. The same expression for each column
is summarized and written, so that the summary is about the values in the files.

Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html, also for the types: VARBYTE,
GEOMETRY and HLLSKETCH are not written to Parquet, and of a TIMESTAMPTZ the zone is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.sql_quoting import identifier
from extract_project.warehouses.libpq.connection import Column
from extract_project.warehouses.meaning import incomplete, understood
from extract_project.warehouses.redshift.names import is_clear, quoted
from extract_project.warehouses.redshift.types import RedshiftColumns, digits
from extract_project.warehouses.unloading import WrittenFile

RESULT, ATTEMPT = "extract_project_result", "extract_project_attempt"
"""Temporary tables; no table or column of the author's is called so."""
_HASH = "extract_project_hash"
MANIFEST = "manifest"
HASHED_BY = "redshift md5"
_FILE_MEGABYTES = 256
_SHOWN = 100
_FIRST_ROWS = 10
_WIDEST_INT64 = 18
_MOST_COLUMNS = 399
"""The summary has four for each; a statement of Redshift's has 1,600."""
_LONGEST_TEXT, _LENGTH_BYTES = 65_535, 4
_CHAR, _VARCHAR, _NUMERIC, _OID = 1042, 1043, 1700, 26
_TIMESTAMPTZ, _SUPER, _VARBYTE = 1184, 4000, 6551
_TYPES: Mapping[int, str] = {
    16: "boolean",
    20: "bigint",
    21: "smallint",
    23: "integer",
    701: "double precision",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    _TIMESTAMPTZ: "timestamptz",
    _SUPER: "super",
}
_TEXTS = frozenset((18, 19, 25, 705, _VARCHAR))
_NOT_WRITTEN = {
    _TIMESTAMPTZ: "{} at time zone 'UTC'",
    _SUPER: "json_serialize({})",
    _VARBYTE: "from_varbyte({}, 'hex')",
}
"""What Redshift does not write to Parquet exactly, and what it does instead."""
_KEPT_AS = {_NUMERIC: "decimal(38, 9)", _OID: "bigint"}


def require_writable(columns: RedshiftColumns) -> None:
    """Raise TypeMappingError that names every column that Redshift does not write exactly."""
    if len(columns.described) > _MOST_COLUMNS:
        raise TypeMappingError(
            f"redshift cannot summarize {len(columns.described)} columns, but {_MOST_COLUMNS} at "
            f"most: select fewer, or write 'engine: stream'"
        )
    faults = [
        f"column {each.name!r}: write {_NOT_WRITTEN[each.type].format(each.name)}"
        for each in columns.described
        if each.type in _NOT_WRITTEN
    ]
    if faults:
        raise TypeMappingError(
            f"redshift does not write these columns to Parquet exactly: {'; '.join(faults)}, or "
            f"write 'engine: stream'"
        )


def table_sql(table: str, columns: RedshiftColumns) -> str:
    """Make a temporary table with these columns.

    Raises TypeMappingError that names every column that it would not keep exactly.
    """
    types = {each.name: _type(each) for each in columns.described}
    faults = [
        f"column {each.name!r}: cast it, cast({each.name} as {_KEPT_AS.get(each.type, 'varchar')})"
        for each in columns.described
        if types[each.name] is None
    ]
    faults += [
        f"column {name!r} has a backslash in its name: rename it"
        for name in types
        if not is_clear(name)
    ]
    if faults:
        raise TypeMappingError(
            f"a table of redshift's does not keep these columns exactly: {'; '.join(faults)}, or "
            f"write 'engine: stream'"
        )
    described = ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items())
    return f"create temporary table {table} ({described})"


def nulls_sql(table: str, columns: RedshiftColumns) -> str:
    """Insert a row with a NULL in each column."""
    return f"insert into {table} values ({', '.join('null' for _ in columns.described)})"


def kept_sql(columns: RedshiftColumns) -> str:
    """The rows of the result, as the query gave them."""
    return f"select {', '.join(identifier(each.name) for each in columns.described)} from {RESULT}"


def summary_sql(columns: RedshiftColumns) -> str:
    """One row: see `warehouses.summary_row.summary_of`."""
    asked = [
        "count(*)",
        f"sum(strtol(left({_HASH}, 15), 16)::decimal(38, 0))::varchar || '-' || "
        f"sum(strtol(substring({_HASH}, 16, 15), 16)::decimal(38, 0))::varchar",
    ]
    hashes = []
    for field, column in zip(columns.schema, columns.described, strict=True):
        name, value = identifier(column.name), _written(field, column)
        misfit = _misfit(field, column)
        ends = _ends(field, value)
        if misfit:
            ends = f"case when {misfit} then null else {ends} end"
        kept = f"(case when {misfit} then {name} end)" if misfit else "null"
        asked += [
            f"count(*) - count({name})",
            f"min({ends})",
            f"max({ends})",
            f"max({kept}::varchar)",
        ]
        hashes.append(f"coalesce(md5({_hashed(field, name)}), 'null')")
    named = (f"{each} as c{number}" for number, each in enumerate(asked))
    rows = f"select *, md5({' || '.join(hashes)}) as {_HASH} from {RESULT}"
    return f"select {', '.join(named)} from ({rows}) as result"


def first_rows_sql(columns: RedshiftColumns) -> str:
    """A few rows of the result, with as much of a long text as is shown."""

    def shown(field: pa.Field, value: str) -> str:
        return f"left({value}, {_SHOWN})" if pa.types.is_string(field.type) else value

    return f"{_selected(columns, RESULT, shown)} limit {_FIRST_ROWS}"


def unload_sql(
    table: str,
    columns: RedshiftColumns,
    uri: str,
    *,
    role: str,
    region: str | None,
    kms_key_id: str | None,
) -> str:
    """Write a table's rows below the URI, with a manifest beside them."""
    who = role if role == "default" else quoted(role)
    return " ".join(
        (
            f"unload ({quoted(_selected(columns, table))}) to {quoted(uri)} iam_role {who}",
            *([f"kms_key_id {quoted(kms_key_id)} encrypted"] if kms_key_id else []),
            f"format as parquet manifest verbose maxfilesize {_FILE_MEGABYTES} mb",
            *([f"region {quoted(region)}"] if region else []),
        )
    )


def files_of(manifest: bytes, uri: str) -> Iterator[WrittenFile]:
    """The files that a manifest lists; raises a transient WarehouseError if it contradicts
    itself."""
    rows = size = 0
    with understood("the manifest of redshift"):
        found = json.loads(manifest)
        for entry in found["entries"]:
            meta = entry["meta"]
            file = WrittenFile(
                str(entry["url"]).removeprefix(uri),
                int(meta["content_length"]),
                int(meta["record_count"]),
            )
            rows, size = rows + file.rows, size + file.bytes
            yield file
        total = found["meta"]
        said = int(total["record_count"]), int(total["content_length"])
    if said != (rows, size):
        raise incomplete(
            f"the manifest of redshift lists {rows:,} rows in {size:,} bytes, and says that there "
            f"are {said[0]:,} in {said[1]:,}"
        )


def _selected(
    columns: RedshiftColumns,
    table: str,
    shown: Callable[[pa.Field, str], str] = lambda _, value: value,
) -> str:
    values = (
        f"{shown(field, _written(field, column))} as {identifier(column.name)}"
        for field, column in zip(columns.schema, columns.described, strict=True)
    )
    return f"select {', '.join(values)} from {table}"


def _written(field: pa.Field, column: Column) -> str:
    """The expression of a column in the files."""
    name = identifier(column.name)
    return f"{name}::bigint" if _is_narrowed(field, column) else name


def _is_narrowed(field: pa.Field, column: Column) -> bool:
    """Whether a number of Redshift's is an integer in the file."""
    return digits(column) is not None and bool(pa.types.is_int64(field.type))


def _misfit(field: pa.Field, column: Column) -> str | None:
    """The condition of a value that its type in the file does not hold, if there may be one."""
    known = digits(column)
    if known is None or not _is_narrowed(field, column) or known[0] <= _WIDEST_INT64:
        return None
    return f"{identifier(column.name)} not between {-(2**63)} and {2**63 - 1}"


def _ends(field: pa.Field, value: str) -> str:
    """What the lowest and highest value are taken of."""
    if pa.types.is_boolean(field.type):
        return f"{value}::integer"
    if pa.types.is_string(field.type):
        return f"left({value}, {_SHOWN})"
    if pa.types.is_floating(field.type):
        return f"nullif({value}, 'NaN'::double precision)"
    return value


def _hashed(field: pa.Field, name: str) -> str:
    """A text that is equal for equal values, and only for those."""
    if pa.types.is_boolean(field.type):
        return f"{name}::integer::varchar"
    if pa.types.is_floating(field.type):  # of its bytes: its text may be rounded
        return f"fnv_hash({name})::varchar"
    return name if pa.types.is_string(field.type) else f"{name}::varchar"


def _type(column: Column) -> str | None:
    """The type of a column of a temporary table; None if none is known to keep it exactly."""
    if column.type in _TYPES:
        return _TYPES[column.type]
    known = digits(column)
    if known is not None:
        return f"decimal({known[0]}, {known[1]})"
    length = column.modifier - _LENGTH_BYTES
    if column.type == _VARBYTE:
        return f"varbyte({length})" if length > 0 else None
    if column.type == _CHAR and length > 0:
        return f"char({length})"
    if column.type in _TEXTS or column.type == _CHAR:
        has_length = column.type == _VARCHAR and 0 < length < _LONGEST_TEXT
        return f"varchar({length if has_length else _LONGEST_TEXT})"
    return None

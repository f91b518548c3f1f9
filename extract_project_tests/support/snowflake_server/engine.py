"""Answer queries from a DuckDB database, or as a test has scripted.

SQL is rewritten from Snowflake's dialect to DuckDB's by sqlglot. As in Snowflake, unquoted names
become upper case, and every integer column is NUMBER(38, 0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from extract_project_tests.support.snowflake_server.parameters import DEFAULTS
from extract_project_tests.support.snowflake_server.unload import COPY, Unloading
from extract_project_tests.support.snowflake_server.wire import Chunk, Column, chunk, wire_array

_CHUNK_ROWS = 50_000
_CHANGE = "system$last_change_commit_time"
_BIGINT = re.compile(r"(?<=::)bigint\b")
"""A synonym of NUMBER(38, 0), but in `copy into`, where it is INT64."""
_RESULT_SCAN = re.compile(r"table\(result_scan\('([^']+)'\)\)")


class SnowflakeError(Exception):
    """A failed statement: Snowflake's code, its SQLSTATE and its message."""

    def __init__(self, code: str, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.code, self.sqlstate, self.message = code, sqlstate, message


CANCELLED = SnowflakeError("000604", "57014", "SQL execution canceled")


@dataclass(frozen=True)
class Answer:
    """The result of a statement, computed or scripted by a test."""

    columns: Sequence[Column]
    chunks: Sequence[Chunk]
    times: int = 1
    """How often each chunk is sent, each time under another address: long results cost nothing."""
    rowset: Sequence[Sequence[str | None]] | None = None
    """Rows as text instead of chunks, as for `show` and `describe`."""
    total: int | None = None
    """The number of rows that the reply claims, if it is to be wrong."""
    without: tuple[str, ...] = ()
    """Keys that are missing in the reply."""

    @property
    def rows(self) -> int:
        if self.total is not None:
            return self.total
        if self.rowset is not None:
            return len(self.rowset)
        return self.times * sum(each.rows for each in self.chunks)


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], chunk_rows: int = _CHUNK_ROWS
) -> Answer:
    """A scripted result from Python values, row by row."""
    given = [list(row) for row in rows]
    arrays = [
        wire_array(column, [row[index] for row in given]) for index, column in enumerate(columns)
    ]
    batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
    return Answer(columns, list(_cut(columns, [batch], chunk_rows)))


def _cut(
    columns: Sequence[Column], batches: Iterable[pa.RecordBatch], chunk_rows: int
) -> Iterator[Chunk]:
    for batch in batches:
        for start in range(0, batch.num_rows, chunk_rows):
            yield chunk(columns, batch.slice(start, chunk_rows))


@dataclass
class Engine:
    """One database, with a new cursor for every statement."""

    path: str = ":memory:"
    chunk_rows: int = _CHUNK_ROWS
    read_only: bool = False
    reuse_results: bool = False
    """Whether a repeated statement gets its earlier answer without running, to measure readers
    alone.
    """
    repeat: int = 1
    """How often each chunk of an answer is sent."""
    changed: dict[str, int] = field(default_factory=dict)
    """The answer of SYSTEM$LAST_CHANGE_COMMIT_TIME for each existing table."""
    unloading: Unloading = field(default_factory=Unloading)
    scripted: dict[str, Answer | SnowflakeError] = field(default_factory=dict)
    """Answers by SQL text, header and comments aside."""

    def __post_init__(self) -> None:
        self._database = duckdb.connect(self.path, read_only=self.read_only)
        self._database.execute("set timezone = 'UTC'")
        self._database.execute("set enable_progress_bar = false")
        self._database.execute("attach ':memory:' as results (read_write)")
        self._statements: dict[str, tuple[str, Sequence[Any]]] = {}

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The cursor for one statement; cancelling interrupts it."""
        return self._database.cursor()

    def script(self, sql: str, answer: Answer | SnowflakeError) -> None:
        """Give this answer to this statement from now on."""
        self.scripted[_bare(sql)] = answer

    def describe(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        binds: Sequence[Any],
        parameters: Mapping[str, str] = DEFAULTS,
    ) -> Answer:
        """The columns of a statement, which does not run."""
        scripted = self._scripted(sql)
        if scripted:
            return Answer(scripted.columns, [])
        _prepare(cursor, parameters)
        text = f"select * from ({_duckdb_sql(sql, parameters)}) limit 0"
        reader = self._execute(cursor, text, sql, binds)
        return Answer(_columns(cursor, reader.schema), [])

    def run(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        binds: Sequence[Any],
        parameters: Mapping[str, str] = DEFAULTS,
        query_id: str = "",
    ) -> Answer:
        """Run a statement; raises SnowflakeError, also if the cursor is interrupted."""
        scripted = self._scripted(sql)
        if scripted:
            return scripted
        if _CHANGE in sql:
            return self._changes(sql)
        _prepare(cursor, parameters)
        if found := COPY.fullmatch(sql):
            return self._unload(cursor, found, sql, query_id)
        self._keep_results(cursor, sql)
        text = _duckdb_sql(_BIGINT.sub("number(38, 0)", sql), parameters)
        reader = self._execute(cursor, text, sql, binds)
        self._statements[query_id] = text, binds
        columns = _columns(cursor, reader.schema)
        try:
            batches = (_on_the_wire(columns, batch) for batch in reader)
            chunks = list(_cut(columns, batches, self.chunk_rows))
            answer = Answer(columns, chunks, self.repeat)
        except (duckdb.Error, OSError) as error:
            raise _explained(error, sql) from error
        if self.reuse_results and not binds:
            self.script(sql, answer)
        return answer

    def _unload(
        self, cursor: duckdb.DuckDBPyConnection, found: re.Match[str], sql: str, query_id: str
    ) -> Answer:
        if found["integration"].upper() not in self.unloading.integrations:
            raise SnowflakeError(
                "002003",
                "02000",
                f"SQL compilation error:\nIntegration '{found['integration'].upper()}' does not "
                f"exist or not authorized.",
            )
        self._keep_results(cursor, sql)
        reader = self._execute(cursor, _duckdb_sql(found["query"]), sql, [])
        try:
            rows = reader.read_all()
        except (duckdb.Error, OSError) as error:
            raise _explained(error, sql) from error
        files = self.unloading.write(found, query_id, [rows])
        columns = [
            Column("FILE_NAME", "TEXT", length=100),
            Column("FILE_SIZE", "FIXED", 38, 0),
            Column("ROW_COUNT", "FIXED", 38, 0),
        ]
        return Answer(columns, [], rowset=[[str(value) for value in file] for file in files])

    def _keep_results(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Make tables of the results that a statement scans."""
        for query_id in _RESULT_SCAN.findall(sql):
            text, binds = self._statements[query_id]
            name = f'results.main."{query_id}"'
            try:
                cursor.execute(f"create table if not exists {name} as {text}", list(binds))
            except duckdb.Error as error:
                raise _explained(error, sql) from error

    def _changes(self, sql: str) -> Answer:
        """One unknown table fails the whole statement."""
        names = re.findall(rf"{re.escape(_CHANGE)}\('((?:[^']|'')*)'\)", sql)
        for name in names:
            if name not in self.changed:
                raise SnowflakeError(
                    "002003",
                    "02000",
                    f"SQL compilation error:\nObject '{name.upper()}' does not exist or not "
                    f"authorized.",
                )
        columns = [Column(f"{_CHANGE}('{name}')", "FIXED", 38, 0) for name in names]
        return table(columns, [[self.changed[name] for name in names]])

    def _scripted(self, sql: str) -> Answer | None:
        answer = self.scripted.get(_bare(sql))
        if isinstance(answer, SnowflakeError):
            raise answer
        return answer

    def _execute(
        self, cursor: duckdb.DuckDBPyConnection, text: str, sql: str, binds: Sequence[Any]
    ) -> pa.RecordBatchReader:
        try:
            cursor.execute(text, list(binds))
            return cursor.to_arrow_reader(self.chunk_rows)
        except duckdb.Error as error:
            raise _explained(error, sql) from error


def _bare(sql: str) -> str:
    return re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL).strip()


def _prepare(cursor: duckdb.DuckDBPyConnection, parameters: Mapping[str, str]) -> None:
    """Set the parameters that DuckDB has as well."""
    cursor.execute(f"set timezone = '{parameters['TIMEZONE']}'")
    nulls = "nulls_first" if parameters["DEFAULT_NULL_ORDERING"] == "FIRST" else "nulls_last"
    cursor.execute(f"set default_null_order = '{nulls}'")


def _duckdb_sql(sql: str, parameters: Mapping[str, str] = DEFAULTS) -> str:
    sql = _RESULT_SCAN.sub(r'results.main."\1"', sql)
    try:
        # sqlglot takes `?::` for one operator.
        tree = sqlglot.parse_one(sql.replace("?::", "? ::"), read="snowflake")
    except sqlglot.ParseError as error:
        first = error.errors[0]
        raise SnowflakeError(
            "001003",
            "42000",
            f"SQL compilation error:\nsyntax error line {first['line']} at position "
            f"{max(0, first['col'] - len(first['highlight']))} unexpected '{first['highlight']}'.",
        ) from error
    ignores_case = parameters["QUOTED_IDENTIFIERS_IGNORE_CASE"] == "true"
    with_zone = parameters["TIMESTAMP_TYPE_MAPPING"] != "TIMESTAMP_NTZ"
    for node in list(tree.walk()):
        if isinstance(node, exp.HashAgg):
            hashed = exp.func("hash", node.this, *node.expressions)
            node.replace(exp.func("sum", hashed))
        if ignores_case and isinstance(node, exp.Identifier):
            node.set("this", node.this.upper())
        if with_zone and isinstance(node, exp.DataType) and node.is_type("timestamp"):
            node.set("this", exp.DataType.Type.TIMESTAMPTZ)
    return normalize_identifiers(tree, dialect="snowflake").sql(dialect="duckdb")


def _explained(error: Exception, sql: str) -> SnowflakeError:
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
        return CANCELLED
    if missing := re.search(r'Referenced column "(\w+)" not found', text):
        line, position = _place(sql, missing.group(1))
        return SnowflakeError(
            "000904",
            "42000",
            f"SQL compilation error: error line {line} at position {position}\n"
            f"invalid identifier '{missing.group(1).upper()}'",
        )
    if missing := re.search(r"Table with name (\w+) does not exist", text):
        return SnowflakeError(
            "002003",
            "42S02",
            f"SQL compilation error:\nObject '{missing.group(1).upper()}' does not exist "
            f"or not authorized.",
        )
    return SnowflakeError("100038", "22018", text.splitlines()[0])


def _place(sql: str, word: str) -> tuple[int, int]:
    """Line from 1 and position from 0, as Snowflake counts."""
    found = re.search(rf"\b{word}\b", sql, re.IGNORECASE)
    start = found.start() if found else 0
    return sql.count("\n", 0, start) + 1, start - (sql.rfind("\n", 0, start) + 1)


def _columns(cursor: duckdb.DuckDBPyConnection, schema: pa.Schema) -> list[Column]:
    types = [str(each[1]) for each in cursor.description or []]
    return [
        _column(field.name, kind, field.type) for field, kind in zip(schema, types, strict=True)
    ]


def _column(name: str, kind: str, arrow: pa.DataType) -> Column:
    if kind == "JSON":
        return Column(name, "VARIANT")
    if pa.types.is_integer(arrow):
        return Column(name, "FIXED", 38, 0)
    if pa.types.is_decimal(arrow):
        return Column(name, "FIXED", arrow.precision, arrow.scale)
    if pa.types.is_floating(arrow):
        return Column(name, "REAL")
    if pa.types.is_boolean(arrow):
        return Column(name, "BOOLEAN")
    if pa.types.is_date(arrow):
        return Column(name, "DATE")
    if pa.types.is_time(arrow):
        return Column(name, "TIME", scale=6)
    if pa.types.is_timestamp(arrow):
        scale = {"s": 0, "ms": 3, "us": 6, "ns": 9}[arrow.unit]
        return Column(name, "TIMESTAMP_LTZ" if arrow.tz else "TIMESTAMP_NTZ", scale=scale)
    if pa.types.is_binary(arrow):
        return Column(name, "BINARY", length=8_388_608)
    if pa.types.is_nested(arrow):
        return Column(name, "OBJECT" if pa.types.is_struct(arrow) else "ARRAY")
    return Column(name, "TEXT", length=16_777_216)


def _on_the_wire(columns: Sequence[Column], batch: pa.RecordBatch) -> pa.RecordBatch:
    arrays = [
        _physical(column, array) for column, array in zip(columns, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _physical(column: Column, array: pa.Array) -> pa.Array:
    kind = array.type
    if column.type == "FIXED" and pa.types.is_integer(kind):
        return array.cast(pa.int64())
    if column.type == "FIXED":
        buffers = array.buffers()
        return pa.Array.from_buffers(
            pa.decimal128(38, 0), len(array), buffers, array.null_count, array.offset
        )
    if column.type == "REAL":
        return array.cast(pa.float64())
    if column.type == "TIME" or (pa.types.is_timestamp(kind) and kind.unit != "ns"):
        return array.cast(kind if pa.types.is_time(kind) else pa.timestamp(kind.unit)).view(
            pa.int64()
        )
    if pa.types.is_timestamp(kind):
        return wire_array(column, array.cast(pa.timestamp("ns")).view(pa.int64()).to_pylist())
    if pa.types.is_nested(kind):
        values = [None if v is None else json.dumps(v, default=str) for v in array.to_pylist()]
        return pa.array(values, pa.string())
    return array

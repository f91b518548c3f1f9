"""Answer statements from a DuckDB database, or as a test has scripted.

SQL is rewritten from Databricks' dialect to DuckDB's by sqlglot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

_CHUNK_ROWS = 50_000
_HISTORY = re.compile(r"\s*describe history (.+?)(?: limit \d+)?\s*", re.IGNORECASE)


class StatementError(Exception):
    """A failed statement: its SQLSTATE, its message, and the service's code."""

    def __init__(self, sqlstate: str, message: str, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.sqlstate, self.message, self.code = sqlstate, message, code


class Interrupted(Exception):
    """The statement was cancelled, or ran into its timeout."""


@dataclass(frozen=True)
class Answer:
    """The result of a statement, computed or scripted by a test."""

    types: Sequence[str]
    """The SQL type of each column, as in `DECIMAL(10,2)`."""
    chunks: Sequence[pa.RecordBatch]
    schema: pa.Schema
    """What each chunk is sent with."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """What the manifest claims instead of the truth."""
    without: tuple[str, ...] = ()
    """What the manifest leaves out."""


def table(
    columns: Mapping[str, tuple[str, pa.Array]], chunk_rows: int = _CHUNK_ROWS, **manifest: Any
) -> Answer:
    """A scripted result: each column's SQL type and what is sent for it."""
    batch = pa.RecordBatch.from_arrays([array for _, array in columns.values()], list(columns))
    types = [kind for kind, _ in columns.values()]
    return Answer(types, _cut(batch, chunk_rows), batch.schema, manifest)


def _cut(batch: pa.RecordBatch, chunk_rows: int) -> list[pa.RecordBatch]:
    return [batch.slice(start, chunk_rows) for start in range(0, batch.num_rows, chunk_rows)]


@dataclass
class Engine:
    """One database, with a new cursor for every statement."""

    chunk_rows: int = _CHUNK_ROWS
    history: dict[str, list[tuple[int, datetime, str]]] = field(default_factory=dict)
    """The versions of each table, newest first: number, time, operation."""
    scripted: dict[str, Answer | StatementError] = field(default_factory=dict)
    """Answers by SQL text, comments aside."""

    def __post_init__(self) -> None:
        self._database = duckdb.connect()
        self._database.execute("set timezone = 'UTC'")
        self._database.execute("set enable_progress_bar = false")

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The cursor for one statement; cancelling interrupts it."""
        return self._database.cursor()

    def script(self, sql: str, answer: Answer | StatementError) -> None:
        """Give this answer to this statement from now on, and its columns when it is described."""
        self.scripted[_bare(sql)] = answer

    def run(
        self, cursor: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any], zone: str
    ) -> Answer:
        """Run a statement; raises StatementError, and Interrupted if the cursor is interrupted."""
        scripted = self._scripted(sql)
        if scripted:
            return scripted
        asked = _HISTORY.fullmatch(sql)
        if asked:
            return self._history(asked.group(1).replace("`", ""))
        try:
            cursor.execute(f"set timezone = '{zone}'")
            text = _duckdb_sql(sql)
            used = {name: value for name, value in values.items() if f"${name}" in text}
            cursor.execute(text, used or None)
            reader = cursor.to_arrow_reader(self.chunk_rows)
            schema = pa.schema([_wire(each, zone) for each in reader.schema])
            chunks = [batch.cast(schema) for batch in reader if batch.num_rows]
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise _explained(error, sql) from error
        return Answer([_sql_type(each.type) for each in reader.schema], chunks, schema)

    def _scripted(self, sql: str) -> Answer | None:
        bare = _bare(sql)
        described = re.fullmatch(r"select \* from \((.*)\) limit 0", bare, re.DOTALL)
        answer = self.scripted.get(described.group(1).strip() if described else bare)
        if isinstance(answer, StatementError):
            raise answer
        return Answer(answer.types, [], answer.schema) if answer and described else answer

    def _history(self, name: str) -> Answer:
        if name not in self.history:
            raise _no_table(name)
        versions = self.history[name]
        zone = pa.timestamp("us", "Etc/UTC")
        return table(
            {
                "version": ("BIGINT", pa.array([each[0] for each in versions], pa.int64())),
                "timestamp": ("TIMESTAMP", pa.array([each[1] for each in versions], zone)),
                "operation": ("STRING", pa.array([each[2] for each in versions], pa.string())),
            }
        )


def _bare(sql: str) -> str:
    return re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL).strip()


def _duckdb_sql(sql: str) -> str:
    if "information_schema.columns" in sql:  # which DuckDB has with a longer name
        sql = sql.replace(" comment\n", " column_comment as comment\n")
    try:
        return sqlglot.parse_one(sql, read="databricks").sql(dialect="duckdb")
    except sqlglot.ParseError as error:
        first = error.errors[0]
        raise StatementError(
            "42601",
            f"[PARSE_SYNTAX_ERROR] Syntax error at or near '{first['highlight']}'. "
            f"SQLSTATE: 42601 (line {first['line']}, pos "
            f"{max(0, first['col'] - len(first['highlight']))})",
        ) from error


def _no_table(name: str) -> StatementError:
    return StatementError(
        "42P01",
        f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{name}` cannot be found. Verify the "
        f"spelling and correctness of the schema and catalog. SQLSTATE: 42P01",
    )


def _explained(error: Exception, sql: str) -> Exception:
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
        return Interrupted()
    if missing := re.search(r'Referenced column "(\w+)" not found', text):
        line, position = _place(sql, missing.group(1))
        return StatementError(
            "42703",
            f"[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with "
            f"name `{missing.group(1)}` cannot be resolved. Did you mean one of the following? "
            f"[`id`]. SQLSTATE: 42703; line {line} pos {position}",
        )
    if missing := re.search(r"Table with name (\w+) does not exist", text):
        return _no_table(missing.group(1))
    return StatementError("22018", f"[CAST_INVALID_INPUT] {text.splitlines()[0]} SQLSTATE: 22018")


def _place(sql: str, word: str) -> tuple[int, int]:
    """Line from 1 and position from 0, as Databricks counts."""
    found = re.search(rf"\b{word}\b", sql, re.IGNORECASE)
    start = found.start() if found else 0
    return sql.count("\n", 0, start) + 1, start - (sql.rfind("\n", 0, start) + 1)


_NAMES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.binary(): "BINARY",
    pa.string(): "STRING",
}


def _sql_type(arrow: pa.DataType) -> str:
    types = pa.types
    if types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if types.is_timestamp(arrow):
        return "TIMESTAMP" if arrow.tz else "TIMESTAMP_NTZ"
    if types.is_list(arrow):
        return f"ARRAY<{_sql_type(arrow.value_type)}>"
    if types.is_map(arrow):
        return f"MAP<{_sql_type(arrow.key_type)}, {_sql_type(arrow.item_type)}>"
    if types.is_struct(arrow):
        fields = ", ".join(f"{each.name}: {_sql_type(each.type)}" for each in arrow.fields)
        return f"STRUCT<{fields}>"
    if arrow == pa.month_day_nano_interval():
        return "INTERVAL DAY TO SECOND"
    return _NAMES[arrow]


def _wire(column: pa.Field, zone: str) -> pa.Field:
    """As it is sent: an instant in the session's time zone."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        shown = {"UTC": "Etc/UTC"}.get(zone, zone)
        kind = pa.timestamp("us", shown if kind.tz else None)
    return pa.field(column.name, kind)


def value_of(parameter: Mapping[str, Any]) -> Any:
    """A bound value; raises StatementError where its text is not of its type."""
    kind, text = str(parameter.get("type") or "STRING"), parameter.get("value")
    if text is None:
        return None
    try:
        if kind in ("BIGINT", "INT"):
            return int(text)
        if kind.startswith("DECIMAL"):
            return Decimal(text)
        if kind == "BOOLEAN":
            return {"true": True, "false": False}[text]
        if kind == "DATE":
            return date.fromisoformat(text)
        if kind == "TIMESTAMP_NTZ":
            return datetime.fromisoformat(text)
        if kind == "TIMESTAMP":
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, KeyError, ArithmeticError) as error:
        raise StatementError("22018", f"[CAST_INVALID_INPUT] {text!r} is no {kind}") from error
    if kind != "STRING":
        raise StatementError("42K01", f"[INVALID_PARAMETER] unknown type {kind}")
    return text

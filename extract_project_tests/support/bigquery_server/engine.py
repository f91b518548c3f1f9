"""Answer queries from a DuckDB database, or as a test has scripted.

SQL is rewritten from BigQuery's dialect to DuckDB's by sqlglot (`translate`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from extract_project_tests.support.bigquery_server.fields import fields_of, sent_as
from extract_project_tests.support.bigquery_server.translate import (
    Refused,
    Translated,
    translated,
)

_CHUNK_ROWS = 50_000
_TAB = 8
Fields = Sequence[Mapping[str, Any]]
"""`fields` of a `TableSchema`."""


class QueryError(Exception):
    """A query that fails: BigQuery's reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Interrupted(Exception):
    """The job was cancelled, or ran into its timeout."""


@dataclass(frozen=True)
class Answer:
    """The result of a query, computed or scripted by a test."""

    fields: Fields
    schema: pa.Schema
    """That of the streams."""
    batches: Sequence[pa.RecordBatch] = ()
    rows: int | None = None
    """How many the API says that there are, instead of the truth."""
    described: Fields | None = None
    """What a dry run says of the columns instead."""

    @property
    def announced(self) -> int:
        found = sum(each.num_rows for each in self.batches)
        return found if self.rows is None else self.rows


def table(
    columns: Mapping[str, tuple[Mapping[str, Any] | str, pa.Array]],
    chunk_rows: int = _CHUNK_ROWS,
    **claims: Any,
) -> Answer:
    """A scripted result: of each column, its type or its field in the API, and what is sent."""
    fields = [
        {"name": name, "mode": "NULLABLE", **({"type": kind} if isinstance(kind, str) else kind)}
        for name, (kind, _) in columns.items()
    ]
    batch = pa.RecordBatch.from_arrays([array for _, array in columns.values()], list(columns))
    cut = [batch.slice(start, chunk_rows) for start in range(0, batch.num_rows, chunk_rows)]
    return Answer(fields, batch.schema, cut, **claims)


@dataclass
class Engine:
    """One database, with a new cursor for every query."""

    chunk_rows: int = _CHUNK_ROWS
    first: str = ""
    """What the database begins with, in DuckDB's SQL."""
    scripted: dict[str, Answer | QueryError] = field(default_factory=dict)
    """Answers by SQL text, comments aside."""
    fails: dict[str, QueryError] = field(default_factory=dict)
    """Queries that a dry run accepts, and how they fail."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """Opened when it is needed: most tests script their answers."""
        database = duckdb.connect()
        database.execute(f"set enable_progress_bar = false; {self.first}")
        return database

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The cursor for one query; cancelling interrupts it."""
        with self._lock:
            return self._database.cursor()

    def script(self, sql: str, answer: Answer | QueryError) -> None:
        """Give this answer to this query from now on, and its columns to a dry run."""
        self.scripted[_bare(sql)] = answer

    def read(self, sql: str, parameters: Sequence[Mapping[str, Any]]) -> Translated:
        """What the query is, by its text alone; raises QueryError."""
        if _bare(sql) in self.scripted:
            return Translated(sql, "SELECT", ())
        try:
            return translated(sql, parameters)
        except Refused as error:
            raise QueryError("invalidQuery", _placed(str(error), sql, error.word)) from error

    def run(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        parameters: Sequence[Mapping[str, Any]],
        zone: str,
        *,
        dry: bool,
    ) -> Answer:
        """Run a query, or describe it; raises QueryError, and Interrupted if it is interrupted."""
        scripted = self.scripted.get(_bare(sql))
        if isinstance(scripted, QueryError):
            raise scripted
        if scripted:
            return scripted
        if sql in self.fails and not dry:
            raise self.fails[sql]
        text, values = self.read(sql, parameters).text, _values(parameters)
        try:
            cursor.execute(f"set timezone = '{zone}'")
            used = {name: value for name, value in values.items() if f"${name}" in text}
            cursor.execute(f"select * from ({text}\n) limit 0" if dry else text, used or None)
            reader = cursor.to_arrow_reader(self.chunk_rows)
            schema = pa.schema([sent_as(each) for each in reader.schema])
            batches = [] if dry else [batch.cast(schema) for batch in reader if batch.num_rows]
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise _explained(error, sql) from error
        return Answer(fields_of(schema), schema, batches)


def _bare(sql: str) -> str:
    return re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL).strip()


def _values(parameters: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """As text; the query casts it to the type of the parameter."""
    return {f"value_of_{each['name']}": each["parameterValue"].get("value") for each in parameters}


def _explained(error: Exception, sql: str) -> Exception:
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
        return Interrupted()
    if missing := re.search(r'Referenced column "(\w+)" not found', text):
        name = missing.group(1)
        return QueryError("invalidQuery", _placed(f"Unrecognized name: {name}", sql, name))
    if missing := re.search(r"Table with name (\w+) does not exist", text):
        name = missing.group(1)
        return QueryError("notFound", f"Not found: Table acme:shop.{name} was not found")
    return QueryError("invalidQuery", text.splitlines()[0])


def _placed(message: str, sql: str, word: str) -> str:
    """With the place of a word, as ZetaSQL counts: characters, and tabs of eight columns."""
    found = re.search(rf"\b{re.escape(word)}\b", sql, re.IGNORECASE) if word else None
    start = found.start() if found else 0
    before = sql[sql.rfind("\n", 0, start) + 1 : start]
    column = 1
    for character in before:
        column += _TAB - (column - 1) % _TAB if character == "\t" else 1
    return f"{message} at [{sql.count(chr(10), 0, start) + 1}:{column}]"

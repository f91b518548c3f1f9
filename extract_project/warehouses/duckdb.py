"""DuckDB, embedded: a database file that others maintain, or one in memory.

The session can read its own tables and nothing else: the database is attached read-only, file and
network access are off, no extension loads, Python variables are invisible, and the configuration
is locked before the author's SQL is seen.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from extract_project.errors import Cause, TypeMappingError, WarehouseError
from extract_project.schema.choices import DEFAULTS, Integers, Timestamps, TypeChoices
from extract_project.schema.nested import first_index
from extract_project.sql.dialect import Dialect
from extract_project.sql.duckdb import DuckDB
from extract_project.values import Value
from extract_project.warehouses.protocol import FunctionNames, Label, Query, Rendered, TableChange

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_MEMORY = ":memory:"
_BATCH_ROWS = 8_192  # four of DuckDB's vectors: values may be long
_INFINITE_DATE, _INFINITE_TIMESTAMP = 2**31 - 1, 2**63 - 1
_HOURS_24 = {"us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_NO_ARROW_TYPE = re.compile(r"Unsupported Arrow type (\w+)")
_LINE = re.compile(r"^LINE (\d+): (.*)\n(\s*)\^", re.MULTILINE)


class DuckDBWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a DuckDB database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["duckdb"] = Field(description="Which kind of warehouse this is.")
    dialect: ClassVar[Dialect] = DuckDB()
    path: str = Field(
        _MEMORY, description="The database file, opened read-only, or `:memory:` for an empty one."
    )
    memory_limit: str = Field(
        "96MB", description="Memory of DuckDB's own buffers; beyond it, DuckDB spills to disk."
    )
    threads: int = Field(2, ge=1, description="How many threads DuckDB uses.")
    forbidden_functions: FunctionNames = frozenset()
    integers: Integers = DEFAULTS.integers
    timestamps: Timestamps = DEFAULTS.timestamps

    @property
    def types(self) -> TypeChoices:
        return TypeChoices(integers=self.integers, timestamps=self.timestamps)

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[DuckDBSession]:
        """Open the database; raises WarehouseError when the file is not there or not readable."""
        import duckdb

        with tempfile.TemporaryDirectory(prefix="extract-duckdb-") as spill:
            try:
                connection = duckdb.connect(
                    self.path,
                    read_only=self.path != _MEMORY,
                    config={
                        "memory_limit": self.memory_limit,
                        "threads": self.threads,
                        "temp_directory": spill,
                        "python_enable_replacements": False,
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                        "allow_community_extensions": False,
                    },
                )
            except duckdb.Error as error:
                locked = "lock" in str(error)
                raise WarehouseError(
                    f"duckdb database {self.path!r}: {error}",
                    cause=Cause.BUSY if locked else Cause.SETTINGS,
                    transient=locked,
                ) from error
            with connection:
                connection.execute("set enable_progress_bar = false")
                connection.execute("set timezone = 'UTC'")
                # Without it, 128-bit integers wrap around and times lose their zone.
                connection.execute("set arrow_lossless_conversion = true")
                connection.execute("set enable_external_access = false")
                connection.execute("set lock_configuration = true")
                session = DuckDBSession(connection, self.path)
                try:
                    yield session
                finally:
                    session.close()


class DuckDBSession:
    """One locked-down connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._opened: list[Any] = []

    def close(self) -> None:
        """Close what reads: as long as a reader is open, so is the database, in this process."""
        for reader in self._opened:
            reader.close()

    def execute(self, query: Query) -> DuckDBResult:
        rendered = query.render(_numbered(query))
        return DuckDBResult(self._reader(rendered, query), rendered, query)

    def describe(self, query: Query) -> pa.Schema:
        import pyarrow as pa

        from extract_project.schema.types import file_schema

        rendered = query.statement(_numbered(query))
        schema = self._reader(rendered, query, "from (", "\n) limit 0").schema
        names = self._names(rendered.text, query) or schema.names
        named = pa.schema([f.with_name(n) for f, n in zip(schema, names, strict=True)])
        return file_schema(named, query.types, query.declared)

    def _names(self, text: str, query: Query) -> list[str]:
        """The columns' own names: within another query, the second of two equal ones is renamed.

        Nothing for a statement that cannot be described, such as `show tables`.
        """
        import duckdb

        try:
            described = self._connection.execute(f"describe {text}", _values(query)).fetchall()
        except duckdb.Error:
            return []
        return [name for name, *_ in described]

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        """Of the database file as a whole: DuckDB keeps no time for each table."""
        files = [Path(self._path), Path(f"{self._path}.wal")]
        stats = [file.stat() for file in files if file.exists()]
        if not stats:
            return {}
        token = ":".join(f"{each.st_mtime_ns}-{each.st_size}" for each in stats)
        latest = datetime.fromtimestamp(max(each.st_mtime for each in stats), UTC)
        return dict.fromkeys(tables, TableChange(token, latest))

    def cancel(self) -> None:
        self._connection.interrupt()

    def _reader(self, rendered: Rendered, query: Query, before: str = "", after: str = "") -> Any:
        """`before` and `after` stand around the author's text."""
        import duckdb
        import pyarrow as pa

        text = f"{before}{rendered.text}{after}"
        try:
            self._require_one_select(text)
            self._connection.execute(text, _values(query))
            reader = self._connection.to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise _explained(error, rendered, len(before)) from error
        except (OSError, pa.ArrowException) as error:
            raise self._unsupported(error) from error
        self._opened.append(reader)
        return reader

    def _unsupported(self, error: Exception) -> TypeMappingError:
        """Of a type that does not reach Arrow at all; which column has it, nobody says."""
        from extract_project.schema.types import DEEPEST

        found = _NO_ARROW_TYPE.search(str(error))
        faults = [
            f"column {name!r}: {described} has no exact type in files: cast it in the SQL, "
            f"e.g. to JSON"
            for name, described in self._described()
            if found and found.group(1) in described
        ] or [
            f"column {name!r}: it is nested more than {DEEPEST} levels deep: cast it in the SQL, "
            f"e.g. to JSON"
            for name, described in self._described()
            if sum(described.count(opening) for opening in "[(") > DEEPEST
        ]
        return TypeMappingError("; ".join(faults) or str(error))

    def _described(self) -> list[tuple[str, str]]:
        """The columns of the statement that was executed, and their types in DuckDB's words."""
        return [(name, str(kind)) for name, kind, *_ in self._connection.description or ()]

    def _require_one_select(self, text: str) -> None:
        """DuckDB's own parser has the last word on what is one read-only statement (G7)."""
        import duckdb

        statements = self._connection.extract_statements(text)
        types = [statement.type for statement in statements]
        if types != [duckdb.StatementType.SELECT]:
            found = ", ".join(each.name.lower() for each in types) or "nothing"
            raise WarehouseError(f"duckdb reads this as {found}: expected one read-only statement")


def _numbered(query: Query) -> Callable[[str], str]:
    """`$1` for a `:name`: DuckDB takes names that differ in case for one parameter."""
    ordinals = query.ordinals
    return lambda name: f"${ordinals[name]}"


def _values(query: Query) -> list[Value]:
    """In the order of those numbers."""
    return [query.values[name] for name in query.ordinals]


class DuckDBResult:
    """A streaming result; DuckDB computes as far ahead as its consumer reads."""

    query_id = None
    query_url = None
    usage = None

    def __init__(self, reader: Any, rendered: Rendered, query: Query) -> None:
        from extract_project.schema.types import file_schema

        self._reader = reader
        self._rendered = rendered
        self._declared = query.declared
        self.schema: pa.Schema = file_schema(reader.schema, query.types, query.declared)

    def batches(self) -> Iterator[pa.RecordBatch]:
        import duckdb
        import pyarrow as pa

        from extract_project.schema.conform import conform

        rows = 0
        while True:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return
            except (duckdb.Error, OSError, pa.ArrowException) as error:
                raise _explained(error, self._rendered) from error
            _require_real_values(batch, rows)
            conformed = conform(batch, self.schema, rows, self._declared)
            _require_distinct_keys(conformed, rows)
            rows += batch.num_rows
            yield conformed


def _require_real_values(batch: pa.RecordBatch, rows_before: int) -> None:
    """Refuse what only DuckDB understands.

    It writes an infinite date or timestamp as the largest integer, which files would keep as a
    date in the year 294247: no reader would take that for infinity. It has a time 24:00:00, which
    readers take for 00:00:00, or for none. And `round` gives a decimal one digit more than its
    type has.
    """
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for value, is_there, instead in (
            ("'infinity'", _has_infinity, f"nullif({name}, 'infinity')"),
            ("'24:00:00'", _has_24_hours, f"nullif({name}, '24:00:00')"),
            ("more digits than its type", _has_overflow, f"{name}::varchar"),
        ):
            index = first_index(column, is_there)
            if index is not None:
                raise TypeMappingError(
                    f"column {name!r} holds {value}, first in row {rows_before + index + 1:,}: "
                    f"files have no such value; replace it in the SQL, e.g. {instead}"
                )


def _require_distinct_keys(batch: pa.RecordBatch, rows_before: int) -> None:
    """A cast can make two keys of a map equal, and DuckDB keeps both; readers keep one."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        index = first_index(column, _has_equal_keys)
        if index is not None:
            raise TypeMappingError(
                f"column {name!r} holds a map with the same key twice, first in row "
                f"{rows_before + index + 1:,}: readers would keep one of the two; make the keys "
                f"distinct in the SQL"
            )


def _has_equal_keys(values: pa.Array) -> bool:
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_map(values.type):
        return False
    from extract_project.schema.text import plain_text

    offsets = values.offsets.to_numpy()
    keys = plain_text(values.keys.slice(offsets[0], offsets[-1] - offsets[0]))
    maps = pa.array(np.repeat(np.arange(len(values)), np.diff(offsets)))
    pairs = pa.table({"map": maps, "key": keys})
    return bool(pairs.group_by(["map", "key"]).aggregate([]).num_rows < pairs.num_rows)


def _has_overflow(values: pa.Array) -> bool:
    import pyarrow as pa

    if not pa.types.is_decimal(values.type):
        return False
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def _has_infinity(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_date32(values.type) or pa.types.is_timestamp(values.type)):
        return False
    date = pa.types.is_date32(values.type)
    extremes = pc.min_max(values.view(pa.int32() if date else pa.int64()))
    largest = _INFINITE_DATE if date else _INFINITE_TIMESTAMP
    return bool(extremes["max"].as_py() == largest or extremes["min"].as_py() == -largest)


def _has_24_hours(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_time64(values.type):
        return False
    highest = pc.max(values.view(pa.int64())).as_py()
    return highest is not None and highest >= _HOURS_24[values.type.unit]


def _explained(error: Exception, rendered: Rendered, before: int = 0) -> WarehouseError:
    """`before` characters of the first line that was sent are not the author's."""
    message = str(error)
    if message.startswith("Out of Memory"):
        reason = message.splitlines()[0]
        return WarehouseError(
            f"{reason}: raise MEMORY_LIMIT in the warehouse's settings", cause=Cause.MEMORY
        )
    found = _LINE.search(message)
    if not found:
        return WarehouseError(message)
    line = int(found.group(1))
    # DuckDB draws a caret below the quoted line; "LINE 12: " stands before the quotation.
    column = len(found.group(3)) - len(f"LINE {found.group(1)}: ") + 1
    if line == 1:
        column -= before
    summary = message[: found.start()].strip()
    if found.group(2).startswith("..."):  # a long line, whose beginning it leaves out
        return WarehouseError(summary, line=line)
    line, column = rendered.origin_of(line, column)
    return WarehouseError(summary, line=line, column=column)

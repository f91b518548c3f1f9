"""PostgreSQL: a read-only session, streamed as `COPY … CSV`.

Why COPY and CSV: its text is exact for every type, and Arrow's CSV reader turns it into typed
columns without a Python object per value, faster than the server can write them. (ADBC's driver
gives NUMERIC as text; DuckDB's scanner gives unbounded NUMERIC as a lossy double.)

COPY takes no bind parameters, so each `:name` is bound to a setting of the transaction
(`set_config('extract.name', $1, true)`) and read where it stands, with its type. The value is
never part of a text.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from extract_project.constants import Value
from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.prefetch import prefetch
from extract_project.warehouses.protocol import Change, FunctionNames, Label, Query, Rendered

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa
    from psycopg.pq.abc import PGresult

    from extract_project.warehouses.postgres_types import CopyColumns

_BLOCK_BYTES = 1 << 20
_BLOCKS_AHEAD = 2
_WAIT_SECONDS = 0.5
_CONNECT_SECONDS = 30
_LATE = timedelta(minutes=1)
"""The server ends a statement by itself this long after our own deadline should have."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_TRANSIENT = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "72000",  # snapshot_too_old
}
_TRANSIENT_CLASSES = {"08", "53"}  # connection exception, insufficient resources
_CANCELED = "57014"
_CAUSES = {
    "08": Cause.NETWORK,
    "28": Cause.SIGN_IN,
    "53": Cause.BUSY,
    "42501": Cause.PERMISSION,
    "40001": Cause.BUSY,
    "40P01": Cause.BUSY,
    "55P03": Cause.BUSY,
    "57P01": Cause.NETWORK,
    "57P02": Cause.NETWORK,
    "57P03": Cause.BUSY,
    "72000": Cause.BUSY,
}
_HINTS = {
    "42501": ": grant select on it to the user of the warehouse's settings",
}
_NOT_NOW = ("too many", "connection slots", "starting up", "shutting down", "recovery mode")

_CHANGES = """
with recursive parts as (
    select to_regclass(%s)::oid as oid
    union
    select below.oid from parts, lateral (
        select i.inhrelid as oid from pg_inherits i where i.inhparent = parts.oid
        union all
        select d.refobjid from pg_rewrite r join pg_depend d on d.objid = r.oid
        where r.ev_class = parts.oid and d.classid = 'pg_rewrite'::regclass
          and d.refclassid = 'pg_class'::regclass
    ) below
)
select string_agg(
    concat_ws(':', c.oid, pg_relation_filenode(c.oid), s.n_tup_ins, s.n_tup_upd, s.n_tup_del),
    ' ' order by c.oid
)
from parts join pg_class c using (oid) left join pg_stat_all_tables s on s.relid = c.oid
where c.relkind in ('r', 'm', 'p')
"""

_SETTINGS = (
    "set session characteristics as transaction read only",
    "set timezone = 'UTC'",
    "set datestyle = 'ISO, YMD'",
    "set bytea_output = 'hex'",
    "set extra_float_digits = 1",
)


class PostgresWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a PostgreSQL database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["postgres"]
    dialect: ClassVar[str] = "postgres"
    host: str = Field(description="host name, or the directory of a Unix socket")
    port: int = 5432
    database: str = "postgres"
    user: str
    password: SecretStr | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    sslrootcert: str | None = Field(None, description="file of the certificate authority")
    forbidden_functions: FunctionNames = frozenset()

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[PostgresSession]:
        """Sign in; raises WarehouseError with the server's reason and the settings to look at."""
        import psycopg

        try:
            connection = psycopg.connect(
                host=self.host,
                port=self.port,
                dbname=self.database,
                user=self.user,
                password=self.password.get_secret_value() if self.password else None,
                sslmode=self.sslmode,
                sslrootcert=self.sslrootcert,
                connect_timeout=_CONNECT_SECONDS,
                application_name=f"extract {label.extract} {label.run_id}"[:63],
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise WarehouseError(
                f"postgres at {self.host}:{self.port} did not let user {self.user!r} into "
                f"database {self.database!r}: {str(error).strip()}",
                cause=(cause := _sign_in_cause(str(error))),
                transient=cause in (Cause.NETWORK, Cause.BUSY),
            ) from None
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
            limit = int((timeout + _LATE).total_seconds() * 1000)
            connection.execute(f"set statement_timeout = {limit}")
            connection.autocommit = False
            yield PostgresSession(connection)
        finally:
            connection.close()


class PostgresSession:
    """One connection whose transactions are read-only."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, query: Query) -> PostgresResult:
        statement, columns = self._prepared(query)
        return PostgresResult(self._connection, statement, columns, self.cancel)

    def describe(self, query: Query) -> pa.Schema:
        return self._prepared(query)[1].schema

    def last_changes(self, tables: Sequence[str]) -> dict[str, Change]:
        """By the counters of rows ever inserted, updated and deleted, and the file they are in.

        Of the table, its partitions, and whatever tables a view reads. What the server's
        statistics lose in a crash shows as a change. They are about a second behind.
        """
        from extract_project.warehouses.postgres_types import quoted

        changes = {}
        for table in tables:
            name = ".".join(quoted(part) for part in table.split("."))
            row = self._connection.execute(_CHANGES, (name,)).fetchone()
            if row and row[0]:
                changes[table] = Change(row[0])
        return changes

    def cancel(self) -> None:
        import psycopg

        try:
            self._connection.cancel_safe(timeout=10)
        except psycopg.Error:  # the connection is gone, and the query with it
            return

    def _prepared(self, query: Query) -> tuple[Rendered, CopyColumns]:
        """The statement as the server gets it, with its values set, and its columns."""
        import psycopg

        from extract_project.warehouses.postgres_types import copy_schema

        values = query.bound
        statement = query.statement(lambda name: _reference(name, values[name]))
        try:
            for name, value in values.items():
                setting = (f"extract.{name}", _text(value))
                self._connection.execute("select set_config(%s, %s, true)", setting)
            return statement, copy_schema(self._describe(statement.text), query.declared)
        except psycopg.Error as error:
            raise _explained(error, statement) from None

    def _describe(self, statement: str) -> list[tuple[str, int, int]]:
        """Name, type and type modifier of the statement's columns, without running it."""
        server = self._connection.pgconn
        _require_ok(server.prepare(b"", statement.encode()))
        described = _require_ok(server.describe_prepared(b""))
        return [
            ((described.fname(i) or b"").decode(), described.ftype(i), described.fmod(i))
            for i in range(described.nfields)
        ]


class PostgresResult:
    """A described statement; it runs when its batches are read."""

    query_url = None
    usage = None

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        statement: Rendered,
        columns: CopyColumns,
        cancel: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._statement = statement
        self._cancel = cancel
        self._reported = 0
        self._columns = columns
        self.query_id = f"backend {connection.info.backend_pid}"

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        import psycopg

        rows = 0
        try:
            with prefetch(self._blocks(), _BLOCKS_AHEAD, self._cancel) as blocks:
                for block in blocks:
                    batch = self._columns.parse(block)
                    rows += batch.num_rows
                    yield batch
        except psycopg.Error as error:
            raise _explained(error, self._statement) from None
        if rows != self._reported:
            raise WarehouseError(
                f"the server reported {self._reported:,} rows and {rows:,} arrived: run it again",
                cause=Cause.NETWORK,
                transient=True,
            )

    def _blocks(self) -> Iterator[bytes]:
        """Whole rows of CSV, about 4 MiB at a time.

        One message of the protocol is one row, so a block never ends within a row. They are read
        from libpq directly: psycopg's own `copy` takes half as much time again, per row.
        """
        server = self._connection.pgconn
        _require_ok(server.exec_(self._columns.copy(self._statement.text).encode()))
        block = bytearray()
        while True:
            size, row = server.get_copy_data(1)
            if size > 0:
                block += row
                if len(block) >= _BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
            elif size == 0:
                # Asked for again and again: a connection that is closed meanwhile has no socket.
                select.select([server.socket], [], [], _WAIT_SECONDS)
                server.consume_input()
            else:
                break
        while (ended := server.get_result()) is not None:
            self._reported = _require_ok(ended).command_tuples or 0
        if block:
            yield bytes(block)


def _require_ok(result: PGresult) -> PGresult:
    """The same result; raises psycopg's error for the server's code when it is one."""
    from psycopg import errors, pq

    if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
        raise errors.error_from_result(result)
    return result


def _is_transient(sqlstate: str | None) -> bool:
    return sqlstate is not None and (sqlstate in _TRANSIENT or sqlstate[:2] in _TRANSIENT_CLASSES)


def _explained(error: psycopg.Error, statement: Rendered) -> WarehouseError:
    diagnostic = error.diag
    message = diagnostic.message_primary or str(error).strip()
    for more in (diagnostic.message_detail, diagnostic.message_hint):
        if more:
            message = f"{message}; {more[:1].lower()}{more[1:]}"
    line = column = None
    if diagnostic.statement_position:
        line, column = statement.origin(int(diagnostic.statement_position) - 1)
    code = error.sqlstate
    if code == _CANCELED:
        kind = QueryTimeout if "statement timeout" in message else QueryCancelled
        return kind(f"the server ended the query: {message} ({code})")
    hint = _HINTS.get(code or "", "")
    return WarehouseError(
        f"{message} ({code}){hint}" if code else message,
        cause=_cause(code),
        line=line,
        column=column,
        transient=code is None or _is_transient(code),
    )


def _cause(sqlstate: str | None) -> Cause:
    if sqlstate is None:
        return Cause.NETWORK
    return _CAUSES.get(sqlstate) or _CAUSES.get(sqlstate[:2]) or Cause.SQL


def _sign_in_cause(message: str) -> Cause:
    """The driver gives no code for a refused connection: only what the server said."""
    if "FATAL" not in message:
        return Cause.NETWORK  # the server never answered
    if any(words in message for words in _NOT_NOW):
        return Cause.BUSY
    return Cause.SIGN_IN


_SQL_TYPES = (
    (bool, "::boolean"),
    (int, "::bigint"),
    (Decimal, "::numeric"),
    (datetime, "::timestamp"),
    (date, "::date"),
)


def _reference(name: str, value: Value) -> str:
    """What stands in the statement for a value: its setting, with the value's type."""
    if value is None:
        return "null"
    cast = next((cast for kind, cast in _SQL_TYPES if isinstance(value, kind)), "::text")
    if isinstance(value, datetime) and value.tzinfo:
        cast = "::timestamptz"
    return f"current_setting('extract.{name}'){cast}"


def _text(value: Value) -> str:
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)

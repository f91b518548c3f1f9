"""Snowflake, through its connector: queries that can be cancelled, results as they were sent.

A query is started asynchronously, which gives its id at once: it can then be cancelled, and looked
at, while it runs. Its result is asked for until it is there; Snowflake holds each such request
until it has news.

The connector's calls swallow exceptions of signal handlers while they wait (measured on 5.2.0), so
signing in happens in a thread of its own; queries run in the pipeline's.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from extract_project.constants import Value
from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.prefetch import in_thread
from extract_project.warehouses.protocol import Change, Label, Query, Usage
from extract_project.warehouses.snowflake_chunks import Chunks, Patience
from extract_project.warehouses.snowflake_usage import usage_of

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.connector.result_batch import ResultBatch

    from extract_project.warehouses.snowflake_types import SnowflakeColumns

_LOGIN_SECONDS = 60
_ATTEMPT_SECONDS = 120
_LATE = timedelta(minutes=1)
"""The server ends a statement by itself this long after our own deadline should have."""
_CHUNK_MEGABYTES = 48
_QUICK_SECONDS = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_CANCEL_TRIES = 3
_TAG_CHARACTERS = 2000
_NANOS = 10**9


class SnowflakeWarehouse(BaseModel):
    """`EXTRACT_WAREHOUSES__<NAME>__…` of a Snowflake account.

    One way to sign in: `PRIVATE_KEY` or `PRIVATE_KEY_PATH`; `TOKEN` with `AUTHENTICATOR` `oauth` or
    `programmatic_access_token`; `WORKLOAD_IDENTITY_PROVIDER`, which needs no secret at all;
    `PASSWORD`; or `CONNECTION_NAME`, an entry of `connections.toml`, to which the other fields are
    added.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["snowflake"]
    dialect: ClassVar[str] = "snowflake"
    account: str | None = Field(None, description="organization-account, or locator.region")
    user: str | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema_: str | None = Field(None, alias="schema")
    authenticator: str | None = None
    private_key: SecretStr | None = Field(None, description="PEM text; \\n may stand for line ends")
    private_key_path: str | None = None
    private_key_passphrase: SecretStr | None = None
    token: SecretStr | None = None
    workload_identity_provider: Literal["AWS", "AZURE", "GCP", "OIDC"] | None = None
    password: SecretStr | None = None
    connection_name: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: Literal["http", "https"] | None = None

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways = ("private_key", "private_key_path", "token", "workload_identity_provider",
                "password", "connection_name")  # fmt: skip
        chosen = [name.upper() for name in ways if getattr(self, name) is not None]
        if len(chosen) != 1:
            found = f"{' and '.join(chosen)} are set" if chosen else "nothing is set"
            raise ValueError(f"to sign in, set one of {', '.join(ways).upper()}: {found}")
        if self.account is None and self.connection_name is None:
            raise ValueError("ACCOUNT is not set: expected organization-account")
        methods = {"oauth", "programmatic_access_token"}
        if self.token is not None and (self.authenticator or "").lower() not in methods:
            raise ValueError("TOKEN needs AUTHENTICATOR: oauth or programmatic_access_token")
        return self

    @contextmanager
    def connect(self, label: Label, timeout: timedelta) -> Iterator[SnowflakeSession]:
        """Sign in; raises WarehouseError with Snowflake's reason and the setting to look at."""
        if self.password is not None:
            warnings.warn(
                "Snowflake no longer lets service users in by PASSWORD alone: use a key pair "
                "(PRIVATE_KEY) or, on AWS, WORKLOAD_IDENTITY_PROVIDER=AWS, which needs no secret",
                stacklevel=2,
            )
        connection = in_thread("sign-in", lambda: self._sign_in(label, timeout))
        try:
            yield SnowflakeSession(connection, self.account)
        finally:
            connection.close(retry=False)

    def _sign_in(self, label: Label, timeout: timedelta) -> SnowflakeConnection:
        from extract_project.warehouses.snowflake_errors import explained

        connector = _connector()
        try:
            connection: SnowflakeConnection = connector.connect(**self._options(label, timeout))
        except connector.Error as error:
            where = self.account or f"connection {self.connection_name!r}"
            raise explained(error, f"snowflake {where} did not let {self._who} in") from None
        return connection

    @property
    def _who(self) -> str:
        return f"user {self.user!r}" if self.user else "us"

    def _options(self, label: Label, timeout: timedelta) -> dict[str, Any]:
        """The connector's arguments; what is not set is left to `connections.toml`."""
        given = {
            "account": self.account,
            "user": self.user,
            "role": self.role,
            "warehouse": self.warehouse,
            "database": self.database,
            "schema": self.schema_,
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "connection_name": self.connection_name,
            "authenticator": self._authenticator,
            "private_key": _plain(self.private_key, line_ends=True),
            "private_key_file": self.private_key_path,
            "private_key_password": _plain(self.private_key_passphrase),
            "token": _plain(self.token),
            "password": _plain(self.password),
            "workload_identity_provider": self.workload_identity_provider,
        }
        return {key: value for key, value in given.items() if value is not None} | {
            "paramstyle": "qmark",
            "application": "extract_project",
            "login_timeout": _LOGIN_SECONDS,
            "retry_timeout": _ATTEMPT_SECONDS,
            "enable_server_session_keep_alive_auto_detection": False,
            "session_parameters": {
                "QUERY_TAG": _query_tag(label),
                "STATEMENT_TIMEOUT_IN_SECONDS": int((timeout + _LATE).total_seconds()),
                "TIMEZONE": "UTC",
                # What a `kill -9` leaves running, Snowflake ends five minutes later.
                "ABORT_DETACHED_QUERY": True,
                # The default of 160 MB is more than a small task has to spare.
                "CLIENT_RESULT_CHUNK_SIZE": _CHUNK_MEGABYTES,
                "CLIENT_TELEMETRY_ENABLED": False,
            },
        }

    @property
    def _authenticator(self) -> str | None:
        if self.private_key is not None or self.private_key_path is not None:
            return "SNOWFLAKE_JWT"
        if self.workload_identity_provider is not None:
            return "WORKLOAD_IDENTITY"
        return self.authenticator.upper() if self.authenticator else None


class SnowflakeSession:
    """One signed-in session."""

    def __init__(self, connection: SnowflakeConnection, account: str | None) -> None:
        self._connection = connection
        self._account = account
        self.patience = Patience()
        self._running: str | None = None
        self._cancelled = threading.Event()

    def execute(self, query: Query) -> SnowflakeResult:
        from snowflake.connector import Error

        cursor = self._connection.cursor()
        query_id = None
        try:
            query_id = str(cursor.execute_async(*_bound(query))["queryId"])
            self._running = query_id
            self._await(cursor, query_id)
            url = query_url(self._account, query_id)
            return SnowflakeResult(cursor, query_id, url, self.patience)
        except Error as error:
            raise self._explained(error, query, query_id) from None
        except WarehouseError as error:
            error.query_id = query_id
            raise

    def describe(self, query: Query) -> pa.Schema:
        from snowflake.connector import Error

        from extract_project.warehouses.snowflake_types import snowflake_columns

        try:
            return snowflake_columns(
                self._connection.cursor().describe(*_bound(query)) or []
            ).schema
        except Error as error:
            raise self._explained(error, query, None) from None

    def last_changes(self, tables: Sequence[str]) -> dict[str, Change]:
        """By SYSTEM$LAST_CHANGE_COMMIT_TIME, which knows tables and views; in nanoseconds, about.

        A table that the role cannot see is left out: running the query is what explains it.
        """
        from snowflake.connector import Error

        changes = {}
        cursor = self._connection.cursor()
        for table in tables:
            name = table.replace("'", "''")
            try:
                cursor.execute(f"select system$last_change_commit_time('{name}')")
                row: Any = cursor.fetchone()
            except Error:
                continue
            if row and row[0] is not None:
                seconds = int(row[0]) / _NANOS
                changes[table] = Change(str(row[0]), datetime.fromtimestamp(seconds, UTC))
        return changes

    def cancel(self) -> None:
        from snowflake.connector import Error

        self._cancelled.set()
        query_id = self._running
        if query_id is None:
            return
        for tries in range(_CANCEL_TRIES):
            try:
                self._connection.cursor().abort_query(query_id)
                return
            except Error:
                time.sleep(_FIRST_PAUSE * 4**tries)

    def _await(self, cursor: SnowflakeCursor, query_id: str) -> None:
        """Ask for the result until it is there; Snowflake answers when it has news, or in 45 s."""
        from snowflake.connector import ProgrammingError

        from extract_project.warehouses.snowflake_errors import IN_PROGRESS

        pause = _FIRST_PAUSE
        while True:
            if self._cancelled.is_set():
                self.cancel()
                raise QueryCancelled("the run was ended, and its query cancelled")
            asked = time.monotonic()
            try:
                cursor.query_result(query_id)
            except ProgrammingError as error:
                if error.errno not in IN_PROGRESS:
                    raise
                if time.monotonic() - asked < _QUICK_SECONDS:
                    self._cancelled.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    def _explained(self, error: Exception, query: Query, query_id: str | None) -> WarehouseError:
        from extract_project.warehouses.snowflake_errors import explained

        known = explained(error, "snowflake", query)
        known.query_id = query_id or getattr(error, "sfqid", None)
        known.query_url = query_url(self._account, known.query_id)
        return known


class SnowflakeResult:
    """A finished query, whose rows lie ready in chunks."""

    def __init__(
        self, cursor: SnowflakeCursor, query_id: str, url: str | None, patience: Patience
    ) -> None:
        from extract_project.warehouses.snowflake_types import snowflake_columns

        self._cursor = cursor
        self._patience = patience
        self._columns: SnowflakeColumns = snowflake_columns(cursor.description or [])
        self.query_id = query_id
        self.query_url = url
        self.usage: Usage | None = None

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        reported, rows = self._cursor.rowcount, 0
        batches = self._cursor.get_result_batches() or []
        chunks = Chunks(self._cursor.connection, batches, self._renewed, self._patience)
        for table in chunks.read():
            for batch in table.to_batches():
                rows += batch.num_rows
                yield self._columns.convert(batch)
        if rows != reported:
            raise WarehouseError(
                f"snowflake reported {reported:,} rows and {rows:,} arrived: run it again",
                cause=Cause.NETWORK,
                transient=True,
            )
        self.usage = usage_of(self._cursor.connection, self.query_id)

    def _renewed(self) -> Sequence[ResultBatch]:
        from snowflake.connector import Error

        from extract_project.warehouses.snowflake_errors import explained

        try:
            self._cursor.query_result(self.query_id)
            return self._cursor.get_result_batches() or []
        except Error as error:
            raise explained(error, "snowflake, asked for the result again") from None


def _connector() -> ModuleType:
    """The connector without pandas, which it imports wherever that is installed and never needs
    here: a quarter of a second and 40 MB of every run. A program that has imported pandas itself
    keeps it.
    """
    if "pandas" in sys.modules:
        import snowflake.connector
    else:
        sys.modules["pandas"] = None  # type: ignore[assignment]
        try:
            import snowflake.connector
        finally:
            del sys.modules["pandas"]
    return snowflake.connector


def query_url(account: str | None, query_id: str | None) -> str | None:
    """The query's page in Snowsight, for `organization-account` and for `locator.region`."""
    if not account or not query_id:
        return None
    locator, dot, region = account.lower().partition(".")
    organization, dash, name = account.lower().partition("-")
    if dot:
        place = f"{region}/{locator}"
    elif dash:
        place = f"{organization}/{name}"
    else:
        return None
    return f"https://app.snowflake.com/{place}/#/compute/history/queries/{query_id}/detail"


def _query_tag(label: Label) -> str:
    """What Snowflake's query history shows beside the query."""
    tag = {
        "extract": label.extract,
        "sql_version": label.sql_version,
        "run_id": label.run_id,
        "partition": label.partition,
    }
    return json.dumps({k: v for k, v in tag.items() if v is not None})[:_TAG_CHARACTERS]


def _bound(query: Query) -> tuple[str, list[Value] | None]:
    """The text with a question mark for each `:name`, and the values in their order."""
    values = query.bound
    text = query.render(lambda name: _marker(values[name]))
    ordered = [_binding(values[each.name]) for each in query.placeholders]
    return text, ordered or None


def _marker(value: Value) -> str:
    """The connector sends a datetime as nanoseconds counted in a double; as text it stays exact."""
    if isinstance(value, datetime):
        return "?::timestamp_tz" if value.tzinfo else "?::timestamp_ntz"
    return "?"


def _binding(value: Value) -> Value:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value


def _plain(secret: SecretStr | None, line_ends: bool = False) -> str | None:
    if secret is None:
        return None
    text = secret.get_secret_value()
    return re.sub(r"\\n", "\n", text) if line_ends else text

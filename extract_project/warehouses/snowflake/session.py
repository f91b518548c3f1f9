"""One signed-in session: a query that can be cancelled while it runs.

A query is started asynchronously, which gives its id at once: it can then be cancelled, and looked
at, while it runs. Its result is asked for until it is there; Snowflake holds each such request
until it has news.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.values import Value
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.protocol import Query, Rendered, Result, TableChange
from extract_project.warehouses.snowflake.changes import last_changes
from extract_project.warehouses.snowflake.chunks import Patience
from extract_project.warehouses.snowflake.facts import table_facts
from extract_project.warehouses.snowflake.history import query_url
from extract_project.warehouses.snowflake.result import SnowflakeResult
from extract_project.warehouses.snowflake.usage import usage_of
from extract_project.warehouses.unloading import Summary, Unloaded, UnloadFolder
from extract_project.warehouses.waiting import Cancellation, answer_of, begin, is_confirmed

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

    from extract_project.warehouses.snowflake.types import SnowflakeColumns

_QUICK_SECONDS = 0.25
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class SnowflakeSession:
    """One signed-in session."""

    def __init__(
        self,
        connection: SnowflakeConnection,
        account: str | None,
        storage_integration: str | None = None,
        unload_from_rows: int = 0,
    ) -> None:
        self._connection = connection
        self._account = account
        self._storage_integration = storage_integration
        self.unload_from_rows = unload_from_rows
        self.patience = Patience()
        self._cancellation = Cancellation()

    def execute(self, query: Query) -> SnowflakeResult:
        from snowflake.connector import Error

        cursor = self._connection.cursor()
        query_id = None
        try:
            query_id = self._start(cursor, query)
            self._await(cursor, query_id)
            return SnowflakeResult(
                cursor,
                query,
                query_id=query_id,
                url=query_url(self._account, query_id),
                cancellation=self._cancellation,
                patience=self.patience,
            )
        except Error as error:
            raise self._explained(error, query, query_id) from None
        except WarehouseError as error:
            error.query_id = query_id
            error.query_url = query_url(self._account, query_id)
            raise

    def describe(self, query: Query) -> pa.Schema:
        return self._described(query).schema

    def _described(self, query: Query) -> SnowflakeColumns:
        from snowflake.connector import Error

        from extract_project.warehouses.snowflake.types import described, snowflake_columns

        try:
            cursor = self._connection.cursor()
            self._cancellation.result(begin("describe", lambda: cursor.describe(*_bound(query))))
            return snowflake_columns(described(cursor), query)
        except Error as error:
            raise self._explained(error, query, None) from None

    def require_unload_settings(self) -> None:
        self._integration()

    def _integration(self) -> str:
        """The storage integration; raises WarehouseError if there is none."""
        if self._storage_integration is None:
            raise WarehouseError(
                "'engine: unload' and 'auto' need EXTRACT_WAREHOUSES__<NAME>__STORAGE_INTEGRATION: "
                "set it to the integration with which snowflake may write below EXTRACT_DATA "
                "(docs/unload.md)",
                cause=Cause.SETTINGS,
            )
        return self._storage_integration

    def keep(self, query: Query) -> SnowflakeResult:
        """Snowflake keeps every result for a day; `result_scan` reads it by the query's id."""
        return self.execute(query)

    def rows_of(self, result: Result) -> int:
        return _of_this(result).rows

    def summarize(self, result: Result) -> Summary:
        import pyarrow as pa

        from extract_project.warehouses.snowflake.unload import first_rows_sql, summary_sql
        from extract_project.warehouses.summary_row import summary_of

        given = _of_this(result)

        def read(sql: str) -> pa.Table:
            try:
                found = self.execute(_ours(given.query, sql))
            except WarehouseError as error:
                raise _without_line(error) from None
            return pa.Table.from_batches(found.batches(), found.schema)

        row = read(summary_sql(given.columns, given.query_id)).combine_chunks()
        first = read(first_rows_sql(given.columns, given.query_id))
        return summary_of(row, first, given.schema, "snowflake hash_agg")

    def try_unload(self, query: Query, folder: UnloadFolder) -> tuple[pa.Schema, Unloaded]:
        from extract_project.warehouses.snowflake.unload import nulls_sql

        columns = self._described(query)
        return columns.schema, self._written(query, nulls_sql(columns), folder)

    def unload(self, result: Result, folder: UnloadFolder) -> Unloaded:
        from extract_project.warehouses.snowflake.unload import rows_sql

        given = _of_this(result)
        rows = rows_sql(given.columns, given.query_id)
        unloaded = self._written(given.query, rows, folder)
        given.usage = usage_of(self._connection, given.query_id)
        return unloaded

    def _written(self, of: Query, rows: str, folder: UnloadFolder) -> Unloaded:
        """Write rows for a query, and return the files that Snowflake lists."""
        from snowflake.connector import Error

        from extract_project.warehouses.snowflake.unload import copy_sql, files_of

        sql = copy_sql(rows, folder.uri, self._integration(), folder.kms_key_id)
        query, query_id = _ours(of, sql), None
        cursor = self._connection.cursor()
        try:
            query_id = self._start(cursor, query)
            self._await(cursor, query_id)
            listed = self._cancellation.result(begin("files", cursor.fetchall))
        except Error as error:
            raise _without_line(self._explained(error, query, query_id)) from None
        return Unloaded(tuple(files_of(listed)))

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        asked = begin("changes", lambda: last_changes(self._connection, tables))
        return self._cancellation.result(asked)

    def cancel(self) -> None:
        """End whatever is waited for; who waits for a query then has it aborted."""
        self._cancellation.set()

    def _start(self, cursor: SnowflakeCursor, query: Query) -> str:
        """The query's id. One that starts while the run is being cancelled is aborted too."""
        return self._cancellation.started(
            begin("start", lambda: str(cursor.execute_async(*_bound(query))["queryId"])),
            self.patience.abort_seconds,
            "the run was ended while its query was starting, and snowflake has not said "
            "whether it has: if so, it ends by itself within five minutes",
            self._abort,
        )

    def _await(self, cursor: SnowflakeCursor, query_id: str) -> None:
        """Ask for the result until it is there; Snowflake answers when it has news, or in 45 s."""
        from snowflake.connector import ProgrammingError

        from extract_project.warehouses.snowflake.errors import IN_PROGRESS

        pause = _FIRST_PAUSE
        try:
            while True:
                self._cancellation.require_not()
                asked = time.monotonic()
                try:
                    result = begin("result", lambda: cursor.query_result(query_id))
                    self._cancellation.result(result)
                except ProgrammingError as error:
                    if error.errno not in IN_PROGRESS:
                        raise
                    if time.monotonic() - asked < _QUICK_SECONDS:
                        self._cancellation.pause(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)
                else:
                    return
        except QueryCancelled:
            self._abort(query_id)
            raise

    def _abort(self, query_id: str) -> None:
        """Abort a query until Snowflake says that it no longer runs.

        Raises QueryCancelled with what is known where it does not end, which must not hold up the
        end of the run for ever.
        """

        def has_ended() -> bool:
            self._connection.cursor().abort_query(query_id)
            status = self._connection.get_query_status(query_id)
            return not self._connection.is_still_running(status)

        if not is_confirmed(
            partial(answer_of, has_ended), self.patience.abort_seconds, _FIRST_PAUSE, _LONGEST_PAUSE
        ):
            raise QueryCancelled(
                f"the run was ended, and snowflake has not confirmed that query {query_id} was: "
                f"it ends by itself within five minutes, or run: "
                f"select system$cancel_query('{query_id}')"
            )

    def _explained(self, error: Exception, query: Query, query_id: str | None) -> WarehouseError:
        from extract_project.warehouses.snowflake.errors import explained

        known = explained(error, "snowflake", query)
        if known.line and known.column:
            known.line, known.column = _rendered(query).origin_of(known.line, known.column)
        known.query_id = query_id or getattr(error, "sfqid", None)
        known.query_url = query_url(self._account, known.query_id)
        return known


def _of_this(result: Result) -> SnowflakeResult:
    if not isinstance(result, SnowflakeResult):
        raise AssertionError("the result is of another warehouse")
    return result


def _ours(query: Query, sql: str) -> Query:
    """A statement of ours about a query: with its choices of types, and without its columns."""
    return replace(query, text=sql, placeholders=(), end=None, declared={})


def _without_line(error: WarehouseError) -> WarehouseError:
    """An error of a statement of ours, whose lines are not the file's."""
    error.line = error.column = None
    return error


def _bound(query: Query) -> tuple[str, list[Value] | None]:
    """The text with a question mark for each `:name`, and the values in their order."""
    ordered = [_binding(query.values[each.name]) for each in query.placeholders]
    return _rendered(query).text, ordered or None


def _rendered(query: Query) -> Rendered:
    return query.render(lambda name: _marker(query.values[name]))


def _marker(value: Value) -> str:
    """The connector sends a datetime as nanoseconds counted in a double; as text it stays exact."""
    if isinstance(value, datetime):
        return "?::timestamp_tz" if value.tzinfo else "?::timestamp_ntz"
    return "?"


def _binding(value: Value) -> Value:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value

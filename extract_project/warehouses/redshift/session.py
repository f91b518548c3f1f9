"""Describe and then read a statement in one read-only transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from extract_project.errors import WarehouseError
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.libpq.ended import CANCELED, ended
from extract_project.warehouses.protocol import Query, Rendered, TableChange
from extract_project.warehouses.redshift.cancelling import Cancelling
from extract_project.warehouses.redshift.changes import last_changes
from extract_project.warehouses.redshift.errors import explained
from extract_project.warehouses.redshift.facts import table_facts
from extract_project.warehouses.redshift.parameters import Bound, bound
from extract_project.warehouses.redshift.streaming import StreamingConnection

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa
    from psycopg.pq.abc import PGconn

    from extract_project.warehouses.redshift.result import RedshiftResult
    from extract_project.warehouses.redshift.types import RedshiftColumns

_BEGIN, _END = "begin read only", "rollback"


class RedshiftSession:
    """One connection, for one transaction at a time.

    `sign_in` makes another connection of the same user. `seconds`: after these the server ends a
    statement by itself; `is_own_limit`: because the user or the parameter group says so.
    """

    def __init__(
        self,
        connection: StreamingConnection,
        sign_in: Callable[[], PGconn],
        seconds: float,
        *,
        is_own_limit: bool,
    ) -> None:
        self.connection = connection
        self._cancelling = Cancelling(connection, sign_in)
        self._seconds = seconds
        self._whose = (
            "the statement_timeout of the user or parameter group"
            if is_own_limit
            else "'timeout' in the header"
        )
        self._is_begun = False

    def execute(self, query: Query) -> RedshiftResult:
        """Describe the statement; it runs when its batches are read."""
        from extract_project.warehouses.redshift.result import RedshiftResult

        given = bound(query)
        columns = self.described(given, query)
        return RedshiftResult(self, given, columns, f"session {self.connection.backend}")

    def describe(self, query: Query) -> pa.Schema:
        columns = self.described(bound(query), query)
        self.end()
        return columns.schema

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        """The changes, by the steps of queries that have written to the tables."""
        self.end()
        with self.explaining():
            return last_changes(self.connection, tables)

    def cancel(self) -> None:
        self._cancelling.cancel()

    def end(self) -> None:
        """End the transaction, if there is one."""
        if self._is_begun:
            self._is_begun = False
            with self.explaining():
                self.connection.query(_END)

    @contextmanager
    def explaining(self, statement: Rendered | None = None, before: int = 0) -> Iterator[None]:
        """Convert the server's errors into ours; `before` as in `explained`."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise self.explained(error, statement, before) from None

    def explained(
        self,
        error: psycopg.Error,
        statement: Rendered | None = None,
        before: int = 0,
        rows: int | None = None,
    ) -> WarehouseError:
        """Like `errors.explained`. `rows`: those that arrived before the error."""
        if error.sqlstate == CANCELED:
            return ended(self.connection, self._seconds, self._whose)
        return explained(error, statement, before, rows)

    def described(self, given: Bound, query: Query, begin: str = _BEGIN) -> RedshiftColumns:
        """The columns of a statement, in a transaction that begins with it."""
        from extract_project.warehouses.redshift.types import redshift_columns

        self.end()
        with self.explaining(given.statement):
            self.connection.query(begin)
            self._is_begun = True
            described = self.connection.describe(given.statement.text, given.types)
        return redshift_columns(described, query)

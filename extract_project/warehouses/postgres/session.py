"""Describe and then read a statement in one transaction, so that nothing changes in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from extract_project.errors import QueryTimeout, WarehouseError
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.libpq.ended import CANCELED, ended
from extract_project.warehouses.postgres.arrays import array_elements
from extract_project.warehouses.postgres.changes import last_changes
from extract_project.warehouses.postgres.comments import comments
from extract_project.warehouses.postgres.copying import CopyConnection
from extract_project.warehouses.postgres.errors import TRANSACTION_TIMEOUT, explained
from extract_project.warehouses.postgres.facts import table_facts
from extract_project.warehouses.postgres.parameters import Bound, bind, bound
from extract_project.warehouses.postgres.transaction import Begun, begin, end
from extract_project.warehouses.protocol import Query, Rendered, TableChange

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from extract_project.warehouses.postgres.result import PostgresResult
    from extract_project.warehouses.postgres.types import CopyColumns


class PostgresSession:
    """One connection, for one transaction at a time.

    `limit` is the time after which the server ends a statement by itself, if its own limit is not
    lower.
    """

    def __init__(self, connection: CopyConnection, limit: timedelta, database: str) -> None:
        self.connection = connection
        self._limit = limit
        self._database = database
        self._begun: Begun | None = None

    def execute(self, query: Query) -> PostgresResult:
        """Describe the statement, which locks its tables; it runs when its batches are read."""
        from extract_project.warehouses.postgres.result import PostgresResult

        given = bound(query)
        begun = self._begin(given)
        columns = self._described(given, query)
        return PostgresResult(self, given.statement, columns, f"backend {begun.backend}")

    def describe(self, query: Query) -> pa.Schema:
        given = bound(query)
        self._begin(given)
        columns = self._described(given, query)
        self.end()
        return columns.schema

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        """The changes, by the counters of inserted, updated and deleted rows, and the tables'
        files."""
        self._begin()
        with self.explaining():
            changes = last_changes(self.connection, tables, self._database)
        self.end()
        return changes

    def cancel(self) -> None:
        self.connection.cancel()

    def end(self) -> None:
        """End the transaction, if there is one, with all its locks and settings."""
        if self._begun is not None:
            self._begun = None
            with self.explaining():
                end(self.connection)

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
        """Like `errors.explained`. The elapsed time tells which limit ended a statement.

        `rows` is the number of rows that arrived before the error.
        """
        if error.sqlstate == CANCELED:
            limit = self._begun.statement_seconds if self._begun else None
            return ended(self.connection, limit, self._whose)
        if error.sqlstate == TRANSACTION_TIMEOUT:
            return QueryTimeout(
                f"the server ended the transaction ({TRANSACTION_TIMEOUT}): make the query "
                f"cheaper, or raise the transaction_timeout of the role or database"
            )
        return explained(error, statement, before, rows)

    def _begin(self, given: Bound | None = None) -> Begun:
        self.end()
        with self.explaining():
            self._begun = begun = begin(self.connection, self._limit)
            if given is not None:
                bind(self.connection, given.settings)
        return begun

    def _described(self, given: Bound, query: Query) -> CopyColumns:
        from extract_project.schema.annotations import described
        from extract_project.warehouses.postgres.types import copy_columns, not_known

        with self.explaining(given.statement):
            columns = self.connection.describe(given.statement.text)
            elements = array_elements(self.connection, not_known(columns))
            said = comments(self.connection, columns)
        found = copy_columns(columns, elements, query)
        return replace(found, schema=described(found.schema, said))

    @property
    def _whose(self) -> str:
        if self._begun and self._begun.statement_seconds < self._limit.total_seconds():
            return "the statement_timeout of the role or database"
        return "'timeout' in the header"

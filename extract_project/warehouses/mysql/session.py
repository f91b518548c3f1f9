"""One connection, for one statement at a time, each in a read-only transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from extract_project.errors import QueryCancelled, QueryTimeout, WarehouseError
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.mysql.changes import last_changes
from extract_project.warehouses.mysql.connection import Connection, Prepared
from extract_project.warehouses.mysql.errors import INTERRUPTED, LOST, TOO_SLOW, explained
from extract_project.warehouses.mysql.facts import comments, table_facts
from extract_project.warehouses.mysql.parameters import stand_in
from extract_project.warehouses.mysql.server_error import ServerError
from extract_project.warehouses.mysql.transaction import BEGIN, END, Limit
from extract_project.warehouses.mysql.warnings import OnConversion, require_no_loss
from extract_project.warehouses.mysql.wire import Lost
from extract_project.warehouses.mysql.zones import require_zones
from extract_project.warehouses.protocol import Query, Rendered, TableChange

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.mysql.result import MySQLResult


class MySQLSession:
    """One signed-in connection.

    `comment` precedes each statement of an author; `limit` is when the server itself ends one.
    """

    def __init__(
        self,
        connection: Connection,
        comment: str,
        limit: Limit,
        where: str,
        on_conversion: OnConversion,
    ) -> None:
        self.connection = connection
        self._on_conversion = on_conversion
        self._comment = comment
        self._limit = limit
        self._where = where

    def execute(self, query: Query) -> MySQLResult:
        """Run the statement; its columns are known when its first row is."""
        from extract_project.warehouses.mysql.result import MySQLResult
        from extract_project.warehouses.mysql.types import mysql_columns

        statement = query.render(lambda _: "?")
        with self.explaining(statement):
            prepared = self.connection.prepare(self._comment + statement.text)
            mysql_columns(prepared.columns, query)  # refused before it runs
            require_zones(self.connection, query)
            said = comments(self.connection, prepared.columns)
            self.connection.query(BEGIN)
            values = [query.values[each.name] for each in query.placeholders]
            columns = self.connection.execute(prepared, values)
        return MySQLResult(self, prepared, statement, mysql_columns(columns, query, said))

    def describe(self, query: Query) -> pa.Schema:
        from extract_project.warehouses.mysql.types import mysql_columns

        statement = query.render(lambda name: stand_in(query.values[name]))
        with self.explaining(statement):
            prepared = self.connection.prepare(self._comment + statement.text)
            self.connection.forget(prepared)
            said = comments(self.connection, prepared.columns)
        return mysql_columns(prepared.columns, query, said).schema

    def facts(self, table: str) -> TableFacts:
        with self.explaining():
            return table_facts(self.connection, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        """The changes, by the time of the last one, as far as the server knows it for certain."""
        with self.explaining():
            return last_changes(self.connection, tables)

    def cancel(self) -> None:
        self.connection.cancel()

    def end(self, prepared: Prepared) -> None:
        """End the statement whose rows have been read; raises WarehouseError if they are not what
        its SQL says."""
        with self.explaining():
            require_no_loss(self.connection, self._on_conversion)
            self.connection.forget(prepared)
            self.connection.query(END)

    @contextmanager
    def explaining(self, statement: Rendered | None = None) -> Iterator[None]:
        """Convert errors of the server and of the connection into ours."""
        try:
            yield
        except (ServerError, Lost) as error:
            raise self.explained(error, statement) from None

    def explained(
        self,
        error: ServerError | Lost,
        statement: Rendered | None = None,
        rows: int | None = None,
    ) -> WarehouseError:
        """The error for the person on call; `rows` arrived before it."""
        after = "" if rows is None else f"after {rows:,} rows: "
        if self.connection.is_cancelled:
            return QueryCancelled(f"the run was stopped, and its query cancelled ({error})")
        if isinstance(error, Lost):
            return WarehouseError(
                f"{after}the connection to {self._where} was lost: {error}",
                cause=LOST.cause,
                transient=LOST.transient,
            )
        if error.code in TOO_SLOW:
            whose = (
                "raise 'timeout' in the header"
                if self._limit.is_ours
                else ("raise the time limit of the server or its user")
            )
            return QueryTimeout(
                f"{after}the server ended the query after {self._limit.seconds:g} s "
                f"({error.code}): make it cheaper, or {whose}"
            )
        if error.code == INTERRUPTED:
            return QueryCancelled(
                f"{after}the query was cancelled in the server, but not by this run ({error.code})"
            )
        return explained(error, statement, rows)

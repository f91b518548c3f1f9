"""A session whose results Redshift can write itself: it keeps one in a temporary table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.protocol import Query, Result
from extract_project.warehouses.redshift.parameters import bound
from extract_project.warehouses.redshift.session import RedshiftSession
from extract_project.warehouses.redshift.streaming import StreamingConnection
from extract_project.warehouses.unloading import Summary, Unloaded, UnloadFolder

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg.pq.abc import PGconn

    from extract_project.warehouses.redshift.result import KeptResult
    from extract_project.warehouses.redshift.types import RedshiftColumns

_BEGIN = "begin"
_NO_RIGHT = "42501"


@dataclass(frozen=True)
class Writing:
    """How Redshift writes results itself."""

    role: str | None = None
    """The role that it assumes: its ARN, or `default`."""
    region: str | None = None
    """The bucket's, if it is not the cluster's."""
    from_rows: int = 0


class WritingSession(RedshiftSession):
    """Implements `warehouses.unloading.Unloads`, each result in one transaction."""

    def __init__(
        self,
        connection: StreamingConnection,
        sign_in: Callable[[], PGconn],
        seconds: float,
        *,
        is_own_limit: bool,
        writing: Writing,
    ) -> None:
        super().__init__(connection, sign_in, seconds, is_own_limit=is_own_limit)
        self._writing = writing
        self.unload_from_rows = writing.from_rows
        self._kept: KeptResult | None = None

    def end(self) -> None:
        self._kept = None
        super().end()

    def require_unload_settings(self) -> None:
        self._role()

    def _role(self) -> str:
        """The role; raises WarehouseError if there is none."""
        if self._writing.role is None:
            raise WarehouseError(
                "'engine: unload' and 'auto' need EXTRACT_WAREHOUSES__<NAME>__UNLOAD_ROLE: set it "
                "to the role with which redshift may write below EXTRACT_DATA (docs/redshift.md)",
                cause=Cause.SETTINGS,
            )
        return self._writing.role

    def keep(self, query: Query) -> KeptResult:
        """Run the query into a temporary table, which the end of the transaction drops."""
        from extract_project.warehouses.redshift import unload
        from extract_project.warehouses.redshift.result import KeptResult

        given = bound(query)
        columns = self.described(given, query, _BEGIN)
        self._make_table(unload.RESULT, columns)
        insert = f"insert into {unload.RESULT} "
        with self.explaining(given.statement, len(insert)):
            rows = self.connection.run(insert + given.statement.text, given.values, given.types)
        with self.explaining():
            ((query_id,),) = self.connection.query("select pg_last_query_id()")
        self._kept = KeptResult(self, query, columns, rows, f"query {query_id}")
        return self._kept

    def kept_rows(self, result: KeptResult) -> Iterator[pa.RecordBatch]:
        from extract_project.warehouses.redshift.unload import kept_sql

        return self._own_rows(kept_sql(result.columns), result.query)[1]

    def rows_of(self, result: Result) -> int:
        return _of_this(result).rows

    def try_unload(self, query: Query, folder: UnloadFolder) -> tuple[pa.Schema, Unloaded]:
        from extract_project.warehouses.redshift import unload

        kept = self._kept  # with `engine: auto`; it lasts as long as its transaction
        columns = kept.columns if kept else self.described(bound(query), query, _BEGIN)
        unload.require_writable(columns)
        self._make_table(unload.ATTEMPT, columns)
        with self.explaining():
            self.connection.run(unload.nulls_sql(unload.ATTEMPT, columns))
        unloaded = self._unload(unload.ATTEMPT, columns, folder)
        if kept is None:
            self.end()
        return columns.schema, unloaded

    def summarize(self, result: Result) -> Summary:
        from extract_project.warehouses.redshift.unload import (
            HASHED_BY,
            first_rows_sql,
            summary_sql,
        )
        from extract_project.warehouses.summary_row import summary_of

        given = _of_this(result)
        row = self._table(summary_sql(given.columns), given.query).combine_chunks()
        first = self._table(first_rows_sql(given.columns), given.query)
        return summary_of(row, first, given.schema, HASHED_BY)

    def unload(self, result: Result, folder: UnloadFolder) -> Unloaded:
        from extract_project.warehouses.redshift.unload import RESULT

        unloaded = self._unload(RESULT, _of_this(result).columns, folder)
        self.end()
        return unloaded

    def _make_table(self, name: str, columns: RedshiftColumns) -> None:
        from psycopg import Error

        from extract_project.warehouses.redshift.unload import table_sql

        try:
            self.connection.run(table_sql(name, columns))
        except Error as error:
            if error.sqlstate != _NO_RIGHT:
                raise self.explained(error) from None
            raise WarehouseError(
                f"redshift keeps the result in a temporary table, and the user may make none: "
                f"{error.diag.message_primary}: run 'grant temporary on database … to …'",
                cause=Cause.PERMISSION,
            ) from None

    def _unload(self, table: str, columns: RedshiftColumns, folder: UnloadFolder) -> Unloaded:
        """Write a table, and return what Redshift's own manifest lists."""
        from extract_project.warehouses.redshift.unload import MANIFEST, files_of, unload_sql

        sql = unload_sql(
            table,
            columns,
            folder.uri,
            role=self._role(),
            region=self._writing.region,
            kms_key_id=folder.kms_key_id,
        )
        with self.explaining():
            self.connection.run(sql)
        files = tuple(files_of(folder.read(MANIFEST), folder.uri))
        return Unloaded(files, frozenset((MANIFEST,)))

    def _table(self, sql: str, query: Query) -> pa.Table:
        import pyarrow as pa

        schema, batches = self._own_rows(sql, query)
        return pa.Table.from_batches(batches, schema)

    def _own_rows(self, sql: str, query: Query) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and the rows of a statement of ours, with a query's choices of types."""
        from extract_project.warehouses.redshift.result import read
        from extract_project.warehouses.redshift.types import redshift_columns

        given = bound(Query(sql))
        with self.explaining():
            described = self.connection.describe(sql)
        columns = redshift_columns(described, Query(sql, types=query.types))
        return columns.schema, read(self, given, columns)


def _of_this(result: Result) -> KeptResult:
    from extract_project.warehouses.redshift.result import KeptResult

    if not isinstance(result, KeptResult):
        raise AssertionError("the result is of another warehouse, or was not kept")
    return result

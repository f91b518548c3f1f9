"""The rows of a described statement; it runs when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.prefetch import prefetch

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.protocol import Query, Rendered
    from extract_project.warehouses.redshift.parameters import Bound
    from extract_project.warehouses.redshift.session import RedshiftSession
    from extract_project.warehouses.redshift.types import RedshiftColumns
    from extract_project.warehouses.redshift.writing import WritingSession

_BLOCKS_AHEAD = 2


class RedshiftResult:
    """A described statement in an open transaction."""

    query_url = None
    usage = None

    def __init__(
        self, session: RedshiftSession, given: Bound, columns: RedshiftColumns, query_id: str
    ) -> None:
        self._session = session
        self._given = given
        self.columns = columns
        self.query_id = query_id

    @property
    def schema(self) -> pa.Schema:
        return self.columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from read(self._session, self._given, self.columns, self._given.statement)
        self._session.end()


class KeptResult:
    """The rows of a query that has run, in a temporary table of the open transaction."""

    query_url = None
    usage = None

    def __init__(
        self,
        session: WritingSession,
        query: Query,
        columns: RedshiftColumns,
        rows: int,
        query_id: str,
    ) -> None:
        self._session = session
        self.query = query
        self.columns = columns
        self.rows = rows
        self.query_id = query_id

    @property
    def schema(self) -> pa.Schema:
        return self.columns.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self._session.kept_rows(self)
        self._session.end()


def read(
    session: RedshiftSession,
    given: Bound,
    columns: RedshiftColumns,
    of_author: Rendered | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a statement, in the transaction that is open. `of_author`: the statement, if it
    is the author's, and errors have their place in the file."""
    import psycopg

    rows = 0
    blocks = session.connection.rows(
        given.statement.text, given.values, given.types, columns.described
    )
    try:
        with prefetch(blocks, _BLOCKS_AHEAD, session.cancel) as found:
            for sent, cells in found:
                if not columns.are(sent):
                    raise _changed([each.name for each in sent])
                batch = columns.batch(cells, rows)
                del cells
                rows += batch.num_rows
                if batch.num_rows:
                    yield batch
                del batch
    except psycopg.Error as error:
        raise session.explained(error, of_author, rows=rows) from None


def _changed(names: list[str]) -> WarehouseError:
    return WarehouseError(
        f"what the statement reads was changed while it was read (its columns are now "
        f"{', '.join(names)}): run it again",
        cause=Cause.BUSY,
        transient=True,
    )

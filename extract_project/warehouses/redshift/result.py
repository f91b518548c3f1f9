"""The rows of a described statement; it runs when they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.prefetch import prefetch

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.redshift.parameters import Bound
    from extract_project.warehouses.redshift.session import RedshiftSession
    from extract_project.warehouses.redshift.types import RedshiftColumns

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
        import psycopg

        given, rows = self._given, 0
        blocks = self._session.connection.rows(
            given.statement.text, given.values, given.types, self.columns.described
        )
        try:
            with prefetch(blocks, _BLOCKS_AHEAD, self._session.cancel) as read:
                for sent, cells in read:
                    if not self.columns.are(sent):
                        raise _changed([each.name for each in sent])
                    batch = self.columns.batch(cells, rows)
                    del cells
                    rows += batch.num_rows
                    if batch.num_rows:
                        yield batch
                    del batch
        except psycopg.Error as error:
            raise self._session.explained(error, given.statement, rows=rows) from None
        self._session.end()


def _changed(names: list[str]) -> WarehouseError:
    return WarehouseError(
        f"what the statement reads was changed while it was read (its columns are now "
        f"{', '.join(names)}): run it again",
        cause=Cause.BUSY,
        transient=True,
    )

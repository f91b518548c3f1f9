"""The first rows of a query, for its author. Nothing is published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from extract_project.prefetch import prefetch
from extract_project.stopping import Stage, Stop, supervised
from extract_project.warehouses.protocol import Label, Query, Result, Session, Warehouse


@dataclass(frozen=True)
class Sample:
    """Some rows of a result, in its schema."""

    rows: pa.Table
    complete: bool
    """Whether these are all rows of the result."""
    query_id: str | None


def sample(
    warehouse: Warehouse, query: Query, label: Label, *, rows: int, timeout: timedelta
) -> Sample:
    """Run a query, take its first rows, and cancel it; it is also cancelled when the time is up.

    Raises WarehouseError, QueryTimeout or TypeMappingError.
    """
    stop = Stop(timeout, set_by="--timeout")

    def take() -> Sample:
        with warehouse.connect(label, timeout) as session:
            stop.at(Stage.QUERYING)
            with (
                stop.cancelling(session.cancel),
                prefetch(_produce(session, query), 1, session.cancel) as items,
            ):
                result = next(items)
                assert not isinstance(result, pa.RecordBatch)
                stop.at(Stage.FETCHING)
                batches = (item for item in items if isinstance(item, pa.RecordBatch))
                taken = list(_first(batches, rows + 1))
                found = pa.Table.from_batches(taken, result.schema)
                return Sample(found.slice(0, rows), found.num_rows <= rows, result.query_id)

    return supervised(take, stop)


def _produce(session: Session, query: Query) -> Iterator[Result | pa.RecordBatch]:
    result = session.execute(query)
    yield result
    yield from result.batches()


def _first(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Batches up to this number of rows; no batch is fetched beyond it."""
    for batch in batches:
        yield batch.slice(0, rows)
        rows -= batch.num_rows
        if rows <= 0:
            return

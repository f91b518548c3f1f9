"""Download a Snowflake result chunk by chunk: a few at a time, in order, complete.

The connector's own iterator gives up if a chunk's download breaks, waits forever if one stalls,
does not renew expired addresses, and does not count rows (measured on 5.2.0). Here each chunk is
downloaded separately and its rows counted, and only that chunk is retried; a cancel ends the wait
for it at once. Its stream is used unchanged
(`_fetch_arrow_stream_ptr`, which is private: the public `to_arrow` converts with loss, see
`types`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from extract_project.memory import require_room
from extract_project.warehouses.ahead import BYTES_AHEAD, tables
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.waiting import Cancellation, begin

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.result_batch import ResultBatch

_SLOWEST_BYTES_PER_SECOND = 256 << 10


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries for Snowflake."""

    stall_seconds: float = 60
    """Seconds that the download of a small chunk may take."""
    tries: int = 6
    first_pause: float = 0.1
    """Seconds before the second try; each later pause is four times as long."""
    abort_seconds: float = 15
    """Seconds for which aborting a query is repeated until it ends."""


@dataclass
class Chunks:
    """The chunks of one result; `renew` gets fresh addresses for them."""

    connection: SnowflakeConnection
    batches: Sequence[ResultBatch]
    renew: Callable[[], Sequence[ResultBatch]]
    cancellation: Cancellation
    patience: Patience = Patience()
    generation: int = field(default=0, init=False)

    def read(self) -> Iterator[pa.Table]:
        """The chunks, in order.

        Raises a transient WarehouseError if one cannot be downloaded, QueryCancelled on a cancel.
        """
        return tables(range(len(self.batches)), self.size, partial(_Download, self))

    def refresh(self, seen: int) -> None:
        """Get fresh addresses, unless they are already newer than the generation `seen`."""
        if seen != self.generation:
            return
        batches = self.cancellation.result(begin("addresses", self.renew))
        if [each.rowcount for each in batches] != [each.rowcount for each in self.batches]:
            raise incomplete("the result came back in other chunks than before")
        self.batches = batches
        self.generation += 1

    def size(self, number: int) -> int:
        """Bytes of a chunk in memory; 0 if Snowflake does not say."""
        return self.batches[number].uncompressed_size or 0


class _Download:
    """The download of one chunk, retried until it is complete."""

    def __init__(self, chunks: Chunks, number: int) -> None:
        self.number = number
        self._chunks = chunks
        self._start()

    def _start(self) -> None:
        """Start it in a separate thread, because a stalled download cannot be ended."""
        self._require_room()
        self._generation = self._chunks.generation
        self._batch = self._chunks.batches[self.number]
        batch, connection = self._batch, self._chunks.connection
        self._whole: Future[pa.Table] = begin("chunk", lambda: _downloaded(batch, connection))

    def _require_room(self) -> None:
        """Raise OutOfMemory if a chunk of long values has no place: compressed, whole, as Arrow."""
        size = self._chunks.size(self.number)
        if size > BYTES_AHEAD:
            require_room(
                3 * size,
                f"chunk {self.number + 1} of the result has {size >> 20:,} MiB: downloading it",
                "select less of its longest values",
            )

    def table(self) -> pa.Table:
        """Wait for it; from the second failure on, ask for fresh addresses."""
        import pyarrow as pa
        from snowflake.connector.errors import Error

        patience = self._chunks.patience
        size = self._batch.compressed_size or 0
        limit = patience.stall_seconds + size / _SLOWEST_BYTES_PER_SECOND
        for tries in range(1, patience.tries + 1):
            try:
                return self._chunks.cancellation.result(self._whole, limit)
            except TimeoutError:
                reason = f"it was not there after {limit:.0f} s"
            except (Error, pa.ArrowInvalid, OSError) as error:
                reason = str(error)
            if tries == patience.tries or not _is_remote(self._batch):
                break
            pause = random.uniform(0.5, 1.0) * patience.first_pause * 4 ** (tries - 1)
            self._chunks.cancellation.pause(pause)
            if tries > 1:
                self._chunks.refresh(self._generation)
            self._start()
        failed = "could not be read" if tries == 1 else f"did not arrive whole in {tries} tries"
        raise incomplete(
            f"chunk {self.number + 1} of {len(self._chunks.batches)} of the result {failed} "
            f"({reason})"
        )


def _downloaded(batch: ResultBatch, connection: SnowflakeConnection) -> pa.Table:
    import pyarrow as pa

    stream = pa.RecordBatchReader._import_from_c(batch._fetch_arrow_stream_ptr(connection))
    table = stream.read_all()
    if _is_remote(batch) and table.num_rows != batch.rowcount:
        raise pa.ArrowInvalid(f"{table.num_rows} of {batch.rowcount} rows arrived")
    return table


def _is_remote(batch: ResultBatch) -> bool:
    """False for the first chunk, which is part of the reply itself: another attempt would read the
    same bytes, and its number of rows is only derived from the result's total.
    """
    return batch.compressed_size is not None

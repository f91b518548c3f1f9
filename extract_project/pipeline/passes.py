"""Give each lane its rows of one result.

Usually all destinations of an extract have the same published rows. Then there is one lane, and
rows pass through. If a destination is behind, the result is kept on local disk, and each lane takes
from there the rows that its own destinations lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from extract_project.errors import IncrementError
from extract_project.pipeline.increment import Increment, require_schema
from extract_project.pipeline.lanes import Lane

Batches = Iterator[pa.RecordBatch]


class Passes:
    """The new rows of each lane, one lane after the other."""

    def __init__(self, lanes: Sequence[Lane], directory: Path) -> None:
        self._lanes, self._directory = lanes, directory
        self._increments = []
        for number, lane in enumerate(lanes):
            bases = [
                (branch.health, base)
                for branch, base in zip(lane.branches, lane.bases, strict=True)
            ]
            increment = Increment(lane.run.extract, bases, directory / f"increment-{number}")
            self._increments.append(increment)

    def cancel(self) -> None:
        """Cancel a comparison that is running; safe from any thread."""
        for each in self._increments:
            each.cancel()

    def of(self, schema: pa.Schema, batches: Batches) -> Iterator[tuple[Lane, Batches]]:
        """Each lane with its new rows; read them before you ask for the next lane.

        Raises IncrementError as `Increment.new_rows` does; of several lanes, a lane whose published
        rows have other columns is left out.
        """
        if len(self._lanes) == 1:
            yield self._lanes[0], self._increments[0].new_rows(schema, batches)
            return
        spool = self._directory / "result.arrow"
        _spool(schema, batches, spool)
        for lane, increment in zip(self._lanes, self._increments, strict=True):
            _require_columns(lane, schema)
            if lane.is_alive:
                with pa.OSFile(str(spool), "rb") as file:
                    yield lane, increment.new_rows(schema, iter(pa.ipc.open_stream(file)))


def _spool(schema: pa.Schema, batches: Batches, path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema, options=options) as to:
        for batch in batches:
            to.write_batch(batch)


def _require_columns(lane: Lane, schema: pa.Schema) -> None:
    for branch, base in zip(lane.branches, lane.bases, strict=True):
        with branch.health.noting(IncrementError):
            if base is not None:
                require_schema(schema, base.manifest, lane.run.extract)

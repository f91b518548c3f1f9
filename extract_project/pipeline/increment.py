"""Find the rows of an incremental result that are not published yet.

The query returns rows again from `lag` below the watermark up to it, for late rows and ties.
Those already published are dropped, by multiset difference of whole rows: a row that the query
returns three times and that is published twice is added once. Meanwhile the result is kept on
local disk; the comparison is a query in an embedded DuckDB that spills to disk too (G9). Rows are
compared by the SHA-256 of their exact text.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.disk import spilling
from extract_project.errors import IncrementError, QueryCancelled
from extract_project.history.cursor import Cursor, Span, ordinal
from extract_project.history.parts import PartsManifest
from extract_project.history.reading import open_part
from extract_project.history.receipt import read_schema
from extract_project.manifest.extract import Extract
from extract_project.publish.base import Base
from extract_project.publish.fan import Health
from extract_project.schema.text import json_rows

if TYPE_CHECKING:
    import duckdb

_MEMORY_LIMIT = "128MB"
_ROWS_AT_ONCE = 65_536
_TEXTS_AT_ONCE = 4_096
_THREADS = 2
_KEY = ("k0", "k1", "k2", "k3")
"""The 256 bits of a row's checksum, as numbers: DuckDB holds text and bytes of a key twice."""

_COLUMNS = ", ".join(f"{name} ubigint" for name in _KEY)
_REPEATED = f"""
    with had as (
        select {", ".join(_KEY)}, count(*) as times from published group by {", ".join(_KEY)}
    ),
    came as (
        select row, times, row_number() over (partition by {", ".join(_KEY)} order by row) as nth
        from result join had using ({", ".join(_KEY)})
    )
    select row from came where nth <= times order by row
"""


class Increment:
    """The new rows of one run's result. Without a base, all rows are new."""

    def __init__(
        self, extract: Extract, bases: Sequence[tuple[Health, Base | None]], directory: Path
    ) -> None:
        """`bases` are the same published rows at one destination or several."""
        self._extract, self._bases, self._directory = extract, bases, directory
        self._base = bases[0][1]
        self._cancelled = threading.Event()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cancel(self) -> None:
        """Cancel a comparison that is running; safe from any thread."""
        self._cancelled.set()
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def new_rows(
        self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """The rows to add, in their order.

        Raises IncrementError if the columns differ from those of the published rows, or a row has
        no cursor value.
        """
        incremental = self._extract.header.incremental
        if incremental is None:
            yield from batches
            return
        cursor = Cursor.find(incremental, schema)
        sound = self._sound(batches, cursor)
        if self._base is None:
            yield from sound
            return
        require_schema(schema, self._base.manifest, self._extract)
        with self._database() as connection:
            yield from self._difference(connection, self._base, schema, sound)

    def _sound(self, batches: Iterator[pa.RecordBatch], cursor: Cursor) -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in batches:
            misfit = cursor.misfit(batch.column(cursor.name))
            if misfit:
                index, value, why = misfit
                raise IncrementError(
                    f"the cursor {cursor.name!r} is {value} in row {rows + index + 1:,} of the "
                    f"result: {why}"
                )
            rows += batch.num_rows
            yield batch

    def _difference(
        self,
        connection: duckdb.DuckDBPyConnection,
        base: Base,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
    ) -> Iterator[pa.RecordBatch]:
        connection.execute(f"create table result (row bigint, {_COLUMNS})")
        connection.execute(f"create table published ({_COLUMNS})")
        spool = self._directory / "increment.arrow"
        overlap = self._spool(connection, base, schema, batches, spool)
        if overlap is not None:
            self._read_published(connection, overlap)
        repeated = _RowNumbers(connection)
        with pa.OSFile(str(spool), "rb") as file:
            first = 0
            for batch in pa.ipc.open_stream(file):
                self._require_going_on()
                keep = np.ones(batch.num_rows, bool)
                keep[repeated.below(first + batch.num_rows) - first] = False
                first += batch.num_rows
                yield batch if keep.all() else batch.filter(pa.array(keep))

    def _spool(
        self,
        connection: duckdb.DuckDBPyConnection,
        base: Base,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        spool: Path,
    ) -> Span | None:
        """Write the result to disk; returns the range of rows that may be published already.

        Those are the rows up to the watermark: no row above it has ever been published.
        """
        overlap: Span | None = None
        first = 0
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(spool), "wb") as file,
            pa.ipc.new_stream(file, schema, options=options) as writer,
        ):
            for batch in batches:
                self._require_going_on()
                writer.write_batch(batch)
                known = pc.less_equal(batch.column(base.cursor.name), base.watermark)
                below = batch.filter(known)
                if below.num_rows:
                    rows = pc.add(pc.indices_nonzero(known).cast(pa.int64()), first)
                    _insert(connection, "result", {"row": rows, **_keys(below)})
                    span = Span.of(below.column(base.cursor.name))
                    overlap = span.joined(overlap) if span else overlap
                first += batch.num_rows
        return overlap

    def _read_published(self, connection: duckdb.DuckDBPyConnection, overlap: Span) -> None:
        """Read the published rows of the parts that reach into the overlap.

        A part that cannot be read at one destination is read at the next.
        """
        for health, base in self._bases:
            if base is not None and health.error is None:
                with health.noting():
                    connection.execute("delete from published")
                    self._read_at(connection, base, overlap)
                    return

    def _read_at(self, connection: duckdb.DuckDBPyConnection, base: Base, overlap: Span) -> None:
        for part in base.manifest.parts:
            if part.max is None or ordinal(base.cursor.read(part.max)) < ordinal(overlap.lowest):
                continue
            for batch in open_part(base.store, base.manifest, part):
                self._require_going_on()
                reached = batch.filter(
                    pc.greater_equal(batch.column(base.cursor.name), overlap.lowest)
                )
                if reached.num_rows:
                    _insert(connection, "published", _keys(reached))

    @contextmanager
    def _database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        self._directory.mkdir(exist_ok=True)
        config: dict[str, Any] = {
            "memory_limit": _MEMORY_LIMIT,
            "temp_directory": str(self._directory / "increment-spill"),
            "threads": _THREADS,  # each thread holds its own blocks
            "preserve_insertion_order": False,
        }
        with (
            spilling(self._directory),
            duckdb.connect(str(self._directory / "increment.duckdb"), config=config) as connection,
        ):
            connection.execute("set enable_progress_bar = false")
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    def _require_going_on(self) -> None:
        if self._cancelled.is_set():
            raise QueryCancelled(
                "the run was stopped while it compared rows with the published ones"
            )


class _RowNumbers:
    """Row numbers in ascending order, read on demand."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._reader = connection.execute(_REPEATED).to_arrow_reader(_ROWS_AT_ONCE)
        self._waiting = np.empty(0, np.int64)
        self._more = True

    def below(self, end: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The row numbers below `end` that were not returned before."""
        while self._more and (not len(self._waiting) or self._waiting[-1] < end):
            batch = next(self._reader, None)
            self._more = batch is not None
            if batch is not None:
                found = batch.column(0).to_numpy(zero_copy_only=False)
                self._waiting = np.concatenate([self._waiting, found])
        stop = int(np.searchsorted(self._waiting, end))
        given, self._waiting = self._waiting[:stop], self._waiting[stop:]
        return given


def _keys(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    digests = bytearray()
    for start in range(0, batch.num_rows, _TEXTS_AT_ONCE):
        for text in json_rows(batch.slice(start, _TEXTS_AT_ONCE)).to_pylist():
            digests += sha256(text.encode()).digest()
    numbers = np.frombuffer(digests, np.uint64).reshape(-1, len(_KEY))
    return {name: pa.array(numbers[:, i].copy()) for i, name in enumerate(_KEY)}


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, pa.Array]
) -> None:
    connection.register("rows", pa.table(columns))
    connection.execute(f"insert into {table} select * from rows")
    connection.unregister("rows")


def require_schema(schema: pa.Schema, manifest: PartsManifest, extract: Extract) -> None:
    published = read_schema(manifest)
    there = [f"{field.name} {field.type}" for field in published]
    here = [f"{field.name} {field.type}" for field in schema]
    if here == there:
        return
    news = ", ".join(each for each in here if each not in there) or "none"
    gone = ", ".join(each for each in there if each not in here) or "none"
    raise IncrementError(
        f"the result's columns differ from those of the published rows (new: {news}; gone: {gone}; "
        f"or their order): expected the same columns in the same order; "
        f"to publish everything anew, run: extract run {extract.path} --full-refresh"
    )

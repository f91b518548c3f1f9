"""What a run adds to what is published: rows that are not there yet, no matter how often they come.

The query asks again for rows from a little below the watermark (`lag`), and for those at it: late
rows and ties. What of them has been published is dropped, by multiset difference of whole rows:
a row that came three times and is published twice is added once. The result waits on local disk
meanwhile, and the comparison is a query in an embedded DuckDB that spills to disk too (G9). Rows
are compared by the SHA-256 of their exact text.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from extract_project.constants import Value
from extract_project.errors import Cause, IncrementError, QueryCancelled
from extract_project.manifest.extract import Extract
from extract_project.publish.cursor import Cursor, Span, ordinal
from extract_project.publish.disk import spilling
from extract_project.publish.formats.jsonl import json_rows
from extract_project.publish.parts import Part, PartsManifest, load_manifest
from extract_project.publish.reading import open_part
from extract_project.publish.receipt import read_schema
from extract_project.publish.versions import Version, find_version

if TYPE_CHECKING:
    import duckdb
    from mypy_boto3_s3 import S3Client

_HEADS = 16
_MEMORY_LIMIT = "128MB"
_ROWS_AT_ONCE = 65_536
_TEXTS_AT_ONCE = 4_096
_THREADS = 2
_KEY = ("k0", "k1", "k2", "k3")
"""The 256 bits of a row's checksum. As numbers, because text and bytes of a key are held twice."""

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


@dataclass(frozen=True)
class Base:
    """What is published, to which new rows are added."""

    s3: S3Client
    bucket: str
    manifest: PartsManifest
    cursor: Cursor
    watermark: pa.Scalar

    @property
    def bound(self) -> Value:
        return self.cursor.bound(self.watermark)


def find_base(s3: S3Client, extract: Extract, previous: Version | None) -> Base | None:
    """None where no row has been published yet, so that all are new.

    Raises IncrementError where nothing can be added to what is there: the SQL has changed, or a
    part of it is missing.
    """
    incremental = extract.header.incremental
    if incremental is None or previous is None:
        return None
    manifest = load_manifest(s3, previous)
    if manifest.watermark is None:
        return None
    refresh = f"to publish everything anew: extract run {extract.path} --full-refresh"
    if manifest.code_version != extract.code_version:
        raise IncrementError(
            f"the SQL, or a header key that shapes the data, is another than that of the published "
            f"rows ({manifest.sql_key} version {manifest.sql_version}), and rows of both would be "
            f"mixed: {refresh}; or put the file back as it was: extract push"
        )
    _require_parts(s3, previous, manifest, refresh)
    cursor = Cursor.find(incremental, read_schema(manifest))
    watermark = cursor.read(manifest.watermark.value)
    return Base(s3, previous.bucket, manifest, cursor, watermark)


def _require_parts(s3: S3Client, version: Version, manifest: PartsManifest, refresh: str) -> None:
    """Nothing is added to rows of which some are gone."""

    def is_there(part: Part) -> bool:
        found = find_version(s3, version.bucket, part.key, part.version_id)
        return found is not None and found.size == part.bytes

    with ThreadPoolExecutor(_HEADS, thread_name_prefix="head") as pool:
        there = list(pool.map(is_there, manifest.parts))
    missing = [part for part, found in zip(manifest.parts, there, strict=True) if not found]
    if missing:
        first = missing[0]
        raise IncrementError(
            f"{len(missing)} of {len(there)} published parts are gone or damaged, the first of "
            f"them s3://{version.bucket}/{first.key} version {first.version_id}: {refresh}",
            cause=Cause.S3,
        )
    counted = sum(part.rows for part in manifest.parts)
    if counted != manifest.rows:
        raise IncrementError(
            f"{version.uri} says {manifest.rows:,} rows, and its parts have {counted:,}: {refresh}",
            cause=Cause.S3,
        )


class Increment:
    """The new rows of one run's result: all of them, unless rows are added to what is there."""

    def __init__(self, extract: Extract, base: Base | None, directory: Path) -> None:
        self._extract, self._base, self._directory = extract, base, directory
        self._cancelled = threading.Event()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cancel(self) -> None:
        """End a comparison that is under way; safe from any thread."""
        self._cancelled.set()
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def new_rows(
        self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """The rows that are to be added, in their order.

        Raises IncrementError for columns that are not those of the published rows, and for a row
        without a cursor.
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
        _require_schema(schema, self._base.manifest, self._extract)
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
            self._read_published(connection, base, overlap)
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
        """Put the result on disk; gives the span of those of its rows that may be there already.

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

    def _read_published(
        self,
        connection: duckdb.DuckDBPyConnection,
        base: Base,
        overlap: Span,
    ) -> None:
        """Only of parts that reach into the overlap."""
        schema = read_schema(base.manifest)
        for part in base.manifest.parts:
            if part.max is None or ordinal(base.cursor.read(part.max)) < ordinal(overlap.lowest):
                continue
            for batch in open_part(base.s3, base.bucket, part, schema):
                self._require_going_on()
                reached = batch.filter(
                    pc.greater_equal(batch.column(base.cursor.name), overlap.lowest)
                )
                if reached.num_rows:
                    _insert(connection, "published", _keys(reached))

    @contextmanager
    def _database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        config: dict[str, Any] = {
            "memory_limit": _MEMORY_LIMIT,
            "temp_directory": str(self._directory / "increment-spill"),
            "threads": _THREADS,  # each holds blocks of its own
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
            raise QueryCancelled("the run was ended while it looked for new rows")


class _RowNumbers:
    """Row numbers in ascending order, read as they are asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._reader = connection.execute(_REPEATED).to_arrow_reader(_ROWS_AT_ONCE)
        self._waiting = np.empty(0, np.int64)
        self._more = True

    def below(self, end: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Those not given before, up to `end`."""
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


def _require_schema(schema: pa.Schema, manifest: PartsManifest, extract: Extract) -> None:
    published = read_schema(manifest)
    there = [f"{field.name} {field.type}" for field in published]
    here = [f"{field.name} {field.type}" for field in schema]
    if here == there:
        return
    news = ", ".join(each for each in here if each not in there) or "none"
    gone = ", ".join(each for each in there if each not in here) or "none"
    raise IncrementError(
        f"the result has other columns than the published rows (new: {news}; gone: {gone}; or "
        f"another order): to publish everything anew: extract run {extract.path} --full-refresh"
    )

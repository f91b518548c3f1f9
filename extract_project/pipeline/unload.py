"""`engine: unload`: the warehouse writes the result's files, and the run audits them.

The warehouse writes one row of NULLs first: what it may not write, or would write as another type,
ends the run before the query. Then the query runs, once. The warehouse says what its result is
like, and writes it, and the files are reconciled with all that is known (`reconcile`). Checks read
the columns that they name, from the very versions that the manifest will list. What no check names
is never read, so a small task publishes a result of any size.

A result without rows has no file, and one with few is not worth it: those are streamed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from extract_project.errors import StagingError, TypeMappingError
from extract_project.history.parts import Part
from extract_project.history.versions import find_version
from extract_project.pipeline.file_columns import promised_schema
from extract_project.pipeline.lanes import Lane
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.reconcile import parquet_part, reconciled
from extract_project.pipeline.store_folder import StoreFolder
from extract_project.pipeline.stream import Passed, accepted, audited, stream
from extract_project.publish.clock import Clock
from extract_project.publish.places import Branch, require_one
from extract_project.publish.publishing import require_newest
from extract_project.publish.unloaded import UnloadedOutput, WrittenElsewhere, hide_all, hide_below
from extract_project.schema.annotations import required
from extract_project.schema.change import compare_schemas
from extract_project.schema.spelling import spelled
from extract_project.stopping import Stage, Stop
from extract_project.store.protocol import Store
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query, Result, Session
from extract_project.warehouses.unloading import ColumnSummary, Summary, Unloaded, Unloads

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_ROWS = 8192
_BATCH_BYTES = 16 << 20


def unload(
    session: Session,
    lane: Lane,
    branch: Branch,
    clock: Clock,
    directory: Path,
    *,
    stop: Stop,
) -> list[Passed]:
    """Have the warehouse write the result, or stream it where that is not worth it.

    Returns the lane with its audited rows. Raises as `stream` does, and as `reconciled` does.
    """
    if not isinstance(session, Unloads):
        return stream(session, [lane], [branch], clock, directory, stop=stop)
    engine = lane.run.extract.header.engine
    query = lane.run.extract.query(lane.run.provenance.partition)
    unloading = _Unloading(session, lane, branch, clock, stop)
    session.require_unload_settings()
    with stop.cancelling(session.cancel):
        if engine == "unload":
            unloading.attempt(query)
        stop.at(Stage.QUERYING)
        with clock.stage("query"):
            result = session.keep(query)
        least = session.unload_from_rows if engine == "auto" else 1
        if session.rows_of(result) >= max(least, 1):
            if engine == "auto":
                unloading.attempt(query)
            return [unloading.passed(result, directory)]
    answered = _Answered(session, result)
    return stream(answered, [lane], [branch], clock, directory, stop=stop)


@dataclass(frozen=True)
class _Answered:
    """A session whose query has run, for those who would have it run."""

    session: Session
    result: Result

    def execute(self, query: Query) -> Result:
        return self.result

    def cancel(self) -> None:
        self.session.cancel()


@dataclass(frozen=True)
class _Unloading:
    """The unload of one result."""

    session: Unloads
    lane: Lane
    branch: Branch
    clock: Clock
    stop: Stop

    @property
    def _store(self) -> Store:
        return self.branch.place.target.store

    def attempt(self, query: Query) -> None:
        """Have one row of NULLs written, and hide it: missing rights and types that are not exact
        are known before the rows are written, and with `engine: unload`, before the query runs.
        """
        folder = f"{self._output().folder.removesuffix('/')}-attempt/"
        self.stop.at(Stage.UNLOADING)
        try:
            with self.clock.stage("query"):
                schema, unloaded = self.session.try_unload(query, StoreFolder(self._store, folder))
                promised = promised_schema(self.lane.run.extract, schema)
                _require_own_types(schema, promised)
                one = Summary(1, "", [ColumnSummary(1)] * len(schema), schema.empty_table())
                self._reconciled(folder, unloaded, schema, one)
        finally:
            hide_below(self._store, folder)

    def passed(self, result: Result, directory: Path) -> Passed:
        """Have the rows written, and audit them."""
        lane, stop, clock = self.lane, self.stop, self.clock
        begun = accepted(result, lane)
        _require_own_types(result.schema, begun.schema)
        stop.at(Stage.UNLOADING)
        with clock.stage("audit"):
            summary = self.session.summarize(result)
        _require_announced(self.session.rows_of(result), summary)
        stop.require()
        output = self._output()
        self.branch.abort()
        self.branch.output = output
        with clock.stage("upload"):
            folder = StoreFolder(self._store, output.folder)
            unloaded = self.session.unload(result, folder)
            stop.require()
            parts = self._reconciled(output.folder, unloaded, begun.schema, summary)
            hide_all(self._store, [f"{output.folder}{name}" for name in unloaded.beside])
        output.take(parts, summary.digest)
        lane = replace(lane, writer=WrittenElsewhere(summary.rows))
        file_schema = required(begun.promised, ())
        lane.begin(file_schema, result.query_id)
        stop.at(Stage.CHECKING)
        passed = audited(begun, lane, _profile(file_schema, summary), directory / "unloaded", stop)
        for rows in _rows_of(self._store, parts, passed.audit.reads, clock):
            stop.require()
            require_one([self.branch])
            with clock.stage("audit"):
                passed.audit.observe(rows)
        return passed

    def _reconciled(
        self, folder: str, unloaded: Unloaded, schema: pa.Schema, summary: Summary
    ) -> list[Part]:
        """The parts that the warehouse has written.

        Raises Superseded if a later run has published meanwhile: it hides what earlier ones have
        written, and no second attempt is needed.
        """
        try:
            return reconciled(self._store, folder, unloaded, schema, summary)
        except StagingError:
            target = self.branch.place.target
            current = find_version(target.store, target.key)
            require_newest(self.lane.run.started_at, current, target)
            raise

    def _output(self) -> UnloadedOutput:
        return UnloadedOutput(
            self.branch.place.target, self.branch.health, self.lane.run.receipt_id
        )


def _require_announced(rows: int, summary: Summary) -> None:
    """Raise WarehouseError if the warehouse counts other rows than it has announced."""
    if rows != summary.rows:
        raise incomplete(f"the warehouse announced {rows:,} rows, and counts {summary.rows:,}")


def _require_own_types(own: pa.Schema, promised: pa.Schema) -> None:
    """Raise TypeMappingError if the header declares another type than the query has: rows that do
    not pass through the run cannot be cast here.
    """
    wrong = [
        f"{old.name!r} is {spelled(old.type)}, and the header declares {spelled(new.type)}"
        for old, new in compare_schemas(own, promised).retyped
    ]
    if wrong:
        raise TypeMappingError(
            f"the warehouse writes the types of the query: {'; '.join(wrong)}: cast in the SQL, or "
            f"write 'engine: stream'"
        )


def _profile(schema: pa.Schema, summary: Summary) -> Profile:
    profile = Profile(schema)
    profile.show(summary.first)
    profile.rows = summary.rows
    for index, column in enumerate(summary.columns):
        profile.tell(index, column.nulls, column.extremes)
    return profile


def _rows_of(
    store: Store, parts: Sequence[Part], columns: Sequence[str], clock: Clock
) -> Iterator[pa.Table]:
    """The columns of all parts, one after the other; nothing if there are no columns."""
    for part in parts if columns else ():
        with parquet_part(store, part) as file:
            rows = _rows_at_once(file.metadata, columns)
            batches = file.iter_batches(rows, columns=list(columns), use_threads=False)
            while True:
                with clock.stage("fetch"):
                    batch = next(batches, None)
                if batch is None:
                    break
                yield pa.Table.from_batches([batch])


def _rows_at_once(footer: pq.FileMetaData, columns: Collection[str]) -> int:
    """How many rows of these columns fit into a batch, by the row group with the longest rows."""
    longest = 1.0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        chunks = (group.column(index) for index in range(group.num_columns))
        size = sum(
            each.total_uncompressed_size for each in chunks if each.path_in_schema in columns
        )
        longest = max(longest, size / max(group.num_rows, 1))
    return max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / longest)))

"""`engine: unload`: the warehouse writes the result's files, and the run audits them.

The query runs once. The warehouse says what its result is like, before anything is written; writes
it; and its files are reconciled with all that is known (`reconcile`). Checks then read the columns
that they name, from the very versions that the manifest will list. What no check names is never
read, so a small task publishes a result of any size.

A result without rows has no file, and one with few is not worth it: those are streamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from extract_project.errors import TypeMappingError
from extract_project.history.parts import Part
from extract_project.pipeline.lanes import Lane
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.reconcile import parquet_part, reconciled
from extract_project.pipeline.stream import Begun, Passed, accepted, audited, stream
from extract_project.publish.clock import Clock
from extract_project.publish.places import Branch, require_one
from extract_project.publish.unloaded import UnloadedOutput, WrittenElsewhere
from extract_project.schema.annotations import required
from extract_project.schema.spelling import spelled
from extract_project.stopping import Stage, Stop
from extract_project.store.protocol import Store
from extract_project.warehouses.protocol import Query, Result, Session
from extract_project.warehouses.unloading import Summary, Unloads

_BATCH_ROWS = 8192


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
    extract = lane.run.extract
    with stop.cancelling(session.cancel):
        stop.at(Stage.QUERYING)
        with clock.stage("query"):
            result = session.execute(extract.query(lane.run.provenance.partition))
        if _is_worth_it(session, result, extract.header.engine):
            return [_unloaded(session, result, lane, branch, clock, directory=directory, stop=stop)]
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


def _is_worth_it(session: Unloads, result: Result, engine: str) -> bool:
    least = session.unload_from_rows if engine == "auto" else 1
    return session.rows_of(result) >= max(least, 1)


def _unloaded(
    session: Unloads,
    result: Result,
    lane: Lane,
    branch: Branch,
    clock: Clock,
    *,
    directory: Path,
    stop: Stop,
) -> Passed:
    begun = accepted(result, lane)
    _require_own_types(begun)
    stop.at(Stage.UNLOADING)
    with clock.stage("audit"):
        summary = session.summarize(result)
    stop.require()
    store = branch.place.target.store
    output = UnloadedOutput(branch.place.target, branch.health, lane.run.receipt_id)
    branch.abort()
    branch.output = output
    with clock.stage("upload"):
        written = session.unload(result, store.uri(output.folder), store.kms_key_id)
        stop.require()
        parts = reconciled(store, output.folder, written, begun.schema, summary)
    output.take(parts, summary.digest)
    lane = replace(lane, writer=WrittenElsewhere(summary.rows))
    file_schema = required(begun.promised, ())
    lane.begin(file_schema, result.query_id)
    stop.at(Stage.CHECKING)
    passed = audited(begun, lane, _profile(file_schema, summary), directory / "unloaded", stop)
    for rows in _rows_of(store, parts, passed.audit.reads, clock):
        stop.require()
        require_one([branch])
        with clock.stage("audit"):
            passed.audit.observe(rows)
    return passed


def _require_own_types(begun: Begun) -> None:
    """Raise TypeMappingError if the header declares another type than the query has: rows that do
    not pass through the run cannot be cast here.
    """
    wrong = [
        f"{own.name!r} is {spelled(own.type)}, and the header declares {spelled(promised.type)}"
        for own, promised in zip(begun.result.schema, begun.schema, strict=True)
        if not own.type.equals(promised.type)
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
            batches = file.iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False)
            while True:
                with clock.stage("fetch"):
                    batch = next(batches, None)
                if batch is None:
                    break
                yield pa.Table.from_batches([batch])

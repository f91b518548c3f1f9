"""The pipeline: query, audit, encode, and upload as parts that are not visible yet.

Three things overlap: a thread reads from the warehouse and profiles, the caller's thread audits
and encodes, two threads upload. Each waits for the next, so memory holds three row groups and
three parts of an upload (G9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from extract_project.checks.base import Subject
from extract_project.checks.contract import kept
from extract_project.formats.far_years import written_years
from extract_project.history.receipt import Receipt
from extract_project.manifest.extract import Extract
from extract_project.pipeline.audit import Audit, Outcome, audit_directory, let_through
from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.file_columns import (
    as_written,
    promised_schema,
    undescribed,
    written_schema,
)
from extract_project.pipeline.increment import Increment
from extract_project.pipeline.lanes import Lane, open_lane
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.provenance import Provenance, RunOfExtract
from extract_project.pipeline.receipt_of_run import receipt_of_run
from extract_project.pipeline.rowgroups import row_groups
from extract_project.pipeline.schema_drift import compare_with_version
from extract_project.prefetch import prefetch
from extract_project.publish.base import find_base
from extract_project.publish.clock import Clock
from extract_project.publish.places import Branch, Place, require_one
from extract_project.publish.publishing import Publishable
from extract_project.publish.target import Target
from extract_project.schema.annotations import required
from extract_project.stopping import Stage, Stop
from extract_project.store.folder import Folder
from extract_project.warehouses.protocol import Result, Session, Warehouse

_GROUPS_AHEAD = 1


@dataclass(frozen=True)
class Staged(Publishable):
    """A publishable result, with its profile and the outcomes of its checks."""

    outcomes: tuple[Outcome, ...]
    preview: tuple[dict[str, str], ...]
    baseline: PublishedBaseline
    branches: tuple[Branch, ...]
    """One for each destination, in the order of `to`."""
    doubts: tuple[str, ...] = ()
    """What is wrong in the SQL file and does not keep the result from being published."""


@contextmanager
def stage(
    warehouse: Warehouse,
    extract: Extract,
    target: Target,
    provenance: Provenance,
    *,
    state: Folder,
    stop: Stop | None = None,
    further: Sequence[Place] = (),
) -> Iterator[Staged]:
    """Stage an extract. If it has not been published at the end of the block, it is aborted.

    `state` has the receipts, which record the columns of the current version. `stop` can end the
    work from another thread. The result is staged at the `further` places too: what is wrong with
    one place is kept in its branch as long as another is left.

    Raises BucketError, WarehouseError, TypeMappingError, SchemaError, IncrementError, AuditError or
    StagingError. After any exception, also one of the caller, the query is cancelled, every upload
    is aborted, and nothing becomes visible (G2).
    """
    run, clock, stop = RunOfExtract.begin(extract, provenance), Clock(), stop or Stop()
    places = [Place(extract.destination, target, state), *further]
    branches = tuple(Branch(place) for place in places)
    try:
        with clock.stage("connect"):
            for branch in branches:
                branch.look(run.receipt_id)
            require_one(branches)
            lane = _lane(run, [each for each in branches if each.is_alive], clock)
            require_one(branches)
        with audit_directory() as directory:
            stop.at(Stage.CONNECTING)
            with _connected(warehouse, run, clock) as session:
                passed = _stream(session, lane, clock, directory, stop=stop)
            stop.at(Stage.CHECKING)
            with clock.stage("audit"):
                outcomes = let_through(passed.outcomes(), provenance.release)
        stop.at(Stage.UPLOADING)
        lane.writer.seal()
        require_one(branches)
        stop.require()
        receipt = _complete(lane, passed, outcomes, clock, stop)
        first = next(each for each in lane.branches if each.is_alive)
        assert first.output is not None
        yield Staged(
            first.output,
            receipt,
            first.previous,
            stop,
            lane.run.base is not None,
            outcomes=outcomes,
            preview=tuple(passed.profile.preview),
            baseline=lane.baseline,
            branches=branches,
            doubts=tuple(undescribed(extract, passed.begun.schema.names)),
        )
    finally:
        with ExitStack() as ending:  # each, also if one cannot
            for branch in branches:
                ending.callback(branch.abort)


def _lane(run: RunOfExtract, branches: Sequence[Branch], clock: Clock) -> Lane:
    first = branches[0]
    base = None if run.provenance.full_refresh else find_base(run.extract, first.previous)
    return open_lane(
        replace(run, base=base), branches, [base, *[None] * (len(branches) - 1)], clock
    )


def _complete(
    lane: Lane, passed: _Passed, outcomes: Sequence[Outcome], clock: Clock, stop: Stop
) -> Receipt:
    """Make the result publishable at each destination that is left; returns the first receipt."""
    receipts, stages = [], clock.stages()
    for branch in lane.branches:
        if not branch.is_alive or branch.output is None:
            continue
        receipt = receipt_of_run(
            lane.run,
            branch.output.content(lane.writer.rows),
            passed.begun.result,
            passed.profile,
            outcomes=outcomes,
            stages=stages,
            baseline=lane.baseline,
        )
        appends = lane.run.base is not None
        branch.publishable = Publishable(branch.output, receipt, branch.previous, stop, appends)
        receipts.append(receipt)
    return receipts[0]


@contextmanager
def _connected(warehouse: Warehouse, run: RunOfExtract, clock: Clock) -> Iterator[Session]:
    with ExitStack() as stack:
        with clock.stage("connect"):
            connecting = warehouse.connect(run.label, run.extract.header.timeout)
            session = stack.enter_context(connecting)
        yield session


@dataclass(frozen=True)
class _Begun:
    """A result whose columns are known and accepted."""

    result: Result
    schema: pa.Schema
    """Of the rows: the result's, or the one that the header declares."""
    written: pa.Schema
    """Of the file, with descriptions and columns that are never NULL."""
    schema_drift: Outcome | None
    profile: Profile


@dataclass
class _Passed:
    """The profile and the check outcomes of a result that has been read completely."""

    begun: _Begun
    audit: Audit
    is_refused: bool = False
    """Whether it has a NULL where the file allows none: no more of it is written then, and the
    contract refuses it in the end, when all checks have seen all rows."""

    @property
    def profile(self) -> Profile:
        return self.begun.profile

    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcome of every check; raises AuditError if the query of one fails."""
        schema_drift = [self.begun.schema_drift] if self.begun.schema_drift else []
        outcomes = (*self.audit.conclude(), *schema_drift)
        if self.is_refused and not any(outcome.refuses for outcome in outcomes):
            raise AssertionError("rows were left out, and no check refuses the result")
        return outcomes


def _stream(session: Session, lane: Lane, clock: Clock, directory: Path, *, stop: Stop) -> _Passed:
    """Run the query, and pass each row group to the audit, the profile and the encoder."""
    run = lane.run
    extract = run.extract
    increment = Increment(extract, run.base, directory)

    def cancel() -> None:
        increment.cancel()
        session.cancel()

    stop.at(Stage.QUERYING)
    with (
        stop.cancelling(cancel),
        prefetch(_produce(session, lane, increment), _GROUPS_AHEAD, cancel) as items,
    ):
        with clock.stage("query"):
            begun = next(items)
        assert not isinstance(begun, pa.Table)
        lane.begin(begun.written, begun.result.query_id)
        rows_before = run.base.manifest.rows if run.base else 0
        subject = Subject(begun.schema, run.started_at, lane.baseline, rows_before=rows_before)
        passed = _Passed(begun, Audit(extract.header.audits, subject, directory, stop))
        while True:
            stop.at(Stage.FETCHING)
            with clock.stage("fetch"):
                rows = next(items, None)
            stop.require()
            if not isinstance(rows, pa.Table):
                break
            with clock.stage("audit"):
                passed.audit.observe(rows)
            stop.at(Stage.UPLOADING)
            written = as_written(rows, begun.written)
            if written is None:
                passed.is_refused = True
            elif not passed.is_refused:
                lane.writer.write(written)
                require_one(lane.branches)
    return passed


def _produce(session: Session, lane: Lane, increment: Increment) -> Iterator[_Begun | pa.Table]:
    """First the result, as soon as its columns are known and accepted; then its row groups.

    Rows are profiled here, in the thread that reads, because encoding is the bottleneck.
    """
    run = lane.run
    watermark = run.base.bound if run.base else None
    result = session.execute(run.extract.query(run.provenance.partition, watermark))
    promised = promised_schema(run.extract, result.schema)
    schema, written = required(promised, ()), written_schema(promised, run)
    profile = Profile(written)
    baseline, header = lane.baseline, run.extract.header
    drift = compare_with_version(baseline.state, header, baseline.readers_have, promised)
    yield _Begun(result, schema, written, drift, profile)
    rows_kept = kept(result.batches(), schema)
    batches = increment.new_rows(schema, written_years(rows_kept, run.extract.file_format))
    for rows in row_groups(batches, schema):
        profile.observe(rows)
        yield rows

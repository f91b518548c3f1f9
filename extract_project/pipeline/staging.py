"""The pipeline: query, audit, encode, and upload as parts that are not visible yet.

Three things overlap: a thread reads from the warehouse and profiles, the caller's thread audits
and encodes, two threads upload. Each waits for the next, so memory holds three row groups and
three parts of an upload (G9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from extract_project.checks.base import Baseline, Subject
from extract_project.checks.contract import kept
from extract_project.formats.far_years import written_years
from extract_project.history.records import require_room
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
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.provenance import Provenance, RunOfExtract
from extract_project.pipeline.receipt_of_run import receipt_of_run
from extract_project.pipeline.rowgroups import row_groups
from extract_project.pipeline.schema_drift import compare_with_version
from extract_project.prefetch import prefetch
from extract_project.publish.base import find_base
from extract_project.publish.clock import Clock
from extract_project.publish.output import OneObject, Output
from extract_project.publish.parted import Layout, PartedOutput
from extract_project.publish.publishing import Publishable
from extract_project.publish.target import ABANDONED_AFTER, Target
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
) -> Iterator[Staged]:
    """Stage an extract. If it has not been published at the end of the block, it is aborted.

    `state` has the receipts, which record the columns of the current version. `stop` can end the
    work from another thread.

    Raises BucketError, WarehouseError, TypeMappingError, SchemaError, IncrementError, AuditError or
    StagingError. After any exception, also one of the caller, the query is cancelled, every upload
    is aborted, and nothing becomes visible (G2).
    """
    run, clock, stop = RunOfExtract.begin(extract, provenance), Clock(), stop or Stop()
    with clock.stage("connect"):
        target.store.require_versioning()
        require_room(state, target.key, run.receipt_id)
        baseline = PublishedBaseline(
            state,
            extract,
            target,
            provenance.partition,
            full_refresh=provenance.full_refresh,
        )
        readers_have = baseline.readers_have
        base = None if provenance.full_refresh else find_base(extract, baseline.version)
        run = replace(run, base=base)
        output = _output(target, run, clock)
        output.sweep(ABANDONED_AFTER)
    try:
        with audit_directory() as directory:
            stop.at(Stage.CONNECTING)
            with _connected(warehouse, run, clock) as session:
                compare = partial(compare_with_version, state, extract.header, readers_have)
                passed = _stream(
                    session,
                    run,
                    output,
                    clock,
                    directory,
                    stop=stop,
                    baseline=baseline,
                    compare=compare,
                )
            stop.at(Stage.CHECKING)
            with clock.stage("audit"):
                outcomes = let_through(passed.outcomes(), provenance.release)
        stop.at(Stage.UPLOADING)
        content = output.seal()
        stop.require()
        receipt = receipt_of_run(
            run,
            content,
            passed.begun.result,
            passed.profile,
            outcomes=outcomes,
            stages=clock.stages(),
            baseline=baseline,
        )
        preview = tuple(passed.profile.preview)
        yield Staged(
            output,
            receipt,
            baseline.version,
            stop,
            base is not None,
            outcomes=outcomes,
            preview=preview,
            baseline=baseline,
            doubts=tuple(undescribed(extract, passed.begun.schema.names)),
        )
    finally:
        output.abort()


def _output(target: Target, run: RunOfExtract, clock: Clock) -> Output:
    header, file_format = run.extract.header, run.extract.file_format
    if header.has_parts:
        layout = Layout(header.split, header.incremental, run.base)
        return PartedOutput(target, file_format, layout, clock)
    return OneObject(target, file_format, clock)


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


Compare = Callable[[pa.Schema], Outcome | None]
"""Compares the columns of a result with those of the current version."""


def _stream(
    session: Session,
    run: RunOfExtract,
    output: Output,
    clock: Clock,
    directory: Path,
    *,
    stop: Stop,
    baseline: Baseline,
    compare: Compare,
) -> _Passed:
    """Run the query, and pass each row group to the audit, the profile and the encoder."""
    extract = run.extract
    increment = Increment(extract, run.base, directory)

    def cancel() -> None:
        increment.cancel()
        session.cancel()

    stop.at(Stage.QUERYING)
    with (
        stop.cancelling(cancel),
        prefetch(_produce(session, run, increment, compare), _GROUPS_AHEAD, cancel) as items,
    ):
        with clock.stage("query"):
            begun = next(items)
        assert not isinstance(begun, pa.Table)
        output.begin(
            begun.written, run.facts(begun.result.query_id, begun.written, output.target.store)
        )
        rows_before = run.base.manifest.rows if run.base else 0
        subject = Subject(begun.schema, run.started_at, baseline, rows_before=rows_before)
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
                output.write(written)
    return passed


def _produce(
    session: Session,
    run: RunOfExtract,
    increment: Increment,
    compare: Compare,
) -> Iterator[_Begun | pa.Table]:
    """First the result, as soon as its columns are known and accepted; then its row groups.

    Rows are profiled here, in the thread that reads, because encoding is the bottleneck.
    """
    watermark = run.base.bound if run.base else None
    result = session.execute(run.extract.query(run.provenance.partition, watermark))
    promised = promised_schema(run.extract, result.schema)
    schema, written = required(promised, ()), written_schema(promised, run)
    profile = Profile(written)
    yield _Begun(result, schema, written, compare(promised), profile)
    rows_kept = kept(result.batches(), schema)
    batches = increment.new_rows(schema, written_years(rows_kept, run.extract.file_format))
    for rows in row_groups(batches, schema):
        profile.observe(rows)
        yield rows

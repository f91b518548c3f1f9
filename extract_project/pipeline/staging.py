"""The pipeline: query, audit and encode what passes by, upload as parts that nobody can see.

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
from extract_project.checks.contract import agreed_schema, kept
from extract_project.formats.far_years import written_years
from extract_project.history.records import require_room
from extract_project.manifest.extract import Extract
from extract_project.pipeline.audit import Audit, Outcome, audit_directory, let_through
from extract_project.pipeline.baseline import PublishedBaseline
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
from extract_project.stopping import Stage, Stop
from extract_project.store.folder import Folder
from extract_project.warehouses.protocol import Result, Session, Warehouse

_GROUPS_AHEAD = 1


@dataclass(frozen=True)
class Staged(Publishable):
    """A publishable result, and what was seen of it."""

    outcomes: tuple[Outcome, ...]
    preview: tuple[dict[str, str], ...]
    baseline: PublishedBaseline


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
    """Stage an extract; unless it has been published on leaving, it is aborted.

    `state` is where receipts are, which say the columns of what is current. `stop` ends all this
    from another thread.

    Raises BucketError, WarehouseError, TypeMappingError, SchemaError, IncrementError, AuditError or
    StagingError; whatever is raised, in here or by the caller, the query is cancelled, every upload
    aborted and nothing becomes visible (G2).
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
    """A result whose columns are known, and are those that they may be."""

    result: Result
    schema: pa.Schema
    """Of the file: the result's, or what the header declares."""
    schema_drift: Outcome | None
    profile: Profile


@dataclass(frozen=True)
class _Passed:
    """What was seen of a result that has passed by."""

    begun: _Begun
    audit: Audit

    @property
    def profile(self) -> Profile:
        return self.begun.profile

    def outcomes(self) -> tuple[Outcome, ...]:
        """Every check and what came of it; raises AuditError when a query of one fails."""
        schema_drift = [self.begun.schema_drift] if self.begun.schema_drift else []
        return (*self.audit.conclude(), *schema_drift)


Compare = Callable[[pa.Schema], Outcome | None]
"""Compares the columns of a result with those that readers have."""


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
    """Run the query and show each row group to the audit, the profile and the encoder."""
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
            begun.schema, run.facts(begun.result.query_id, begun.schema, output.target.store)
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
            output.write(rows)
    return passed


def _produce(
    session: Session,
    run: RunOfExtract,
    increment: Increment,
    compare: Compare,
) -> Iterator[_Begun | pa.Table]:
    """First the result, as soon as its columns are known and accepted; then its rows in groups.

    They are profiled here, in the thread that reads, because encoding is what the others wait for.
    """
    watermark = run.base.bound if run.base else None
    result = session.execute(run.extract.query(run.provenance.partition, watermark))
    schema = agreed_schema(run.extract.header.columns, result.schema)
    profile = Profile(schema)
    yield _Begun(result, schema, compare(schema), profile)
    rows_kept = kept(result.batches(), schema)
    batches = increment.new_rows(schema, written_years(rows_kept, run.extract.file_format))
    for rows in row_groups(batches, schema):
        profile.observe(rows)
        yield rows

"""The pipeline: query, audit and encode what passes by, upload as parts that nobody can see.

Three things overlap: a thread reads from the warehouse and profiles, the caller's thread audits
and encodes, two threads upload. Each waits for the next, so memory holds three row groups and
three parts of an upload (G9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from extract_project.checks.anomalies import ANOMALIES
from extract_project.checks.base import Baseline, Subject
from extract_project.checks.contract import agreed_schema, kept
from extract_project.formats.far_years import written_years
from extract_project.history.receipt import CheckRecord, Receipt, schema_hash, write_schema
from extract_project.history.records import require_room
from extract_project.history.release import Release
from extract_project.manifest.extract import Extract
from extract_project.manifest.partitions import Partition
from extract_project.memory import peak_memory
from extract_project.pipeline.audit import Audit, Outcome, audit_directory, let_through
from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.increment import Increment
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.rowgroups import row_groups
from extract_project.pipeline.schema_drift import compare_with_version
from extract_project.prefetch import prefetch
from extract_project.publish.base import Base, find_base
from extract_project.publish.clock import Clock
from extract_project.publish.output import Content, OneObject, Output
from extract_project.publish.parted import Layout, PartedOutput
from extract_project.publish.publishing import Publishable
from extract_project.publish.target import ABANDONED_AFTER, Target
from extract_project.stopping import Stage, Stop
from extract_project.store.folder import Folder
from extract_project.store.protocol import Store
from extract_project.warehouses.protocol import Label, Result, Session, Warehouse

_GROUPS_AHEAD = 1
_LATER_METADATA = 768
"""Bytes of metadata that are left for later: rows and checksum, and what a rollback says."""


@dataclass(frozen=True)
class Provenance:
    """Which run makes the result, of which snapshot, for which partition."""

    run_id: str
    snapshot: str | None = None
    partition: Partition | None = None
    full_refresh: bool = False
    """Whether an incremental extract is to publish everything anew."""
    release: Release | None = None
    """Which checks may fail this once, and on whose word."""


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
    staging, clock, stop = _Staging.begin(extract, provenance), Clock(), stop or Stop()
    with clock.stage("connect"):
        target.store.require_versioning()
        require_room(state, target.key, staging.receipt_id)
        baseline = PublishedBaseline(
            state,
            extract,
            target,
            provenance.partition,
            full_refresh=provenance.full_refresh,
        )
        readers_have = baseline.readers_have
        base = None if provenance.full_refresh else find_base(extract, baseline.version)
        staging = replace(staging, base=base)
        output = _output(target, staging, clock)
        output.sweep(ABANDONED_AFTER)
    try:
        with audit_directory() as directory:
            stop.at(Stage.CONNECTING)
            with _connected(warehouse, staging, clock) as session:
                compare = partial(compare_with_version, state, extract.header, readers_have)
                passed = _stream(
                    session,
                    staging,
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
        receipt = _receipt(staging, content, passed, outcomes, clock, baseline=baseline)
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


def _output(target: Target, staging: _Staging, clock: Clock) -> Output:
    header, file_format = staging.extract.header, staging.extract.file_format
    if header.has_parts:
        layout = Layout(header.split, header.incremental, staging.base)
        return PartedOutput(target, file_format, layout, clock)
    return OneObject(target, file_format, clock)


@contextmanager
def _connected(warehouse: Warehouse, staging: _Staging, clock: Clock) -> Iterator[Session]:
    with ExitStack() as stack:
        with clock.stage("connect"):
            connecting = warehouse.connect(staging.label, staging.extract.header.timeout)
            session = stack.enter_context(connecting)
        yield session


@dataclass(frozen=True)
class _Staging:
    """What is known before the query is sent."""

    extract: Extract
    provenance: Provenance
    started_at: datetime
    receipt_id: str
    base: Base | None = None
    """What an incremental extract adds to."""

    @classmethod
    def begin(cls, extract: Extract, provenance: Provenance) -> _Staging:
        now = datetime.now(UTC)
        return cls(extract, provenance, now, f"{now:%Y%m%dT%H%M%S.%fZ}-{uuid4().hex[:8]}")

    @property
    def label(self) -> Label:
        source = self.extract.source
        return Label(
            self.extract.path,
            source.version_id or source.etag,
            self.provenance.run_id,
            self.partition_key,
        )

    @property
    def partition_key(self) -> str | None:
        partition = self.provenance.partition
        return partition.key if partition else None

    def facts(self, begun: _Begun, store: Store) -> dict[str, str]:
        """What the object says of its origin, as far as it is known before the first row."""
        source = self.extract.source
        metadata = {
            "run-id": self.provenance.run_id,
            "sql-key": source.key,
            "sql-version": source.version_id,
            "sql-sha256": source.sha256,
            "query-id": begun.result.query_id,
            "partition": self.partition_key,
            "format": self.extract.file_format.extension.removeprefix("."),
            "schema-sha256": schema_hash(begun.schema),
            "started-at": self.started_at.isoformat(),
            "receipt": self.receipt_id,
        }
        known = {key: value for key, value in metadata.items() if value is not None}
        release = self.provenance.release
        told = {**known, **release.metadata} if release else known
        return told if store.facts_room(told) >= _LATER_METADATA else known


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


def _stream(
    session: Session,
    staging: _Staging,
    output: Output,
    clock: Clock,
    directory: Path,
    *,
    stop: Stop,
    baseline: Baseline,
    compare: Compare,
) -> _Passed:
    """Run the query and show each row group to the audit, the profile and the encoder."""
    extract = staging.extract
    increment = Increment(extract, staging.base, directory)

    def cancel() -> None:
        increment.cancel()
        session.cancel()

    stop.at(Stage.QUERYING)
    with (
        stop.cancelling(cancel),
        prefetch(_produce(session, staging, increment, compare), _GROUPS_AHEAD, cancel) as items,
    ):
        with clock.stage("query"):
            begun = next(items)
        assert not isinstance(begun, pa.Table)
        output.begin(begun.schema, staging.facts(begun, output.target.store))
        rows_before = staging.base.manifest.rows if staging.base else 0
        subject = Subject(begun.schema, staging.started_at, baseline, rows_before=rows_before)
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
    session: Session, staging: _Staging, increment: Increment, compare: Compare
) -> Iterator[_Begun | pa.Table]:
    """First the result, as soon as its columns are known and accepted; then its rows in groups.

    They are profiled here, in the thread that reads, because encoding is what the others wait for.
    """
    watermark = staging.base.bound if staging.base else None
    result = session.execute(staging.extract.query(staging.provenance.partition, watermark))
    schema = agreed_schema(staging.extract.header.columns, result.schema)
    profile = Profile(schema)
    yield _Begun(result, schema, compare(schema), profile)
    rows_kept = kept(result.batches(), schema)
    batches = increment.new_rows(schema, written_years(rows_kept, staging.extract.file_format))
    for rows in row_groups(batches, schema):
        profile.observe(rows)
        yield rows


def _receipt(
    staging: _Staging,
    content: Content,
    passed: _Passed,
    outcomes: Sequence[Outcome],
    clock: Clock,
    *,
    baseline: PublishedBaseline,
) -> Receipt:
    extract, begun, metrics = staging.extract, passed.begun, passed.profile.metrics()
    release = _used(outcomes)
    # Releasing an anomaly makes it the new baseline.
    learns_anew = extract.header.anomalies == "allow" or (release and ANOMALIES in release.checks)
    return Receipt(
        id=staging.receipt_id,
        extract=extract.path,
        key=content.key,
        run_id=staging.provenance.run_id,
        snapshot=staging.provenance.snapshot,
        partition=staging.partition_key,
        sql_key=extract.source.key,
        sql_version=extract.source.version_id,
        sql_sha256=extract.source.sha256,
        sql=extract.text,
        code_version=extract.code_version,
        warehouse=extract.warehouse,
        query_id=begun.result.query_id,
        query_url=begun.result.query_url,
        started_at=staging.started_at,
        rows=content.rows,
        bytes=content.bytes,
        data_sha256=content.sha256,
        parts=content.parts,
        rows_added=content.added_rows,
        bytes_added=content.added_bytes,
        watermark=content.watermark,
        schema_sha256=schema_hash(begun.schema),
        arrow_schema=write_schema(begun.schema),
        columns=tuple(passed.profile.columns()),
        recent=(metrics,) if learns_anew else baseline.followed_by(metrics),
        checks=tuple(_record(outcome) for outcome in outcomes),
        release=release,
        stages=clock.stages(),
        usage=begun.result.usage,
        peak_memory=peak_memory(),
    )


def _used(outcomes: Sequence[Outcome]) -> Release | None:
    """The release, with the checks that needed it; None where none did."""
    needed = [each for each in outcomes if each.released]
    if not needed or needed[0].released is None:
        return None
    return needed[0].released.model_copy(update={"checks": tuple(each.name for each in needed)})


def _record(outcome: Outcome) -> CheckRecord:
    return CheckRecord(
        name=outcome.name,
        rule=outcome.rule,
        severity=outcome.severity,
        passed=outcome.verdict.passed,
        summary=outcome.verdict.summary,
    )

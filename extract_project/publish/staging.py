"""The pipeline: query, audit and encode what passes by, upload as parts that nobody can see.

Three things overlap: a thread reads from the warehouse, the caller's thread audits and encodes,
two threads upload. Each waits for the next, so memory holds two row groups and three parts (G9).
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

from extract_project.errors import QueryTimeout
from extract_project.manifest.extract import Extract
from extract_project.publish.audit import Audit, Outcome, audit_directory
from extract_project.publish.formats.encoder import open_encoder
from extract_project.publish.prefetch import prefetch
from extract_project.publish.profile import Profile
from extract_project.publish.receipt import (
    CheckRecord,
    Receipt,
    Stages,
    schema_hash,
    write_schema,
)
from extract_project.publish.rowgroups import row_groups
from extract_project.publish.upload import Target, Upload, sweep
from extract_project.publish.versions import Version, find_version
from extract_project.units import format_duration
from extract_project.warehouses.protocol import Label, Result, Session, Warehouse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GROUPS_AHEAD = 1
_SWEEP_MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class Provenance:
    """Which run makes the result, of which snapshot."""

    run_id: str
    snapshot: str | None = None


@dataclass(frozen=True)
class Staged:
    """A whole result, uploaded and audited, that nobody can see."""

    upload: Upload
    receipt: Receipt
    schema: pa.Schema
    outcomes: tuple[Outcome, ...]
    preview: tuple[dict[str, str], ...]
    previous: Version | None
    """What was current when the run began."""


@contextmanager
def stage(
    s3: S3Client, warehouse: Warehouse, extract: Extract, target: Target, provenance: Provenance
) -> Iterator[Staged]:
    """Stage an extract; unless it has been published on leaving, it is aborted.

    Raises WarehouseError, TypeMappingError, AuditError or StagingError; whatever is raised, in
    here or by the caller, the query is cancelled, the upload aborted and nothing becomes visible
    (G2).
    """
    started_at = datetime.now(UTC)
    previous = find_version(s3, target.bucket, target.key)
    sweep(s3, target, extract.header.timeout + _SWEEP_MARGIN)
    upload = Upload(s3, target, extract.file_format.content_type)
    label = Label(extract.path, extract.source.version_id or extract.source.etag, provenance.run_id)
    try:
        with warehouse.connect(label) as session, _deadline(session, extract.header.timeout) as due:
            staged = _run(session, due, extract, upload, provenance, started_at, previous)
        yield staged
    finally:
        upload.abort()


class Deadline:
    """Whether the extract's time is up."""

    def __init__(self, limit: timedelta) -> None:
        self._limit = limit
        self.passed = threading.Event()

    def require(self) -> None:
        """Raise QueryTimeout once the time is up."""
        if self.passed.is_set():
            raise QueryTimeout(
                f"not done after {format_duration(self._limit)}, so the query was cancelled: "
                f"make it cheaper, or raise 'timeout' in the header"
            )


@contextmanager
def _deadline(session: Session, limit: timedelta) -> Iterator[Deadline]:
    deadline = Deadline(limit)

    def expire() -> None:
        deadline.passed.set()
        session.cancel()

    timer = threading.Timer(limit.total_seconds(), expire)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    except Exception:
        deadline.require()
        raise
    finally:
        timer.cancel()


def _run(
    session: Session,
    deadline: Deadline,
    extract: Extract,
    upload: Upload,
    provenance: Provenance,
    started_at: datetime,
    previous: Version | None,
) -> Staged:
    clock = Clock()
    produced = _produce(session, extract)
    with audit_directory() as directory, prefetch(produced, _GROUPS_AHEAD, session.cancel) as items:
        with clock.stage("query"):
            result = next(items)
        assert not isinstance(result, pa.Table)
        receipt_id = f"{started_at:%Y%m%dT%H%M%S.%fZ}-{uuid4().hex[:8]}"
        upload.describe(_known_metadata(extract, provenance, started_at, result, receipt_id))
        audit = Audit(extract.header.checks, result.schema, directory)
        profile = Profile(result.schema)
        encoder = open_encoder(extract.file_format, TimedSink(upload, clock), result.schema)
        while True:
            with clock.stage("fetch"):
                rows = next(items, None)
            deadline.require()
            if not isinstance(rows, pa.Table):
                break
            with clock.stage("audit"):
                profile.observe(rows)
                audit.observe(rows)
            with clock.stage("encode"):
                encoder.write(rows)
        with clock.stage("encode"):
            encoder.close()
        with clock.stage("audit"):
            outcomes = audit.conclude()
        with clock.stage("upload"):
            upload.seal()
        deadline.require()
    receipt = Receipt(
        id=receipt_id,
        extract=extract.path,
        key=upload.target.key,
        run_id=provenance.run_id,
        snapshot=provenance.snapshot,
        sql_key=extract.source.key,
        sql_version=extract.source.version_id,
        sql_sha256=extract.source.sha256,
        sql=extract.text,
        code_version=extract.code_version,
        warehouse=extract.warehouse,
        query_id=result.query_id,
        started_at=started_at,
        rows=profile.rows,
        bytes=upload.size,
        data_sha256=upload.sha256,
        schema_sha256=schema_hash(result.schema),
        arrow_schema=write_schema(result.schema),
        columns=tuple(profile.columns()),
        checks=tuple(_record(outcome) for outcome in outcomes),
        stages=clock.stages(),
        peak_memory=_peak_memory(),
    )
    return Staged(
        upload=upload,
        receipt=receipt,
        schema=result.schema,
        outcomes=tuple(outcomes),
        preview=tuple(profile.preview),
        previous=previous,
    )


def _produce(session: Session, extract: Extract) -> Iterator[Result | pa.Table]:
    """First the result, as soon as its columns are known; then its rows in groups."""
    result = session.execute(extract.query())
    yield result
    yield from row_groups(result.batches(), result.schema)


def _known_metadata(
    extract: Extract,
    provenance: Provenance,
    started_at: datetime,
    result: Result,
    receipt_id: str,
) -> dict[str, str]:
    """The object metadata that is known before the first row (`rows` is not)."""
    metadata = {
        "run-id": provenance.run_id,
        "sql-key": extract.source.key,
        "sql-version": extract.source.version_id,
        "sql-sha256": extract.source.sha256,
        "query-id": result.query_id,
        "schema-sha256": schema_hash(result.schema),
        "started-at": started_at.isoformat(),
        "receipt": receipt_id,
    }
    return {key: value for key, value in metadata.items() if value is not None}


def _record(outcome: Outcome) -> CheckRecord:
    return CheckRecord(
        name=outcome.name,
        rule=outcome.rule,
        severity=outcome.severity,
        passed=outcome.verdict.passed,
        summary=outcome.verdict.summary,
    )


class Clock:
    """Adds up the seconds of each stage; a stage within a stage counts as the inner one."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seconds = dict.fromkeys(("query", "fetch", "audit", "encode", "upload"), 0.0)
        self._inner = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun, outer, self._inner = time.monotonic(), self._inner, 0.0
        try:
            yield
        finally:
            elapsed = time.monotonic() - begun
            self._seconds[name] += elapsed - self._inner
            self._inner = outer + elapsed

    def stages(self) -> Stages:
        """The sums so far."""
        total = time.monotonic() - self._started
        return Stages(**{k: round(v, 3) for k, v in self._seconds.items()}, total=round(total, 3))


class TimedSink:
    """The upload as a file, with the time spent waiting for it."""

    closed = False

    def __init__(self, upload: Upload, clock: Clock) -> None:
        self._upload, self._clock = upload, clock

    def write(self, data: bytes | memoryview) -> int:
        with self._clock.stage("upload"):
            return self._upload.write(data)

    def flush(self) -> None:
        """Parts leave when they are full."""

    def close(self) -> None:
        """The pipeline alone decides when the upload ends."""


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""The log lines of a run about one extract."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from extract_project.checks.anomalies import ANOMALIES
from extract_project.journal import Journal
from extract_project.orchestration.names.task_cost import TaskCost
from extract_project.orchestration.run.failures import CAUSE, Attempt
from extract_project.pipeline import schema_drift
from extract_project.pipeline.attempt import Done
from extract_project.pipeline.staging import Staged
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published
from extract_project.publish.rollback import Restored
from extract_project.telemetry.exporting import Listener

_TOLD = {schema_drift.CHECK: "schema_changed", ANOMALIES: "unusual"}
"""Checks that are logged even if they only warn, which they do by default."""


def journal_of(attempt: Attempt, run_id: str, listener: Listener | None = None) -> Journal:
    """A journal whose lines carry the extract, the partition and the run."""
    subject = {"extract": attempt.extract.path, "partition": attempt.partition, "run_id": run_id}
    return Journal(subject, listener=listener)


def record_staged(journal: Journal, staged: Staged) -> None:
    """Log that a complete result is staged, and the seconds of each stage."""
    receipt = staged.receipt
    journal.write(
        "staged",
        query_id=receipt.query_id,
        rows=receipt.rows,
        rows_added=receipt.rows_added,
        bytes=receipt.bytes,
        seconds=receipt.stages.model_dump(),
        peak_memory=receipt.peak_memory,
        checks={check.name: check.passed for check in receipt.checks} or None,
    )
    if receipt.release:
        journal.write("released", level="warning", **receipt.release.model_dump())
    for check in receipt.checks:
        if check.name in _TOLD and not check.passed:
            lines = check.summary.splitlines()
            journal.write(_TOLD[check.name], level="warning", difference=lines)


def record_published(journal: Journal, done: Done, cost: TaskCost | None) -> None:
    """Log the outcome of publishing, the version, and the cost; of several destinations, each."""
    staged, published = done.staged, done.published
    usage = staged.receipt.usage
    journal.write(
        published.outcome,
        query_id=staged.receipt.query_id,
        uri=staged.output.target.uri,
        version_id=published.version_id,
        rows=staged.receipt.rows,
        task=cost.facts() if cost else None,
        warehouse_usage=usage.model_dump(exclude_none=True) if usage else None,
    )
    if len(done.everywhere) > 1:
        record_each(journal, done.everywhere)


def record_each(journal: Journal, everywhere: Iterable[tuple[Place, Published]]) -> None:
    """Log the outcome at each destination that has the result."""
    for place, published in everywhere:
        journal.write(
            "published_at",
            destination=place.destination,
            outcome=published.outcome,
            uri=place.target.uri,
            version_id=published.version_id,
        )


def record_restored(journal: Journal, restored: Restored) -> None:
    """Log that an older version is current again."""
    restoration = restored.version.restoration
    journal.write(
        "restored",
        uri=restored.version.uri,
        version_id=restored.version.version_id,
        restored_from=restoration and restoration.restored_from,
        by=restoration and restoration.by,
        reason=restoration and restoration.reason,
        rows=restored.receipt.rows,
    )


def record_failure(journal: Journal, failure: dg.Failure) -> None:
    """Log that nothing was published, with the failure report."""
    metadata = failure.metadata
    query_id = metadata.get("query_id")
    journal.write(
        "failed",
        level="error",
        cause=metadata[CAUSE].value,
        query_id=query_id.value if query_id else None,
        retried=failure.allow_retries,
        failure_report=failure.description,
    )

"""The tag of a failed run that names the cause: the UI lists and filters runs by it."""

from __future__ import annotations

import dagster as dg

from extract_project.deployment.tags import FAILURE_TAG, NO_FAILURE
from extract_project.orchestration.run.failures import CAUSE


def tag_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, failed: dg.Failure) -> None:
    """Add the tag to the run."""
    instance.add_run_tags(run.run_id, {FAILURE_TAG: str(failed.metadata[CAUSE].value)})


def clear_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, attempt_number: int) -> None:
    """Take back the tag of a failure that is not this run's, or that is tried again.

    Dagster copies a run's tags to its re-execution. A tag can be overwritten, not removed.
    """
    if FAILURE_TAG not in run.tags and attempt_number == 1:
        return
    stored = instance.get_run_by_id(run.run_id)
    if stored is None or FAILURE_TAG not in stored.tags:
        return
    failures = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1
    )
    if not failures.records:
        instance.add_run_tags(run.run_id, {FAILURE_TAG: NO_FAILURE})

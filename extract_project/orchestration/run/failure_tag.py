"""The tag of a failed run that names the cause: the UI lists and filters runs by it."""

from __future__ import annotations

import dagster as dg

from extract_project.deployment.tags import FAILURE_TAG, NO_FAILURE
from extract_project.orchestration.names.task_end import cause_of_end, end_of_run
from extract_project.orchestration.run.failures import CAUSE


def tag_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, failed: dg.Failure) -> None:
    """Add the tag to the run."""
    instance.add_run_tags(run.run_id, {FAILURE_TAG: str(failed.metadata[CAUSE].value)})


def tag_end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The cause of a run's failure; adds the tag if the run's process died before it could.

    Returns None for a run that has not failed.
    """
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    told = run.tags.get(FAILURE_TAG, NO_FAILURE)
    if told != NO_FAILURE:
        return told
    cause = cause_of_end(end_of_run(instance, run.run_id)).value
    instance.add_run_tags(run.run_id, {FAILURE_TAG: cause})
    return cause


def clear_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, attempt_number: int) -> None:
    """Clear the tag of a failure that belongs to an earlier run, or that is tried again.

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

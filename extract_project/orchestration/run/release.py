"""Releasing what was refused: the tags of a run, and what they let through.

A run that carries `extract/release: <id of the run that refused>` and `extract/release_reason` is
such a release, whoever launched it. What may pass is read from the events of that run, and not
from the tags: nobody can wave through what was not looked at.
"""

from __future__ import annotations

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType

from extract_project.checks.anomalies import ANOMALIES
from extract_project.errors import Cause, ReleaseError
from extract_project.history.release import Release
from extract_project.orchestration.dagster_internals import PARENT_RUN_ID_TAG, StepFailureData
from extract_project.orchestration.names.keys import asset_key, op_name
from extract_project.orchestration.names.requests import (
    NOBODY_NAMED,
    RELEASE_BY_TAG,
    RELEASE_REASON_TAG,
    RELEASE_TAG,
)
from extract_project.orchestration.run.failures import CAUSE, SQL_SHA256, Attempt


def release_tags(of_run: str, reason: str, by: str) -> dict[str, str]:
    """The tags of a run that releases what another one refused."""
    return {RELEASE_TAG: of_run, RELEASE_REASON_TAG: reason, RELEASE_BY_TAG: by}


def release_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, attempt: Attempt
) -> Release | None:
    """What a run lets through; None where it is no release.

    A re-execution, which has the tags of its parent, is none: a release is for one run. Raises
    ReleaseError where the tags name no refusal of this extract, partition and SQL.
    """
    of_run = run.tags.get(RELEASE_TAG, "").strip()
    if not of_run or PARENT_RUN_ID_TAG in run.tags:
        return None
    reason = run.tags.get(RELEASE_REASON_TAG, "").strip()
    if not reason:
        raise ReleaseError(f"nobody says why: add the tag {RELEASE_REASON_TAG} to the run")
    _require_refusal(instance, of_run, attempt)
    checks = _refusing(instance, of_run, attempt)
    if not checks:
        raise ReleaseError(
            f"run {of_run} was refused by no check that can be released: only those of 'checks' "
            f"and 'anomalies' can; change the header, or the SQL"
        )
    by = run.tags.get(RELEASE_BY_TAG, "").strip() or NOBODY_NAMED
    return Release(of_run=of_run, checks=checks, by=by, reason=reason)


def _require_refusal(instance: dg.DagsterInstance, of_run: str, attempt: Attempt) -> None:
    step = op_name(attempt.extract.path)
    for event in _events(instance, of_run, DagsterEventType.STEP_FAILURE):
        data = event.event_specific_data
        failure = data.user_failure_data if isinstance(data, StepFailureData) else None
        if event.step_key != step or failure is None:
            continue
        told = {name: each.value for name, each in (failure.metadata or {}).items()}
        if told.get(CAUSE) != Cause.AUDIT.value or told.get("partition") != attempt.partition:
            continue
        if told.get(SQL_SHA256) != attempt.extract.source.sha256:
            raise ReleaseError(
                f"the SQL file has changed since run {of_run}, so nobody has seen what it gives "
                f"now: run it once more, and release that"
            )
        return
    raise ReleaseError(
        f"run {of_run} has not refused {attempt.place()}: expected the whole id of a run that did; "
        f"extract failed lists what was refused"
    )


def _refusing(instance: dg.DagsterInstance, of_run: str, attempt: Attempt) -> tuple[str, ...]:
    """Names of the checks that refused the extract in that run, and can be released."""
    can_be = {*(check.name for check in attempt.extract.header.checks), ANOMALIES}
    found = [
        each.check_name
        for event in _events(instance, of_run, DagsterEventType.ASSET_CHECK_EVALUATION)
        if isinstance(each := event.event_specific_data, AssetCheckEvaluation)
        and each.asset_key == asset_key(attempt.extract.path)
        and not each.passed
        and each.severity is dg.AssetCheckSeverity.ERROR
    ]
    return tuple(name for name in dict.fromkeys(found) if name in can_be)


def _events(
    instance: dg.DagsterInstance, run_id: str, kind: DagsterEventType
) -> list[DagsterEvent]:
    records = instance.get_records_for_run(run_id, of_type=kind).records
    return [event for each in records if (event := each.event_log_entry.dagster_event)]

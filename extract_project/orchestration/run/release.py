"""Releases of refused results: the tags of a run, and the checks that they allow to fail.

A run with the tags `extract/release: <id of the run that refused>` and `extract/release_reason` is
a release, whoever launched it. The checks that may fail are read from the events of the refusing
run, not from tags, so that only results that were refused can be released.
"""

from __future__ import annotations

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType

from extract_project.checks.anomalies import ANOMALIES
from extract_project.deployment.tags import RELEASE_BY_TAG, RELEASE_REASON_TAG, RELEASE_TAG
from extract_project.errors import Cause, ReleaseError
from extract_project.history.release import Release
from extract_project.orchestration.dagster_internals import PARENT_RUN_ID_TAG, StepFailureData
from extract_project.orchestration.names.keys import asset_key, op_name
from extract_project.orchestration.names.requests import NOBODY_NAMED
from extract_project.orchestration.run.failures import CAUSE, SQL_SHA256, Attempt


def release_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, attempt: Attempt
) -> Release | None:
    """The release that a run carries out; None if it is not a release.

    A re-execution copies its parent's tags, but is not a release: a release is for one run. Raises
    ReleaseError if the tags do not name a refusal of this extract, partition and SQL.
    """
    of_run = run.tags.get(RELEASE_TAG, "").strip()
    if not of_run or PARENT_RUN_ID_TAG in run.tags:
        return None
    reason = run.tags.get(RELEASE_REASON_TAG, "").strip()
    if not reason:
        raise ReleaseError(f"a release needs a reason: set the tag {RELEASE_REASON_TAG} on the run")
    _require_refusal(instance, of_run, attempt)
    checks = _refusing(instance, of_run, attempt)
    if not checks:
        raise ReleaseError(
            f"run {of_run} was not refused by a check that can be released, which are those of "
            f"'checks' and 'anomalies': change the header or the SQL"
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
                f"the SQL file has changed since run {of_run}, so its result would be another: "
                f"run it again, and release that run if it is refused"
            )
        return
    raise ReleaseError(
        f"run {of_run} has not refused {attempt.place()}: expected the full id of a run that did; "
        f"extract failed lists refused extracts"
    )


def _refusing(instance: dg.DagsterInstance, of_run: str, attempt: Attempt) -> tuple[str, ...]:
    """The names of the checks that refused the extract in that run and can be released."""
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

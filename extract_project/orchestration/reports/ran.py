"""Read from Dagster what extracts have done: their runs, and what those have materialized."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType

from extract_project.deployment.outcome import outcome_of
from extract_project.deployment.tags import partition_in
from extract_project.errors import Cause
from extract_project.operations.activity import DAYS, Bar, Result
from extract_project.orchestration.dagster_internals import StepEventStatus
from extract_project.orchestration.failed.attempts import step_failures, told_cause
from extract_project.orchestration.names.keys import asset_key, op_name
from extract_project.orchestration.run.failure_tag import tag_end
from extract_project.outcome import Outcome
from extract_project.units import moment_of

MOST_RUNS = 1_000
"""The most runs that are read at a time."""
_MOST_RESULTS = 100
"""Of one extract in a month; the newest ones."""
_OF_STEPS = {
    StepEventStatus.SUCCESS: Outcome.SUCCEEDED,
    StepEventStatus.FAILURE: Outcome.FAILED,
    StepEventStatus.IN_PROGRESS: Outcome.RUNNING,
}


@dataclass(frozen=True)
class Look:
    """The runs that have changed since a moment."""

    bars: list[tuple[str, Bar]]
    results: list[tuple[str, Result]]
    until: datetime
    """Everything that has changed until then is in it."""


def changed_runs(
    instance: dg.DagsterInstance, paths: Collection[str], since: datetime, now: datetime
) -> Look:
    """The runs of these extracts that have changed since a moment, the oldest change first."""
    records = instance.get_run_records(
        dg.RunsFilter(updated_after=since),
        limit=MOST_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    steps = {op_name(path): path for path in paths}
    look = Look([], [], now if len(records) < MOST_RUNS else _utc(records[-1].update_timestamp))
    for record in records:
        run = record.dagster_run
        found = list(_bars(instance, record, steps))
        look.bars.extend(found)
        if found and run.is_finished:
            look.results.extend(
                (path, result) for path, result in _results(instance, run.run_id) if path in paths
            )
    return look


def month_of(
    instance: dg.DagsterInstance, path: str, now: datetime
) -> Iterator[tuple[str, Result]]:
    """The materializations of an extract in the last 30 days."""
    wanted = dg.AssetRecordsFilter(asset_key(path), after_timestamp=(now - DAYS).timestamp())
    for record in instance.fetch_materializations(wanted, limit=_MOST_RESULTS).records:
        if record.asset_materialization is not None:
            yield from _result(record.asset_materialization, record.timestamp)


def _bars(
    instance: dg.DagsterInstance, record: dg.RunRecord, steps: Mapping[str, str]
) -> Iterator[tuple[str, Bar]]:
    run = record.dagster_run
    known = set(steps.values())
    chosen = {key.to_user_string() for key in run.asset_selection or ()}
    cause = tag_end(instance, run) if chosen & known else None
    whole = _bar(record, cause)
    if len(chosen) == 1:
        yield from ((path, whole) for path in chosen & known)
        return
    if not run.is_finished and record.start_time is None:
        yield from ((path, whole) for path in sorted(chosen & known))
        return
    stats = instance.get_run_step_stats(run.run_id)
    has_failed = any(step.status is StepEventStatus.FAILURE for step in stats)
    failures = step_failures(instance, run.run_id) if has_failed else ()
    causes = {key: told_cause(data) for key, data in failures}
    for step in stats:
        path = steps.get(step.step_key)
        outcome = _OF_STEPS.get(StepEventStatus(step.status)) if step.status else None
        if path is None or outcome is None or step.start_time is None:
            continue
        if outcome is Outcome.RUNNING and run.is_finished:
            outcome = outcome_of(run.status.value, None)  # the cause may be another extract's
        own = causes.get(step.step_key) if outcome is Outcome.FAILED else None
        yield (
            path,
            whole.model_copy(
                update={
                    "outcome": Outcome.REFUSED if own is Cause.AUDIT else outcome,
                    "start": moment_of(step.start_time),
                    "end": moment_of(
                        step.end_time or (record.end_time if run.is_finished else None)
                    ),
                    "cause": own,
                }
            ),
        )


def _bar(record: dg.RunRecord, cause: str | None) -> Bar:
    run = record.dagster_run
    return Bar(
        run_id=run.run_id,
        outcome=outcome_of(run.status.value, cause),
        start=moment_of(record.start_time) or _utc(record.create_timestamp),
        end=moment_of(record.end_time),
        partition=partition_in(run.tags),
        cause=cause,
    )


def _results(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[str, Result]]:
    made = instance.get_records_for_run(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    for record in made.records:
        if record.asset_materialization is not None:
            yield from _result(record.asset_materialization, record.timestamp)


def _result(made: dg.AssetMaterialization, at: float) -> Iterable[tuple[str, Result]]:
    """A rollback has no duration, and is no run of the extract."""
    rows, seconds = (
        each.value if (each := made.metadata.get(name)) is not None else None
        for name in ("dagster/row_count", "seconds")
    )
    if isinstance(rows, int) and isinstance(seconds, int | float):
        path = made.asset_key.to_user_string()
        yield path, Result(at=datetime.fromtimestamp(at, UTC), seconds=seconds, rows=rows)


def _utc(moment: datetime) -> datetime:
    """Dagster gives times of run records in UTC, without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

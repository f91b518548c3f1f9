"""Find the outcome of the latest attempt at each extract and each partition.

Open source Dagster keeps no record of an asset that failed to materialize, and the state of a run
does not tell which of its assets succeeded. Known are the run that planned an asset last, whether
that run materialized it, and if not, the state of its step. Cancelled attempts say nothing about an
extract, so the attempts before them count. Of two overlapping attempts, the one that materialized
last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

import dagster as dg
from dagster import DagsterEventType

from extract_project.errors import Cause
from extract_project.manifest.extract import Extract
from extract_project.manifest.names import name_of
from extract_project.orchestration.dagster_internals import StepEventStatus, StepFailureData
from extract_project.orchestration.names.keys import asset_key, op_name
from extract_project.orchestration.names.latest import Latest, read_latest
from extract_project.orchestration.names.partitions import partitions_of
from extract_project.orchestration.names.task_end import cause_of_end, end_of_run
from extract_project.orchestration.run.failures import CAUSE, Attempt, end_of_process

T = TypeVar("T")

_BATCH = 500
_LOOK_BACK = 25
_NOT_STARTED = {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED}


class State(StrEnum):
    """The outcome of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because an upstream extract in the same run failed."""
    RUNNING = "running"
    """Waiting, starting or running."""


@dataclass(frozen=True)
class LatestAttempt:
    """The latest attempt that counts at an extract or one of its partitions."""

    extract: Extract
    partition: str | None
    state: State
    run_id: str
    at: datetime
    """When the run was created."""
    queued: bool = False
    """Whether the run has not started yet."""
    cause: Cause | None = None
    failure_report: str = ""

    @property
    def name(self) -> str:
        """`sales/orders`, or `sales/orders 2026-01-01`."""
        return name_of(self.extract.path, self.partition)


@dataclass(frozen=True)
class _Planned:
    """An attempt that has not materialized what it planned, so far."""

    extract: Extract
    partition: str | None
    run_id: str


def unfinished_business(
    instance: dg.DagsterInstance,
    extracts: Iterable[Extract],
    latest: Mapping[str, Latest] | None = None,
) -> list[LatestAttempt]:
    """The extracts and partitions whose latest attempt has not succeeded (yet).

    `latest` is what `read_latest` has found, if it is known already.
    """
    known = {extract.path: extract for extract in extracts}
    found = read_latest(instance, known) if latest is None else latest
    planned = list(_planned(instance, known, found))
    runs = _runs(instance, (each.run_id for each in planned))
    attempts: list[LatestAttempt] = []
    while planned:
        cancelled = []
        for each in planned:
            run = runs.get(each.run_id)
            if run is None:  # the run has been deleted
                continue
            if run.dagster_run.status is dg.DagsterRunStatus.CANCELED:
                cancelled.append(each)
            else:
                attempts.append(_outcome(instance, each, run))
        planned = [older for each in cancelled for older in _before(instance, each)]
        runs = _runs(instance, (each.run_id for each in planned))
    return [each for each in attempts if each.state is not State.SUCCEEDED]


def explained(instance: dg.DagsterInstance, attempt: LatestAttempt) -> LatestAttempt:
    """A failed attempt with its cause and its failure report."""
    if attempt.state is not State.FAILED:
        return attempt
    step = op_name(attempt.extract.path)
    for key, data in step_failures(instance, attempt.run_id):
        if key != step:
            continue
        if data.user_failure_data:
            return replace(
                attempt,
                cause=told_cause(data) or Cause.OURS,
                failure_report=data.user_failure_data.description or "",
            )
        if data.error:
            return replace(attempt, cause=Cause.KILLED, failure_report=data.error.message.strip())
    ended = end_of_run(instance, attempt.run_id)
    report = end_of_process(Attempt(attempt.extract, attempt.partition).place(), ended)
    return replace(attempt, cause=cause_of_end(ended), failure_report=report)


class Explanations:
    """The explanations of failed attempts, each read once.

    Reading one takes a request or two of the instance's storage, and hundreds may fail for one
    reason. What a run has told of a failure does not change; only that is kept.
    """

    def __init__(self) -> None:
        self._told: dict[str, LatestAttempt] = {}

    def explained(self, instance: dg.DagsterInstance, attempt: LatestAttempt) -> LatestAttempt:
        """A failed attempt with its cause and its failure report."""
        before = self._told.get(attempt.name)
        if before and (before.run_id, before.state) == (attempt.run_id, attempt.state):
            return before
        found = explained(instance, attempt)
        if found.cause and found.cause is not Cause.KILLED:
            self._told[attempt.name] = found
        return found


def step_failures(
    instance: dg.DagsterInstance, run_id: str
) -> Iterator[tuple[str, StepFailureData]]:
    """The failed steps of a run, with what is known of each."""
    failures = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE)
    for record in failures.records:
        event = record.event_log_entry.dagster_event
        data = event.event_specific_data if event else None
        if event and event.step_key and isinstance(data, StepFailureData):
            yield event.step_key, data


def told_cause(data: StepFailureData) -> Cause | None:
    """The cause that the step itself told, before it ended."""
    told = data.user_failure_data
    cause = ((told and told.metadata) or {}).get(CAUSE)
    return Cause(str(cause.value)) if cause else None


def _planned(
    instance: dg.DagsterInstance, extracts: Mapping[str, Extract], latest: Mapping[str, Latest]
) -> Iterator[_Planned]:
    for path, extract in extracts.items():
        found = latest.get(path)
        if found is None:
            continue
        if extract.header.partitions:
            yield from _planned_partitions(instance, extract)
            continue
        materialized = found.materialized
        if found.run_id and (materialized is None or materialized.run_id != found.run_id):
            yield _Planned(extract, None, found.run_id)


def _planned_partitions(instance: dg.DagsterInstance, extract: Extract) -> Iterator[_Planned]:
    definition = partitions_of(extract.header)
    assert definition is not None
    storage = instance.event_log_storage
    open_attempts = (
        storage.get_latest_asset_partition_materialization_attempts_without_materializations(
            asset_key(extract.path)
        )
    )
    for partition, (run_id, _) in sorted(open_attempts.items()):
        if definition.has_partition_key(partition):
            yield _Planned(extract, partition, run_id)


def _before(instance: dg.DagsterInstance, cancelled: _Planned) -> Iterator[_Planned]:
    """The newest attempt before a cancelled one, unless another has succeeded in between."""
    key = asset_key(cancelled.extract.path)
    partitions = [cancelled.partition] if cancelled.partition else None

    def newest(kind: DagsterEventType) -> Sequence[tuple[int, str]]:
        wanted = dg.EventRecordsFilter(kind, asset_key=key, asset_partitions=partitions)
        found = instance.event_log_storage.get_event_records(wanted, limit=_LOOK_BACK)
        return [(record.storage_id, record.run_id) for record in found]

    succeeded = max((at for at, _ in newest(DagsterEventType.ASSET_MATERIALIZATION)), default=0)
    planned = newest(DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    runs = list(dict.fromkeys(run for at, run in planned if at > succeeded))
    if cancelled.run_id in runs[:-1]:
        yield replace(cancelled, run_id=runs[runs.index(cancelled.run_id) + 1])


def _outcome(instance: dg.DagsterInstance, planned: _Planned, run: dg.RunRecord) -> LatestAttempt:
    attempt = LatestAttempt(
        planned.extract,
        planned.partition,
        State.RUNNING,
        planned.run_id,
        run.create_timestamp.replace(tzinfo=UTC),
        queued=run.dagster_run.status in _NOT_STARTED,
    )
    if not run.dagster_run.is_finished:
        return attempt
    if run.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
        return replace(attempt, state=State.SUCCEEDED)
    skipped = _was_skipped(instance, planned, run.dagster_run)
    return replace(attempt, state=State.SKIPPED if skipped else State.FAILED)


def _was_skipped(instance: dg.DagsterInstance, planned: _Planned, run: dg.DagsterRun) -> bool:
    """Whether an upstream extract in the same run kept it from being tried."""
    upstream = {
        op_name(path)
        for path in planned.extract.header.depends_on
        if not run.asset_selection or asset_key(path) in run.asset_selection
    }
    upstream &= set(run.step_keys_to_execute or upstream)
    if not upstream:  # the usual case, which takes no request
        return False
    stats = {each.step_key: each.status for each in instance.get_run_step_stats(planned.run_id)}
    held_up = any(stats.get(each) is not StepEventStatus.SUCCESS for each in upstream)
    return op_name(planned.extract.path) not in stats and held_up


def _runs(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> Mapping[str, dg.RunRecord]:
    found = {}
    for chunk in _chunks(list(dict.fromkeys(run_ids))):
        records = instance.get_run_records(dg.RunsFilter(run_ids=list(chunk)))
        found.update({each.dagster_run.run_id: each for each in records})
    return found


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Chunks of the size that one query of Dagster's storage accepts."""
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]

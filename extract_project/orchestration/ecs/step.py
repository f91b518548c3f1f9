"""One step of a run, as its executor sees it: its SQL file, its attempts, and its end."""

from __future__ import annotations

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from extract_project.deployment.tags import FAILURE_TAG, partition_in
from extract_project.orchestration.dagster_internals import (
    ExecuteStepArgs,
    IStepContext,
    KnownExecutionState,
    SerializableErrorInfo,
    StepFailureData,
    StepHandlerContext,
    StepRetryData,
    UserFailureData,
)
from extract_project.orchestration.names.task_end import cause_of_end
from extract_project.orchestration.run.failures import CAUSE, end_of_process

ENDS = {
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
}
"""The events that end an attempt at a step."""


def store_end(context: StepHandlerContext, told: str, again: float | None = None) -> DagsterEvent:
    """Store the failure of a step; `again`: seconds until it is retried, None for never."""
    step = context_of(context)
    report = end_of_process(place_of(step, context.dagster_run), told)
    error = SerializableErrorInfo(report, [], None)
    if again is not None:
        later = StepRetryData(error, again)  # type: ignore[no-untyped-call]
        return DagsterEvent.step_retry_event(step, later)
    cause = cause_of_end(told).value
    context.instance.add_run_tags(context.dagster_run.run_id, {FAILURE_TAG: cause})
    shown = UserFailureData("task ended", report, {CAUSE: cause})  # type: ignore[no-untyped-call]
    failed = StepFailureData(error, shown)  # type: ignore[no-untyped-call]
    return DagsterEvent.step_failure_event(step, failed)


def has_ended(context: StepHandlerContext) -> bool:
    """Whether the latest attempt at a step has stored its end. The executor may not have read it
    yet."""
    key = context_of(context).step.key
    found = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=ENDS)
    events = (record.event_log_entry.dagster_event for record in found.records)
    ends = sum(event is not None and event.step_key == key for event in events)
    return ends > attempts_before(context)


def retry_delay(context: StepHandlerContext) -> float | None:
    """Seconds until the next attempt allowed by the extract's `retries`; None if none is left."""
    policy, attempts = context_of(context).op_retry_policy, attempts_before(context)
    if policy is None or attempts >= policy.max_retries:
        return None
    return policy.calculate_delay(attempts + 1)


def arguments_of(context: StepHandlerContext) -> ExecuteStepArgs:
    """The arguments of the step's process, small enough for ECS in a run of any size."""
    given = context.execute_step_args
    key, attempts = context_of(context).step.key, attempts_before(context)
    return ExecuteStepArgs(
        job_origin=given.job_origin,
        run_id=given.run_id,
        step_keys_to_execute=[key],
        instance_ref=given.instance_ref,
        retry_mode=given.retry_mode,
        known_state=KnownExecutionState(previous_retry_attempts={key: attempts}),
        print_serialized_events=False,
    )


def attempts_before(context: StepHandlerContext) -> int:
    state = context.execute_step_args.known_state
    key = context_of(context).step.key
    return state.get_retry_state().get_attempt_count(key) if state else 0


def context_of(context: StepHandlerContext) -> IStepContext:
    (key,) = context.execute_step_args.step_keys_to_execute or ()
    return context.get_step_context(key)


def file_of(step: IStepContext) -> str:
    """The SQL file of a step; for an asset that is not an extract, its step key."""
    keys = [output.properties.asset_key for output in step.step.step_outputs]
    return next((f"{'/'.join(key.path)}.sql" for key in keys if key), step.step.key)


def place_of(step: IStepContext, run: dg.DagsterRun) -> str:
    partition = partition_in(run.tags)
    return f"{file_of(step)} (partition {partition})" if partition else file_of(step)

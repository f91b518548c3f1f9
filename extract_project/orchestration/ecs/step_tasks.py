"""The extracts of one run, each in an ECS task of its own.

A run of several extracts executes in a task that only coordinates: it starts a task for each
extract, sees how it ends, and stops it when the run is terminated. (dagster-aws has an
`ecs_executor`. It gives a step the size that an earlier one asked for, ends the whole run when one
task cannot be started, and waits for ever for a task that never starts or ends without a word.)
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from extract_project.deployment.client import PARTITION_TAG
from extract_project.errors import Cause
from extract_project.manifest.task_size import TaskSize, format_memory
from extract_project.orchestration.dagster_internals import (
    CheckStepHealthResult,
    EngineEventData,
    ExecuteStepArgs,
    ExecutionPlan,
    IStepContext,
    KnownExecutionState,
    RetryMode,
    SerializableErrorInfo,
    StepDelegatingExecutor,
    StepFailureData,
    StepHandler,
    StepHandlerContext,
    StepRetryData,
    UserFailureData,
)
from extract_project.orchestration.ecs.launcher import (
    ExtractEcsRunLauncher,
    StepTask,
    TaskNotStarted,
)
from extract_project.orchestration.names.requests import FAILURE_TAG
from extract_project.orchestration.names.task_end import cause_of_end
from extract_project.orchestration.names.task_tags import POOL_TAG
from extract_project.orchestration.run.failures import CAUSE, end_of_process

_LOOK_SECONDS = 5
_LOOKS = 3
"""In how many looks a task has to be gone before it is given up: ECS shows a new one only after a
moment."""
_DESCRIBED_AT_ONCE = 100
_ENDS = {
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_UP_FOR_RETRY,
}


def task_per_extract(
    instance: dg.DagsterInstance,
    launcher: ExtractEcsRunLauncher,
    plan: ExecutionPlan,
    retries: RetryMode,
    max_concurrent: int | None,
) -> StepDelegatingExecutor:
    """An executor for a run of several extracts.

    At most `max_concurrent` tasks run at a time, and of each pool no more than its limit is: the
    run holds one place in it, and its tasks are what the warehouse gets to see.
    """
    return OneEndPerLaunch(
        TaskPerExtract(launcher, float(instance.run_monitoring_start_timeout_seconds)),
        retries=retries,
        check_step_health_interval_seconds=_LOOK_SECONDS,
        max_concurrent=max_concurrent,
        tag_concurrency_limits=pool_limits(instance, plan),
    )


def pool_limits(instance: dg.DagsterInstance, plan: ExecutionPlan) -> list[dict[str, Any]]:
    """The limits of the pools that a plan's extracts are in, in the form of a tag's limits."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return []
    default = storage.get_pool_config().default_pool_limit
    limits = {pool.name: pool.limit for pool in storage.get_pool_limits()}
    pools = {pool for step in plan.steps if (pool := (step.tags or {}).get(POOL_TAG))}
    found = {pool: limits.get(pool, default) for pool in sorted(pools)}
    return [
        {"key": POOL_TAG, "value": pool, "limit": limit}
        for pool, limit in found.items()
        if limit is not None
    ]


class OneEndPerLaunch(StepDelegatingExecutor):
    """Hears of one end for each launch of a step.

    A task that was given up may still say how it ended, after that has been said in its place.
    Dagster's executor forgets a step at its end, and a second one fails the whole run.
    """

    def __init__(self, step_handler: StepHandler, **options: Any) -> None:
        self._launches, self._ends = Counter[str](), Counter[str]()
        super().__init__(_Counting(step_handler, self._launches), **options)

    def _pop_events(
        self, instance: dg.DagsterInstance, run_id: str, seen_storage_ids: set[int]
    ) -> Sequence[DagsterEvent]:
        events = super()._pop_events(instance, run_id, seen_storage_ids)
        return [event for event in events if self._is_news(event)]

    def _is_news(self, event: DagsterEvent) -> bool:
        key = event.step_key
        if event.event_type not in _ENDS or key is None or key not in self._launches:
            return True
        self._ends[key] += 1
        return self._ends[key] <= self._launches[key]


class _Counting(StepHandler):
    """A step handler, and how often it has launched each step."""

    def __init__(self, handler: StepHandler, launches: Counter[str]) -> None:
        self._handler, self._launches = handler, launches

    @property
    def name(self) -> str:
        return self._handler.name

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        self._launches[_context(step_handler_context).step.key] += 1
        yield from self._handler.launch_step(step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        return self._handler.check_step_health(step_handler_context)

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        yield from self._handler.terminate_step(step_handler_context)


@dataclass(frozen=True)
class _Watched:
    """A task whose end has not been told yet."""

    task: StepTask
    since: float
    """Monotonic seconds."""
    seen: Mapping[str, Any] | None = None
    """As ECS describes it; None before the first look, and when ECS does not know it."""
    seen_at: float = 0.0
    """When ECS was asked."""
    looks_gone: int = 0
    given_up: str = ""
    """Why it is being stopped, if it is."""

    @property
    def status(self) -> str | None:
        return self.seen.get("lastStatus") if self.seen else None

    def looked_at(self, seen: Mapping[str, Any] | None, at: float) -> _Watched:
        gone = seen is None or seen.get("lastStatus") == "STOPPED"
        looks = self.looks_gone + 1 if gone else 0
        return replace(self, seen=seen, seen_at=at, looks_gone=looks)


class TaskPerExtract(StepHandler):
    """Starts, watches and stops the tasks of one run."""

    def __init__(self, launcher: ExtractEcsRunLauncher, start_timeout: float) -> None:
        """`start_timeout`: seconds that a task may take until its container runs; 0: any."""
        self._launcher = launcher
        self._start_timeout = start_timeout
        self._watched: dict[str, _Watched] = {}
        self._too_small: dict[str, TaskSize] = {}
        self._asked_of = set[str]()
        """The steps that have been asked of since the last look."""

    @property
    def name(self) -> str:
        return "TaskPerExtract"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Start a task; a step whose task cannot be started fails, or waits for its next try."""
        step = _context(step_handler_context)
        too_small = self._too_small.get(step.step.key)
        try:
            task = self._launcher.launch_step(
                step_handler_context.dagster_run,
                _arguments(step_handler_context),
                step.step.tags or {},
                too_small,
            )
        except TaskNotStarted as error:
            told = f"No task could be started: {error}"
            yield _end(step_handler_context, told, again=_policy_allows(step_handler_context))
            return
        self._watched[step.step.key] = _Watched(task, time.monotonic())
        message = f"{_file(step)} gets a task with {task.size}"
        if too_small:
            message += f", because {too_small} was not enough; to keep that, {_line(step, task)}"
        yield DagsterEvent.step_worker_starting(step, message, {"ECS Task ARN": task.arn})

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Look for a task that ended without a word, and say it in its place."""
        step = _context(step_handler_context)
        key = step.step.key
        if key in self._asked_of:  # a new round: one look serves all steps of it
            self._look()
        self._asked_of.add(key)
        watched = self._watched.get(key)
        if watched is None:
            return CheckStepHealthResult.healthy()
        if watched.looks_gone >= _LOOKS:
            if not _has_said_so(step_handler_context):
                self._bury(step_handler_context, watched)
            del self._watched[key]
        elif self._never_started(watched) and not watched.given_up:
            # Its end is told once it has stopped: it may have started since the last look.
            told = f"Its container did not run within {self._start_timeout:.0f} seconds"
            self._launcher.stop_step(watched.task, told)
            self._watched[key] = replace(watched, given_up=f"{told}.\n")
        # Never `unhealthy`: Dagster's answer to that has no place for a cause.
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop the task, which then cancels its query."""
        step = _context(step_handler_context)
        watched = self._watched.pop(step.step.key, None)
        if watched is not None:
            self._launcher.stop_step(watched.task, "the run was terminated")
            message = f"Stopping the task of {_file(step)}"
            yield DagsterEvent.engine_event(step, message, EngineEventData({}))

    def _look(self) -> None:
        """Ask ECS about every task."""
        self._asked_of.clear()
        steps = list(self._watched)
        for start in range(0, len(steps), _DESCRIBED_AT_ONCE):
            chunk = steps[start : start + _DESCRIBED_AT_ONCE]
            now = time.monotonic()
            found = self._launcher.describe([self._watched[step].task for step in chunk])
            for step in chunk:
                watched = self._watched[step]
                self._watched[step] = watched.looked_at(found.get(watched.task.arn), now)

    def _never_started(self, watched: _Watched) -> bool:
        waiting = watched.status in ("PROVISIONING", "PENDING", "ACTIVATING")
        return waiting and 0 < self._start_timeout < watched.seen_at - watched.since

    def _bury(self, context: StepHandlerContext, watched: _Watched) -> None:
        """Store how a task ended that cannot do so itself any more."""
        key = _context(context).step.key
        told = watched.given_up + self._launcher.facts(watched.task, watched.seen)
        if cause_of_end(told) is not Cause.MEMORY:
            _end(context, told, again=_policy_allows(context))
            return
        had = watched.task.size
        more = had.with_more_memory()
        ran_out = f"The task ran out of memory; it had {had}"
        if more is None:
            _end(context, f"{ran_out}, and there is no larger one.\n{told}")
        elif key in self._too_small:
            line = _line(_context(context), replace(watched.task, size=more))
            _end(context, f"{ran_out}; to give it more, {line}.\n{told}")
        else:
            self._too_small[key] = had
            _end(context, f"{ran_out}. It gets another one, with {more}.\n{told}", again=0)


def _end(context: StepHandlerContext, told: str, again: float | None = None) -> DagsterEvent:
    """Store the end of a step; `again`: seconds after which it is tried once more."""
    step = _context(context)
    card = end_of_process(_place(step, context.dagster_run), told)
    error = SerializableErrorInfo(card, [], None)
    if again is not None:
        later = StepRetryData(error, again)  # type: ignore[no-untyped-call]
        return DagsterEvent.step_retry_event(step, later)
    cause = cause_of_end(told).value
    context.instance.add_run_tags(context.dagster_run.run_id, {FAILURE_TAG: cause})
    shown = UserFailureData("task ended", card, {CAUSE: cause})  # type: ignore[no-untyped-call]
    failed = StepFailureData(error, shown)  # type: ignore[no-untyped-call]
    return DagsterEvent.step_failure_event(step, failed)


def _has_said_so(context: StepHandlerContext) -> bool:
    """Whether the latest attempt at a step has stored how it ended, which the executor may not
    have read yet."""
    key = _context(context).step.key
    found = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=_ENDS)
    events = (record.event_log_entry.dagster_event for record in found.records)
    ends = sum(event is not None and event.step_key == key for event in events)
    return ends > _attempts_before(context)


def _policy_allows(context: StepHandlerContext) -> float | None:
    """Seconds until the next try by the extract's own `retries`; None when there is none left."""
    policy, attempts = _context(context).op_retry_policy, _attempts_before(context)
    if policy is None or attempts >= policy.max_retries:
        return None
    return policy.calculate_delay(attempts + 1)


def _arguments(context: StepHandlerContext) -> ExecuteStepArgs:
    """What the step's process needs to know, small enough for ECS in a run of any size."""
    given = context.execute_step_args
    key, attempts = _context(context).step.key, _attempts_before(context)
    return ExecuteStepArgs(
        job_origin=given.job_origin,
        run_id=given.run_id,
        step_keys_to_execute=[key],
        instance_ref=given.instance_ref,
        retry_mode=given.retry_mode,
        known_state=KnownExecutionState(previous_retry_attempts={key: attempts}),
        print_serialized_events=False,
    )


def _attempts_before(context: StepHandlerContext) -> int:
    state = context.execute_step_args.known_state
    key = _context(context).step.key
    return state.get_retry_state().get_attempt_count(key) if state else 0


def _context(context: StepHandlerContext) -> IStepContext:
    (key,) = context.execute_step_args.step_keys_to_execute or ()
    return context.get_step_context(key)


def _file(step: IStepContext) -> str:
    """The SQL file of a step; of an asset of one's own, its key."""
    keys = [output.properties.asset_key for output in step.step.step_outputs]
    return next((f"{'/'.join(key.path)}.sql" for key in keys if key), step.step.key)


def _place(step: IStepContext, run: dg.DagsterRun) -> str:
    partition = run.tags.get(PARTITION_TAG)
    return f"{_file(step)} (partition {partition})" if partition else _file(step)


def _line(step: IStepContext, task: StepTask) -> str:
    """What to write into which header."""
    return f"write 'memory: {format_memory(task.size.memory or 0)}' in {_file(step)}"

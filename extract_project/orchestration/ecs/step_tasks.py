"""Run each extract of a run in its own ECS task.

A run of several extracts executes in a task that only coordinates: it starts a task for each
extract, watches it, and stops it when the run is terminated. (The `ecs_executor` of dagster-aws
does not serve: it gives a step the size that an earlier one asked for, ends the whole run when one
task cannot be started, and waits for ever for a task that never starts or dies silently.)
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster import DagsterEvent

from extract_project.errors import Cause
from extract_project.manifest.fields.task_size import TaskSize
from extract_project.orchestration.dagster_internals import (
    CheckStepHealthResult,
    EngineEventData,
    StepHandler,
    StepHandlerContext,
)
from extract_project.orchestration.ecs.launcher import (
    ExtractEcsRunLauncher,
    TaskNotStarted,
)
from extract_project.orchestration.ecs.size import memory_line
from extract_project.orchestration.ecs.step import (
    arguments_of,
    context_of,
    file_of,
    has_ended,
    retry_delay,
    store_end,
)
from extract_project.orchestration.ecs.watch import Watch, Watched
from extract_project.orchestration.names.task_end import cause_of_end


class TaskPerExtract(StepHandler):
    """Starts, watches and stops the tasks of one run."""

    def __init__(self, launcher: ExtractEcsRunLauncher, start_timeout: float) -> None:
        """`start_timeout` limits the seconds until a task's container runs; 0 is no limit."""
        self._launcher = launcher
        self._watch = Watch(launcher, start_timeout)
        self._too_small: dict[str, TaskSize] = {}

    @property
    def name(self) -> str:
        return "TaskPerExtract"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Start a task. If it cannot be started, the step fails, or is retried later."""
        step = context_of(step_handler_context)
        too_small = self._too_small.get(step.step.key)
        try:
            task = self._launcher.launch_step(
                step_handler_context.dagster_run,
                arguments_of(step_handler_context),
                step.step.tags or {},
                too_small,
            )
        except TaskNotStarted as error:
            told = f"No task could be started: {error}"
            yield store_end(step_handler_context, told, again=retry_delay(step_handler_context))
            return
        self._watch.begin(step.step.key, task)
        message = f"{file_of(step)} gets a task with {task.size}"
        if too_small:
            line = memory_line(task.size, file_of(step))
            message += f", because {too_small} was too small; to keep this size, {line}"
        yield DagsterEvent.step_worker_starting(step, message, {"ECS Task ARN": task.arn})

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Record the failure of a task that died without reporting it."""
        key = context_of(step_handler_context).step.key
        watched = self._watch.ask(key)
        if watched is None:
            return CheckStepHealthResult.healthy()
        if watched.is_gone:
            if not has_ended(step_handler_context):
                self._bury(step_handler_context, watched)
            self._watch.forget(key)
        elif self._watch.never_started(watched) and not watched.given_up:
            # Its end is recorded once it has stopped: it may have started since the last look.
            told = f"Its container did not run within {self._watch.start_timeout:.0f} seconds"
            self._launcher.stop_step(watched.task, told)
            self._watch.give_up(key, f"{told}.\n")
        # Never `unhealthy`: the failure that Dagster then stores has no cause.
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop the task, which then cancels its query."""
        step = context_of(step_handler_context)
        watched = self._watch.forget(step.step.key)
        if watched is not None:
            self._launcher.stop_step(watched.task, "the run was terminated")
            message = f"Stopping the task of {file_of(step)}"
            yield DagsterEvent.engine_event(step, message, EngineEventData({}))

    def _bury(self, context: StepHandlerContext, watched: Watched) -> None:
        """Store the end of a task that died without storing it."""
        key = context_of(context).step.key
        told = watched.given_up + self._launcher.facts(watched.task, watched.seen)
        if cause_of_end(told) is not Cause.MEMORY:
            store_end(context, told, again=retry_delay(context))
            return
        had = watched.task.size
        more = had.with_more_memory()
        ran_out = f"The task ran out of memory; it had {had}"
        if more is None:
            store_end(context, f"{ran_out}, and there is no larger one.\n{told}")
        elif key in self._too_small:
            line = memory_line(more, file_of(context_of(context)))
            store_end(context, f"{ran_out}; to give it more, {line}.\n{told}")
        else:
            self._too_small[key] = had
            store_end(context, f"{ran_out}. It is started again, with {more}.\n{told}", again=0)

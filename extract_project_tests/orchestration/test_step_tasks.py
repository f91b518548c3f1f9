"""How Dagster's executor is spared what it does not survive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.init import InitExecutorContext
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepHandler,
    StepHandlerContext,
)

from extract_project.orchestration.ecs.step_executor import OneEndPerLaunch


class EndingTwice(StepHandler):
    """Its steps fail at once, and say so twice: they themselves, and somebody in their place."""

    @property
    def name(self) -> str:
        return "EndingTwice"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        (key,) = step_handler_context.execute_step_args.step_keys_to_execute or ()
        step = step_handler_context.get_step_context(key)
        for _ in range(2):
            failed = StepFailureData(None, None)  # type: ignore[no-untyped-call]
            yield DagsterEvent.step_failure_event(step, failed)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        return CheckStepHealthResult.healthy()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        yield from ()


@dg.executor(name="ending_twice", requirements=dg.multiple_process_executor_requirements())
def ending_twice(_context: InitExecutorContext) -> OneEndPerLaunch:
    return OneEndPerLaunch(EndingTwice(), retries=RetryMode.DISABLED, max_concurrent=1)


@dg.op
def first() -> None:
    """Never executed."""


@dg.op
def second() -> None:
    """Never executed."""


@dg.job(executor_def=ending_twice)
def both() -> None:
    first()
    second()


def test_a_task_that_ends_twice_does_not_fail_its_run(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        with dg.execute_job(dg.reconstructable(both), instance=instance) as result:
            run_id, ended = result.run_id, result.get_failed_step_keys()
        entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        told = [entry.dagster_event.message for entry in entries if entry.dagster_event]
    assert ended == {"first", "second"}
    assert told == ["Execution of run for \"both\" failed. Steps failed: ['first', 'second']."]

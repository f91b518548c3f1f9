"""The executor of runs: a single extract in the run's process, several in one process each.

A run of one extract needs no second Python process, which would double its memory and add
seconds. In a run of several, separate processes isolate one extract's failure, or its running out
of memory, from the others. They are forked from one that has imported what each of them needs: on
one machine from the run's own process, which has the definitions too, else from a fork server. On
ECS, each gets its own task.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster import DagsterEvent, Executor, InitExecutorContext

from extract_project.orchestration.dagster_internals import (
    ExecutionPlan,
    InProcessExecutor,
    MultiprocessExecutor,
    PlanOrchestrationContext,
    RetryMode,
)
from extract_project.orchestration.run.interrupts import ending_at_interrupts

_PRELOADED = "extract_project.orchestration.run.preloaded"


def _start_method(instance: dg.DagsterInstance) -> str:
    """How the processes of a run's steps start, as multiprocessing calls it.

    Only a process with a single thread can be forked: other threads might hold locks. Dagster's own
    launcher leaves one in each run's process.
    """
    from extract_project.orchestration.one_machine.launcher import ForkingRunLauncher

    forked = isinstance(instance.run_launcher, ForkingRunLauncher)
    if forked and sys.platform == "linux" and len([*Path("/proc/self/task").iterdir()]) == 1:
        return "fork"
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class OneOrMany(Executor):
    """Chooses the executor once the plan is known."""

    def __init__(self, max_concurrent: int | None) -> None:
        self._retries = RetryMode.ENABLED
        self._max_concurrent = max_concurrent

    @property
    def retries(self) -> RetryMode:
        return self._retries

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        if len(execution_plan.step_keys_to_execute) == 1:
            here = InProcessExecutor(self._retries)
            return ending_at_interrupts(here.execute(plan_context, execution_plan))
        many = self._one_each(plan_context.instance, execution_plan)
        return many.execute(plan_context, execution_plan)

    def _one_each(self, instance: dg.DagsterInstance, plan: ExecutionPlan) -> Executor:
        # Imported here because a run of one extract does not need it.
        from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher
        from extract_project.orchestration.ecs.step_executor import task_per_extract

        launcher = instance.run_launcher
        if isinstance(launcher, ExtractEcsRunLauncher):
            return task_per_extract(instance, launcher, plan, self._retries, self._max_concurrent)
        return MultiprocessExecutor(
            retries=self._retries,
            max_concurrent=self._max_concurrent,
            start_method=_start_method(instance),
            explicit_forkserver_preload=[_PRELOADED],
        )


@dg.executor(
    name="one_or_many",
    requirements=dg.multiple_process_executor_requirements(),
    config_schema={
        "max_concurrent": dg.Field(
            dg.Noneable(int),
            default_value=None,
            description="processes at a time in a run of several extracts; default: CPU cores; "
            "on ECS, tasks; default: as many as the pools allow",
        )
    },
)
def one_or_many_executor(context: InitExecutorContext) -> Executor:
    limit = context.executor_config["max_concurrent"]
    return OneOrMany(limit if isinstance(limit, int) else None)

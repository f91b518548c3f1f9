"""The executor of a run of several extracts. It gives each of them its own task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster import DagsterEvent

from extract_project.orchestration.dagster_internals import (
    CheckStepHealthResult,
    ExecutionPlan,
    RetryMode,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from extract_project.orchestration.ecs.launcher import (
    ExtractEcsRunLauncher,
)
from extract_project.orchestration.ecs.step import ENDS, context_of
from extract_project.orchestration.ecs.step_tasks import TaskPerExtract
from extract_project.orchestration.names.task_tags import POOL_TAG

_LOOK_SECONDS = 5


def task_per_extract(
    instance: dg.DagsterInstance,
    launcher: ExtractEcsRunLauncher,
    plan: ExecutionPlan,
    retries: RetryMode,
    max_concurrent: int | None,
) -> StepDelegatingExecutor:
    """An executor for a run of several extracts.

    At most `max_concurrent` tasks run at a time, and for each pool at most its limit. The run
    itself holds only one slot of the pool, but the warehouse sees one query per task.
    """
    return OneEndPerLaunch(
        TaskPerExtract(launcher, float(instance.run_monitoring_start_timeout_seconds)),
        retries=retries,
        check_step_health_interval_seconds=_LOOK_SECONDS,
        max_concurrent=max_concurrent,
        tag_concurrency_limits=pool_limits(instance, plan),
    )


def pool_limits(instance: dg.DagsterInstance, plan: ExecutionPlan) -> list[dict[str, Any]]:
    """The limits of the pools of a plan's extracts, in the form of tag concurrency limits."""
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
    """Accepts only one end per launch of a step.

    A task that was given up may still store its end, after one has been stored for it. Dagster's
    executor forgets a step when it ends, and a second end would fail the whole run.
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
        if event.event_type not in ENDS or key is None or key not in self._launches:
            return True
        self._ends[key] += 1
        return self._ends[key] <= self._launches[key]


class _Counting(StepHandler):
    """A step handler that counts how often it has launched each step."""

    def __init__(self, handler: StepHandler, launches: Counter[str]) -> None:
        self._handler, self._launches = handler, launches

    @property
    def name(self) -> str:
        return self._handler.name

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        self._launches[context_of(step_handler_context).step.key] += 1
        yield from self._handler.launch_step(step_handler_context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        return self._handler.check_step_health(step_handler_context)

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        yield from self._handler.terminate_step(step_handler_context)

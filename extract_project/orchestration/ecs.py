"""Each run in an ECS task of its own, as large as the extracts in it ask for.

Dagster's EcsRunLauncher takes the size of a task from the tags of the run alone. Here it comes
from the extracts that the run executes, so that it holds however the run was launched. In
dagster.yaml:

    run_launcher:
      module: extract_project.orchestration.ecs
      class: ExtractEcsRunLauncher
      config: …                # as of EcsRunLauncher
    run_monitoring:
      enabled: true            # notices tasks that died
    run_retries:
      enabled: true            # launches once more what died of memory
      max_retries: 0

It needs no more of AWS than EcsRunLauncher does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import DagsterRun
from dagster._core.events import EngineEventData
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.instance import DagsterInstance
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import MAX_RETRIES_TAG, RETRY_STRATEGY_TAG, WILL_RETRY_TAG
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.ecs.container_context import EcsContainerContext

from extract_project.errors import Cause
from extract_project.manifest.task_size import TaskSize, format_memory, largest
from extract_project.orchestration.requests import FAILURE_TAG
from extract_project.orchestration.task_end import LOG_HEADING, cause_of_end
from extract_project.orchestration.task_tags import (
    CPU_TAG,
    DISK_TAG,
    MEMORY_TAG,
    read_size,
    size_tags,
)

if TYPE_CHECKING:
    from botocore.config import Config

TOO_SMALL_TAG = "extract/too_small"
"""On a run whose task died of memory, and on its reruns: the size that was not enough."""

_ATTEMPTS = 10
_STOPPED = "STOPPED"


class ExtractEcsRunLauncher(EcsRunLauncher[DagsterInstance]):
    """EcsRunLauncher with the sizes of headers, patience, and an eye for tasks out of memory.

    The size is the largest of what the extracts of the run ask for, in vCPUs, memory and disk
    each; where a header says nothing, the deployment's own counts. The run's tags `ecs/cpu`,
    `ecs/memory` and `ecs/ephemeral_storage` win over both. The result is rounded up to a size
    that Fargate has.
    """

    def get_boto_client_config(self) -> Config:
        # RunTask is throttled beyond 20 tasks a second. The SDK gives up after the third attempt,
        # and Dagster then drops the run from its queue as failed.
        from botocore.config import Config

        return Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS})

    def get_cpu_and_memory_overrides(
        self, container_context: EcsContainerContext, run: DagsterRun
    ) -> Mapping[str, str]:
        sized = self._sized(container_context, run)
        return super().get_cpu_and_memory_overrides(container_context, sized)

    def _get_task_overrides(
        self, container_context: EcsContainerContext, run: DagsterRun
    ) -> Mapping[str, Any]:
        sized = self._sized(container_context, run)
        return super()._get_task_overrides(container_context, sized)

    def report_launch_events(
        self, run: DagsterRun, arn: str | None = None, cluster: str | None = None
    ) -> None:
        super().report_launch_events(run, arn, cluster)
        size = self._size(EcsContainerContext.create_for_run(run, self), run)
        if size is None:
            return
        message = f"The task of this run has {size}"
        if TOO_SMALL_TAG in run.tags and size.memory:
            before = read_size(_tags_of(run.tags[TOO_SMALL_TAG]))
            message += f", because {before} was not enough; to keep that, {_line(size, run)}"
        self._instance.report_engine_event(message, run, EngineEventData({}), self.__class__)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """What became of the task; of one that died of memory, how to give it more."""
        health: CheckRunHealthResult = super().check_run_worker_health(run)
        task = self._task(run) if health.status is WorkerStatus.FAILED else None
        current = self._instance.get_run_by_id(run.run_id)
        if task is None or current is None or current.is_finished:
            return health
        facts, heading, log = (health.msg or "").partition(LOG_HEADING)
        facts += "".join(f"{reason}\n" for reason in _container_reasons(task))
        cause = cause_of_end(facts)
        tags = {FAILURE_TAG: cause.value}
        if cause is Cause.MEMORY:
            advice, more = self._after_death_of_memory(run, task)
            facts, tags = f"{advice}\n{facts}", tags | more
        self._instance.add_run_tags(run.run_id, tags)
        return CheckRunHealthResult(
            health.status, facts + heading + log, health.transient, health.run_worker_id
        )

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """Why a run has not started: run monitoring does not look at its task by itself."""
        task = self._task(run) if include_container_logs else None
        if task is None:
            return None
        lines = [f"Task {task.get('taskArn')} is {task.get('lastStatus')}."]
        if task.get("lastStatus") == _STOPPED:
            lines += [
                f"Stop code: {task.get('stopCode')}.",
                f"Stop reason: {task.get('stoppedReason')}.",
                *_container_reasons(task),
            ]
        return "\n".join(lines)

    def _sized(self, container_context: EcsContainerContext, run: DagsterRun) -> DagsterRun:
        size = self._size(container_context, run)
        return run if size is None else run.with_tags({**run.tags, **size_tags(size)})

    def _size(self, container_context: EcsContainerContext, run: DagsterRun) -> TaskSize | None:
        """The size that the task gets; None for the deployment's own."""
        asked, tagged = self._asked(run), read_size(run.tags)
        too_small = read_size(_tags_of(run.tags.get(TOO_SMALL_TAG, "")))
        nothing = TaskSize()
        if tagged == too_small == nothing and all(each == nothing for each in asked):
            return None
        default = self._default(container_context)
        size = tagged.or_else(largest([each.or_else(default) for each in asked] or [default]))
        if too_small != nothing:
            more = too_small.with_more_memory() or too_small
            size = largest([size, TaskSize(memory=more.memory)])
        return size.rounded()

    def _asked(self, run: DagsterRun) -> Sequence[TaskSize]:
        """What each step that the run executes asks for."""
        plan_id = run.execution_plan_snapshot_id
        if plan_id is None:
            return []
        plan = self._instance.get_execution_plan_snapshot(plan_id)
        executed = set(run.step_keys_to_execute or plan.step_keys_to_execute)
        return [read_size(step.tags or {}) for step in plan.steps if step.key in executed]

    def _default(self, container_context: EcsContainerContext) -> TaskSize:
        """What a task gets where nobody asks for anything, as far as that is known."""
        stated = _resources(container_context.run_resources)
        arn = container_context.task_definition_arn
        if arn is None or None not in (stated.cpu, stated.memory, stated.disk):
            return stated
        described = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        disk = (described.get("ephemeralStorage") or {}).get("sizeInGiB")
        return stated.or_else(_resources({**described, "ephemeral_storage": disk}))

    def _task(self, run: DagsterRun) -> Mapping[str, Any] | None:
        tags = self._get_run_tags(run.run_id)
        if not (tags.arn and tags.cluster):
            return None
        found = self.ecs.describe_tasks(tasks=[tags.arn], cluster=tags.cluster).get("tasks")
        return dict(found[0]) if found else None

    def _after_death_of_memory(
        self, run: DagsterRun, task: Mapping[str, Any]
    ) -> tuple[str, dict[str, str]]:
        """What to tell, and the tags by which Dagster launches the run once more."""
        had = _resources(task)
        more = had.with_more_memory()
        told = f"The task ran out of memory; it had {had}"
        if more is None:
            return f"{told}, and there is no larger one: select less at a time.", {}
        if TOO_SMALL_TAG in run.tags or not self._instance.run_retries_enabled:
            return f"{told}; to give it more, {_line(more, run)}.", {}
        _, group = self._instance.get_run_group(run.run_id) or (None, [run])
        once_more = max(len(list(group)), int(run.tags.get(MAX_RETRIES_TAG, "0")))
        return (
            f"{told}. It is launched once more, with {more}; to keep that, {_line(more, run)}.",
            {
                TOO_SMALL_TAG: f"{had.cpu}/{had.memory}",
                MAX_RETRIES_TAG: str(once_more),
                # Dagster sets this after it has stored the failure. Its daemon forgets a failure
                # that it reads in between, and would not launch the run again (measured).
                WILL_RETRY_TAG: "true",
                # The only strategy, of those that keep what has succeeded, that does not insist
                # on a run which is marked as failed already.
                RETRY_STRATEGY_TAG: ReexecutionStrategy.FROM_ASSET_FAILURE.value,
            },
        )


def _resources(found: Mapping[str, Any]) -> TaskSize:
    names = {"cpu": CPU_TAG, "memory": MEMORY_TAG, "ephemeral_storage": DISK_TAG}
    return read_size({tag: str(found[name]) for name, tag in names.items() if found.get(name)})


def _tags_of(too_small: str) -> dict[str, str]:
    cpu, _, memory = too_small.partition("/")
    return {CPU_TAG: cpu, MEMORY_TAG: memory} if memory else {}


def _line(size: TaskSize, run: DagsterRun) -> str:
    """What to write into which header."""
    files = sorted(f"{'/'.join(key.path)}.sql" for key in run.asset_selection or ())
    where = files[0] if len(files) == 1 else "the extract that needs it"
    return f"write 'memory: {format_memory(size.memory or 0)}' in {where}"


def _container_reasons(task: Mapping[str, Any]) -> Iterator[str]:
    """Fargate says why a container was killed there, and not in the task's own reason."""
    for container in task.get("containers", ()):
        if container.get("reason"):
            yield f"Container '{container.get('name')}': {container['reason']}"

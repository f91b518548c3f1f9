"""The run launcher for ECS: each extract gets its own task, of the size in its header.

Dagster's EcsRunLauncher takes the size of a task only from the tags of the run. Here it comes
from the extract that the run executes, so that it applies however the run was launched. A run of
several extracts gets a task of the deployment's default size, which starts one for each extract
(`step_tasks.py`). In dagster.yaml:

    run_launcher:
      module: extract_project.orchestration.ecs
      class: ExtractEcsRunLauncher
      config: …                # as of EcsRunLauncher
    run_monitoring:
      enabled: true            # notices tasks that died
    run_retries:
      enabled: true            # launches again what ran out of memory
      max_retries: 0

The task of a run of several extracts needs the rights that EcsRunLauncher needs: ecs:RunTask,
DescribeTasks, StopTask, DescribeTaskDefinition and iam:PassRole, all only for its own task
definition, and the logs of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from dagster import DagsterInstance, DagsterRun
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.ecs.container_context import EcsContainerContext
from dagster_aws.ecs.utils import RetryableEcsException, get_task_logs

from extract_project.deployment.tags import FAILURE_TAG
from extract_project.errors import Cause
from extract_project.manifest.fields.task_size import TaskSize
from extract_project.orchestration.dagster_internals import (
    CheckRunHealthResult,
    EngineEventData,
    ExecuteStepArgs,
    WorkerStatus,
    backoff,
)
from extract_project.orchestration.ecs.health import (
    after_death_of_memory,
    container_reasons,
    status_of,
)
from extract_project.orchestration.ecs.size import (
    TOO_SMALL_TAG,
    asked_sizes,
    fitted,
    memory_line,
    place_of,
    resources,
    too_small_of,
    with_size,
)
from extract_project.orchestration.names.executed import environment_of
from extract_project.orchestration.names.task_end import LOG_HEADING, cause_of_end
from extract_project.orchestration.names.task_tags import read_size

if TYPE_CHECKING:
    from botocore.config import Config

_ATTEMPTS = 10


@dataclass(frozen=True)
class StepTask:
    """The task of one extract in a run of several."""

    arn: str
    cluster: str
    size: TaskSize
    container: str
    """The name of the container that runs the extract; a task may have others."""


class TaskNotStarted(Exception):
    """ECS did not start a task; the text says why."""


class ExtractEcsRunLauncher(EcsRunLauncher[DagsterInstance]):
    """EcsRunLauncher that takes sizes from headers, waits out throttling, and retries with more
    memory.

    If a header has no size, the deployment's default applies. The run's tags `ecs/cpu`,
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

    def _get_container_overrides(self, run: DagsterRun) -> Mapping[str, Any]:
        """The overrides of the run's tags, and the variable that names the run's extracts."""
        given = super()._get_container_overrides(run)
        return {**given, "environment": [*given.get("environment", ()), *_told(run)]}

    def report_launch_events(
        self, run: DagsterRun, arn: str | None = None, cluster: str | None = None
    ) -> None:
        super().report_launch_events(run, arn, cluster)
        size = self._size(EcsContainerContext.create_for_run(run, self), run)
        if size is None:
            return
        message = f"The task of this run has {size}"
        if TOO_SMALL_TAG in run.tags and size.memory:
            line = memory_line(size, place_of(run))
            message += f", because {too_small_of(run)} was too small; to keep this size, {line}"
        self._instance.report_engine_event(message, run, EngineEventData({}), self.__class__)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """The state of the task. After it ran out of memory, also how to give it more."""
        health: CheckRunHealthResult = super().check_run_worker_health(run)
        task = self._task(run) if health.status is WorkerStatus.FAILED else None
        current = self._instance.get_run_by_id(run.run_id)
        if task is None or current is None or current.is_finished:
            return health
        facts, heading, log = (health.msg or "").partition(LOG_HEADING)
        facts += "".join(f"{reason}\n" for reason in container_reasons(task))
        if len(asked_sizes(self._instance, run)) > 1:
            self._stop_steps(run.run_id, "the task that coordinated its run has ended")
        cause = cause_of_end(facts)
        tags = {FAILURE_TAG: cause.value}
        if cause is Cause.MEMORY:
            advice, more = after_death_of_memory(self._instance, run, resources(task))
            facts, tags = f"{advice}\n{facts}", tags | more
        self._instance.add_run_tags(run.run_id, tags)
        return CheckRunHealthResult(
            health.status, facts + heading + log, health.transient, health.run_worker_id
        )

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """Why a run has not started. Run monitoring does not look at its task by itself."""
        task = self._task(run) if include_container_logs else None
        if task is None:
            return None
        return "\n".join(status_of(task))

    def terminate(self, run_id: str) -> bool:
        """Stop the task of a run, and the tasks of its extracts in case it cannot stop them
        itself."""
        run = self._instance.get_run_by_id(run_id)
        stopping: bool = super().terminate(run_id)
        if run is not None and len(asked_sizes(self._instance, run)) > 1:
            self._stop_steps(run_id, "the run was terminated")
        return stopping

    def launch_step(
        self,
        run: DagsterRun,
        arguments: ExecuteStepArgs,
        tags: Mapping[str, str],
        too_small: TaskSize | None = None,
    ) -> StepTask:
        """Start the task of one extract in a run of several; raises TaskNotStarted.

        `tags` are the step's and contain its size; `too_small` is a size with which it ran out of
        memory.
        """
        context = EcsContainerContext.create_for_run(run, self)
        size = fitted(
            read_size(run.tags),
            read_size(tags),
            too_small or TaskSize(),
            lambda: self._default(context),
        )
        sized = with_size(run, size)
        of_task = super().get_cpu_and_memory_overrides(context, sized)
        container = {
            "name": self.get_container_name(context),
            "command": arguments.get_command_args(skip_serialized_namedtuple=True),
            "environment": [*arguments.get_command_env(), *_told(run)],
            **{name: int(value) for name, value in of_task.items()},
        }
        (key,) = arguments.step_keys_to_execute or ()
        origin = arguments.job_origin.repository_origin
        request = {
            **self._run_task_kwargs(run, origin.container_image, context),
            "overrides": {
                "containerOverrides": [container],
                **of_task,
                **super()._get_task_overrides(context, sized),
            },
            "tags": [
                *self.build_ecs_tags_for_run_task(run, context),
                {"key": "dagster/step_key", "value": key[:255]},
            ],
            "startedBy": run.run_id,
        }
        try:
            task = backoff(self._run_task, (RetryableEcsException,), kwargs=request)
        except Exception as error:  # EcsRunLauncher raises Exception if ECS returns only reasons
            raise TaskNotStarted(str(error)) from error
        name = self.get_container_name(context)
        return StepTask(task["taskArn"], task["clusterArn"], resources(task), name)

    def describe(self, tasks: Sequence[StepTask]) -> dict[str, Mapping[str, Any]]:
        """ECS's descriptions of up to 100 tasks of one run, by their ARN."""
        arns = [task.arn for task in tasks]
        reply = self.ecs.describe_tasks(tasks=arns, cluster=tasks[0].cluster) if tasks else {}
        return {found["taskArn"]: found for found in reply.get("tasks", ())}

    def facts(self, task: StepTask, seen: Mapping[str, Any] | None) -> str:
        """ECS's description of a task that has ended, and the last lines of its log."""
        if seen is None:
            return f"Task {task.arn} is unknown to ECS."
        told = "\n".join(status_of(seen))
        try:
            lines = get_task_logs(  # type: ignore[no-untyped-call]
                self.ecs, self.logs, task.cluster, task.arn, task.container
            )
        except (ClientError, BotoCoreError, LookupError):
            return told
        return f"{told}\n{LOG_HEADING}" + "\n".join(lines) if lines else told

    def stop_step(self, task: StepTask, reason: str) -> None:
        """Stop a task: its process gets SIGTERM, and SIGKILL after the stop timeout."""
        self.ecs.stop_task(task=task.arn, cluster=task.cluster, reason=reason)

    def _stop_steps(self, run_id: str, reason: str) -> None:
        cluster = self._get_run_tags(run_id).cluster
        pages = self.ecs.get_paginator("list_tasks").paginate(cluster=cluster, startedBy=run_id)
        for page in pages:
            for arn in page["taskArns"]:
                self.ecs.stop_task(task=arn, cluster=cluster, reason=reason)

    def _sized(self, container_context: EcsContainerContext, run: DagsterRun) -> DagsterRun:
        return with_size(run, self._size(container_context, run))

    def _size(self, container_context: EcsContainerContext, run: DagsterRun) -> TaskSize | None:
        """The size of the run's task; None for the deployment's default."""
        asked, tags = asked_sizes(self._instance, run), run.tags
        if len(asked) > 1:  # the extracts get tasks of these sizes; this one only coordinates
            asked, tags = [], {}
        return fitted(
            read_size(tags),
            asked[0] if asked else TaskSize(),
            too_small_of(run),
            lambda: self._default(container_context),
        )

    def _default(self, container_context: EcsContainerContext) -> TaskSize:
        """The default size of a task, as far as it is known."""
        stated = resources(container_context.run_resources)
        arn = container_context.task_definition_arn
        if arn is None or None not in (stated.cpu, stated.memory, stated.disk):
            return stated
        described = self.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        disk = (described.get("ephemeralStorage") or {}).get("sizeInGiB")
        return stated.or_else(resources({**described, "ephemeral_storage": disk}))

    def _task(self, run: DagsterRun) -> Mapping[str, Any] | None:
        tags = self._get_run_tags(run.run_id)
        if not (tags.arn and tags.cluster):
            return None
        found = self.ecs.describe_tasks(tasks=[tags.arn], cluster=tags.cluster).get("tasks")
        return dict(found[0]) if found else None


def _told(run: DagsterRun) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in environment_of(run).items()]

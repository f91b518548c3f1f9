"""The state of a task, as ECS describes it, and the retry after it ran out of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import DagsterInstance, DagsterRun

from extract_project.manifest.fields.task_size import TaskSize
from extract_project.orchestration.dagster_internals import (
    MAX_RETRIES_TAG,
    RETRY_STRATEGY_TAG,
    WILL_RETRY_TAG,
    ReexecutionStrategy,
)
from extract_project.orchestration.ecs.size import (
    TOO_SMALL_TAG,
    memory_line,
    place_of,
    too_small_tag,
)

_STOPPED = "STOPPED"


def status_of(task: Mapping[str, Any]) -> Iterator[str]:
    """The state of a task, and the reasons if it has stopped."""
    yield f"Task {task.get('taskArn')} is {task.get('lastStatus')}."
    if task.get("lastStatus") == _STOPPED:
        yield f"Stop code: {task.get('stopCode')}."
        yield f"Stop reason: {task.get('stoppedReason')}."
        for container in task.get("containers", ()):
            if container.get("exitCode"):
                name, code = container.get("name"), container["exitCode"]
                yield f"Container '{name}' failed - exit code {code}."
        yield from container_reasons(task)


def container_reasons(task: Mapping[str, Any]) -> Iterator[str]:
    """The reasons of containers: Fargate says there, not in the task, why one was killed."""
    for container in task.get("containers", ()):
        if container.get("reason"):
            yield f"Container '{container.get('name')}': {container['reason']}"


def after_death_of_memory(
    instance: DagsterInstance, run: DagsterRun, had: TaskSize
) -> tuple[str, dict[str, str]]:
    """The advice for the failure report, and the tags by which Dagster launches the run again."""
    more = had.with_more_memory()
    told = f"The task ran out of memory; it had {had}"
    if more is None:
        return f"{told}, and there is no larger one: select fewer rows or columns at a time.", {}
    if TOO_SMALL_TAG in run.tags or not instance.run_retries_enabled:
        return f"{told}; to give it more, {memory_line(more, place_of(run))}.", {}
    _, group = instance.get_run_group(run.run_id) or (None, [run])
    once_more = max(len(list(group)), int(run.tags.get(MAX_RETRIES_TAG, "0")))
    line = memory_line(more, place_of(run))
    return (
        f"{told}. It is launched again, with {more}; to keep this size, {line}.",
        {
            TOO_SMALL_TAG: too_small_tag(had),
            MAX_RETRIES_TAG: str(once_more),
            # Dagster sets this only after it has stored the failure. If its daemon reads the
            # failure in between, it does not launch the run again (measured).
            WILL_RETRY_TAG: "true",
            # Of the strategies that keep successful steps, the only one that does not require
            # the run to be marked as failed already.
            RETRY_STRATEGY_TAG: ReexecutionStrategy.FROM_ASSET_FAILURE.value,
        },
    )

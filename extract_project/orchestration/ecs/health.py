"""What became of a task, as ECS describes it, and what follows from a death of memory."""

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
    """How a task does; of one that has stopped, why."""
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
    """Fargate says why a container was killed there, and not in the task's own reason."""
    for container in task.get("containers", ()):
        if container.get("reason"):
            yield f"Container '{container.get('name')}': {container['reason']}"


def after_death_of_memory(
    instance: DagsterInstance, run: DagsterRun, had: TaskSize
) -> tuple[str, dict[str, str]]:
    """What to tell, and the tags by which Dagster launches the run once more."""
    more = had.with_more_memory()
    told = f"The task ran out of memory; it had {had}"
    if more is None:
        return f"{told}, and there is no larger one: select less at a time.", {}
    if TOO_SMALL_TAG in run.tags or not instance.run_retries_enabled:
        return f"{told}; to give it more, {memory_line(more, place_of(run))}.", {}
    _, group = instance.get_run_group(run.run_id) or (None, [run])
    once_more = max(len(list(group)), int(run.tags.get(MAX_RETRIES_TAG, "0")))
    line = memory_line(more, place_of(run))
    return (
        f"{told}. It is launched once more, with {more}; to keep that, {line}.",
        {
            TOO_SMALL_TAG: too_small_tag(had),
            MAX_RETRIES_TAG: str(once_more),
            # Dagster sets this after it has stored the failure. Its daemon forgets a failure
            # that it reads in between, and would not launch the run again (measured).
            WILL_RETRY_TAG: "true",
            # The only strategy, of those that keep what has succeeded, that does not insist
            # on a run which is marked as failed already.
            RETRY_STRATEGY_TAG: ReexecutionStrategy.FROM_ASSET_FAILURE.value,
        },
    )

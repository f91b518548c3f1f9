"""The size of an ECS task, from the run's tags, the header, the deployment, and earlier
failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagster import DagsterInstance, DagsterRun

from extract_project.manifest.fields.task_size import TaskSize, format_memory, largest
from extract_project.orchestration.names.task_tags import (
    CPU_TAG,
    DISK_TAG,
    MEMORY_TAG,
    read_size,
    size_tags,
)

TOO_SMALL_TAG = "extract/too_small"
"""Tag of a run whose task ran out of memory, and of its reruns: the size that was too small."""


def fitted(
    tagged: TaskSize, asked: TaskSize, too_small: TaskSize, default: Callable[[], TaskSize]
) -> TaskSize | None:
    """The smallest Fargate size that fits the request; None for the deployment's default size.

    The run's tags win over the header, and both over the deployment's default. After running out of
    memory, a task gets more than `too_small`.
    """
    if tagged == too_small == asked == TaskSize():
        return None
    size = tagged.or_else(asked).or_else(default())
    if too_small != TaskSize():
        more = too_small.with_more_memory() or too_small
        size = largest([size, TaskSize(memory=more.memory)])
    return size.rounded()


def asked_sizes(instance: DagsterInstance, run: DagsterRun) -> Sequence[TaskSize]:
    """The size that each step of the run asks for."""
    plan_id = run.execution_plan_snapshot_id
    if plan_id is None:
        return []
    plan = instance.get_execution_plan_snapshot(plan_id)
    executed = set(run.step_keys_to_execute or plan.step_keys_to_execute)
    return [read_size(step.tags or {}) for step in plan.steps if step.key in executed]


def with_size(run: DagsterRun, size: TaskSize | None) -> DagsterRun:
    """The run with exactly the size tags that EcsRunLauncher reads."""
    others = {k: v for k, v in run.tags.items() if k not in (CPU_TAG, MEMORY_TAG, DISK_TAG)}
    return run.with_tags({**others, **size_tags(size or TaskSize())})


def resources(found: Mapping[str, Any]) -> TaskSize:
    """The size in a task description of ECS, or in the settings of the launcher."""
    names = {"cpu": CPU_TAG, "memory": MEMORY_TAG, "ephemeral_storage": DISK_TAG}
    return read_size({tag: str(found[name]) for name, tag in names.items() if found.get(name)})


def too_small_tag(size: TaskSize) -> str:
    """The value of TOO_SMALL_TAG for a size."""
    return f"{size.cpu}/{size.memory}"


def too_small_of(run: DagsterRun) -> TaskSize:
    """The size that was too small for an earlier run; an empty size if there is none."""
    cpu, _, memory = run.tags.get(TOO_SMALL_TAG, "").partition("/")
    return read_size({CPU_TAG: cpu, MEMORY_TAG: memory} if memory else {})


def memory_line(size: TaskSize, place: str) -> str:
    """The header line, with its file, that gives a task this much memory."""
    return f"write 'memory: {format_memory(size.memory or 0)}' in {place}"


def place_of(run: DagsterRun) -> str:
    """The SQL file of a run, if it has only one."""
    files = sorted(f"{'/'.join(key.path)}.sql" for key in run.asset_selection or ())
    return files[0] if len(files) == 1 else "the extract that needs it"

"""What an asset's op says of its task, as tags: the size that its header asks for, and its pool.

A run may have tags of a size too, which win.
"""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.manifest.fields.task_size import TaskSize

CPU_TAG, MEMORY_TAG, DISK_TAG = "ecs/cpu", "ecs/memory", "ecs/ephemeral_storage"
POOL_TAG = "extract/pool"


def size_tags(size: TaskSize) -> dict[str, str]:
    """What is asked for, in the form that Dagster's EcsRunLauncher knows from runs."""
    asked = {CPU_TAG: size.cpu, MEMORY_TAG: size.memory, DISK_TAG: size.disk}
    return {tag: str(number) for tag, number in asked.items() if number is not None}


def read_size(tags: Mapping[str, str]) -> TaskSize:
    """What tags ask for; raises ValueError for what is no number."""
    return TaskSize(*(_number(tags, tag) for tag in (CPU_TAG, MEMORY_TAG, DISK_TAG)))


def _number(tags: Mapping[str, str], tag: str) -> int | None:
    text = tags.get(tag)
    if text is None:
        return None
    if not str(text).isdecimal():
        unit = {CPU_TAG: "CPU units, as in 1024", MEMORY_TAG: "MiB, as in 2048"}.get(tag, "GiB")
        raise ValueError(f"the tag {tag} is {text!r}: expected a number of {unit}")
    return int(text)

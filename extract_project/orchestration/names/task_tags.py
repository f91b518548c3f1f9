"""The op tags of an asset's task: the size that its header asks for.

A run may have size tags too; they win.
"""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.manifest.fields.task_size import TaskSize

CPU_TAG, MEMORY_TAG, DISK_TAG = "ecs/cpu", "ecs/memory", "ecs/ephemeral_storage"
POOL_TAG = "extract/pool"


def size_tags(size: TaskSize) -> dict[str, str]:
    """A size as tags, in the form of the run tags that Dagster's EcsRunLauncher reads."""
    asked = {CPU_TAG: size.cpu, MEMORY_TAG: size.memory, DISK_TAG: size.disk}
    return {tag: str(number) for tag, number in asked.items() if number is not None}


def read_size(tags: Mapping[str, str]) -> TaskSize:
    """The size in tags; raises ValueError if a value is not a number."""
    return TaskSize(*(_number(tags, tag) for tag in (CPU_TAG, MEMORY_TAG, DISK_TAG)))


def _number(tags: Mapping[str, str], tag: str) -> int | None:
    text = tags.get(tag)
    if text is None:
        return None
    if not str(text).isdecimal():
        unit = {CPU_TAG: "CPU units, as in 1024", MEMORY_TAG: "MiB, as in 2048"}.get(tag, "GiB")
        raise ValueError(f"the tag {tag} is {text!r}: expected a number of {unit}")
    return int(text)

"""Refuse the RunTask requests that ECS refuses and moto accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError

from extract_project.manifest.fields.task_size import FARGATE, TaskSize

_MOST_OVERRIDES = 8192
_DISK = range(21, 201)
_TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")


def override_characters(overrides: Mapping[str, Any]) -> int:
    """The length of the overrides, as ECS counts it."""
    return len(json.dumps(overrides, separators=(",", ":")))


def require_acceptable(
    overrides: Mapping[str, Any], tags: Sequence[Mapping[str, str]], definition: Any
) -> TaskSize:
    """Check a request; returns the size of the task, or raises the error that ECS would answer."""
    length = override_characters(overrides)
    if length > _MOST_OVERRIDES:
        raise _refused(f"Container Overrides length must be at most {_MOST_OVERRIDES}")
    _require_tags(tags)
    _require_containers(overrides, definition)
    return _size(overrides, definition)


def _require_tags(tags: Sequence[Mapping[str, str]]) -> None:
    for tag in tags:
        if not _TAG_KEY.fullmatch(tag["key"]) or not _TAG_VALUE.fullmatch(tag.get("value", "")):
            raise _refused(f"Invalid tag {dict(tag)}: characters or length are not allowed")


def _require_containers(overrides: Mapping[str, Any], definition: Any) -> None:
    known = {container["name"] for container in definition.container_definitions}
    for container in overrides.get("containerOverrides", ()):
        if container["name"] not in known:
            raise _refused(
                f"Override for container named {container['name']} is not a container in the "
                f"TaskDefinition."
            )


def _size(overrides: Mapping[str, Any], definition: Any) -> TaskSize:
    cpu = int(overrides.get("cpu") or definition.cpu)
    memory = int(overrides.get("memory") or definition.memory)
    if memory not in FARGATE.get(cpu, ()):
        raise _refused(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory"
        )
    for container in overrides.get("containerOverrides", ()):
        if container.get("cpu", 0) > cpu or container.get("memory", 0) > memory:
            raise _refused("Invalid setting for container: it has more than its task")
    disk = overrides.get("ephemeralStorage", {}).get("sizeInGiB")
    if disk is not None and disk not in _DISK:
        raise _refused("Ephemeral storage size must be between 21 and 200 GiB")
    return TaskSize(cpu, memory, disk)


def _refused(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidParameterException", message)

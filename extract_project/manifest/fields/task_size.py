"""The size of an ECS task, in Fargate's units and steps.

A request is rounded up: the task gets the smallest size in Fargate's table with at least that many
vCPUs and at least that much memory. A GB is 1,024 MB here, as in the table.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from extract_project.units import SIZE_PATTERN, parse_size

UNITS_PER_VCPU = 1024
_MIB_PER_GIB = 1024
_LEAST_DISK, _MOST_DISK = 21, 200
_MIB = 1 << 20


def _gib(first: int, last: int, step: int = 1) -> tuple[int, ...]:
    return tuple(gib * _MIB_PER_GIB for gib in range(first, last + 1, step))


FARGATE = {
    256: (512, *_gib(1, 2)),
    512: _gib(1, 4),
    1024: _gib(2, 8),
    2048: _gib(4, 16),
    4096: _gib(8, 30),
    8192: _gib(16, 60, 4),
    16384: _gib(32, 120, 8),
}
"""CPU units, mapped to the possible memory sizes in MiB."""

MOST_CPU = max(FARGATE)
MOST_MEMORY = max(FARGATE[MOST_CPU])


@dataclass(frozen=True)
class TaskSize:
    """A requested task size; None means the deployment's default."""

    cpu: int | None = None
    """In CPU units; 1,024 are one vCPU."""
    memory: int | None = None
    """In MiB."""
    disk: int | None = None
    """In GiB."""

    def rounded(self) -> TaskSize:
        """The next size in Fargate's table; unchanged if neither CPU nor memory is requested."""
        if self.cpu is None and self.memory is None:
            return self
        for cpu, memories in FARGATE.items():
            if cpu < (self.cpu or 0):
                continue
            for memory in memories:
                if memory >= (self.memory or 0):
                    return TaskSize(cpu, memory, self.disk)
        raise ValueError(f"{self} is larger than any task: {_most()}")

    def with_more_memory(self) -> TaskSize | None:
        """The size with twice the memory, or the largest; None if this is the largest.

        Fargate's next step often has only an eighth more, which is rarely enough.
        """
        memory = self.memory or 0
        if memory >= MOST_MEMORY:
            return None
        return TaskSize(self.cpu, min(max(2 * memory, 1), MOST_MEMORY), self.disk).rounded()

    def or_else(self, default: TaskSize) -> TaskSize:
        """This size, with the default for each dimension that is not requested."""
        return TaskSize(
            default.cpu if self.cpu is None else self.cpu,
            default.memory if self.memory is None else self.memory,
            default.disk if self.disk is None else self.disk,
        )

    def __str__(self) -> str:
        parts = (
            None if self.cpu is None else f"{self.cpu / UNITS_PER_VCPU:g} vCPU",
            None if self.memory is None else format_memory(self.memory),
            None if self.disk is None else f"{self.disk} GB disk",
        )
        return ", ".join(part for part in parts if part) or "default size"


def largest(sizes: list[TaskSize]) -> TaskSize:
    """The maximum of the sizes in each dimension."""
    return TaskSize(
        max((each.cpu for each in sizes if each.cpu is not None), default=None),
        max((each.memory for each in sizes if each.memory is not None), default=None),
        max((each.disk for each in sizes if each.disk is not None), default=None),
    )


def format_memory(mib: int) -> str:
    """The shortest form that `memory` in a header reads back: `512MB`, `4GB`."""
    return f"{mib}MB" if mib % _MIB_PER_GIB else f"{mib // _MIB_PER_GIB}GB"


def _read_cpu(value: Any) -> int:
    """The CPU units of the smallest task with at least this many vCPUs."""
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    vcpus = float(value) if number else 0.0
    if not vcpus > 0:
        raise ValueError(f"{value!r} is not a number of vCPUs: expected one of {_cpus()}")
    for units in FARGATE:
        if units >= vcpus * UNITS_PER_VCPU:
            return units
    raise ValueError(f"{value} vCPU is larger than any task: {_most()}")


def _read_memory(value: Any) -> int:
    mib = _read_size(value, "2GB")
    if mib > MOST_MEMORY:
        raise ValueError(f"{value} is larger than any task: {_most()}")
    return mib


def _read_disk(value: Any) -> int:
    """GiB, rounded up."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    gib = int(value) if whole else -(-_read_size(value, "50GB") // _MIB_PER_GIB)
    if gib > _MOST_DISK:
        raise ValueError(f"{value} is larger than any task's disk: the most is {_MOST_DISK}GB")
    if gib < _LEAST_DISK:
        raise ValueError(
            f"{value} is less than every task has anyway: remove 'disk', or set "
            f"{_LEAST_DISK}GB to {_MOST_DISK}GB"
        )
    return gib


def _read_size(value: Any, example: str) -> int:
    """MiB, rounded up."""
    return -(-parse_size(value, example) // _MIB)


def _cpus() -> str:
    return ", ".join(f"{units / UNITS_PER_VCPU:g}" for units in FARGATE)


def _most() -> str:
    return f"the most is {MOST_CPU // UNITS_PER_VCPU} vCPU and {format_memory(MOST_MEMORY)}"


def _vcpus(units: int) -> float:
    return units / UNITS_PER_VCPU


def _gigabytes(gib: int) -> str:
    return f"{gib}GB"


Cpu = Annotated[
    int,
    BeforeValidator(_read_cpu),
    PlainSerializer(_vcpus),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 16, "examples": [0.5, 2]}),
]
"""vCPUs in the file, CPU units here."""

Memory = Annotated[
    int,
    BeforeValidator(_read_memory),
    PlainSerializer(format_memory),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["512MB", "4GB"]}),
]
"""`4GB` in the file, MiB here."""

Disk = Annotated[
    int,
    BeforeValidator(_read_disk),
    PlainSerializer(_gigabytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": SIZE_PATTERN},
                {"type": "integer", "minimum": _LEAST_DISK, "maximum": _MOST_DISK},
            ],
            "examples": ["50GB", 50],
        }
    ),
]
"""`50GB` or `50` in the file, GiB here."""

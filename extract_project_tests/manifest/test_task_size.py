"""The size of the ECS task: how it is asked for, and what Fargate gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.task_size import FARGATE, TaskSize, largest
from extract_project.manifest.header.model import Header
from extract_project_tests.support.parsing import header, reasons, valid

CPU_UNITS = st.one_of(st.none(), st.integers(1, 16384))
MEMORY_MIB = st.one_of(st.none(), st.integers(1, 122880))


def asked(yaml: str) -> TaskSize:
    return valid(header(yaml)).header.task_size


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("", TaskSize()),
        ("cpu: 0.25", TaskSize(cpu=256)),
        ("cpu: 3", TaskSize(cpu=4096)),
        ("memory: 512MB", TaskSize(memory=512)),
        ("memory: 4GiB", TaskSize(memory=4096)),
        ("memory: 1.5 gb", TaskSize(memory=1536)),
        ("disk: 50", TaskSize(disk=50)),
        ("disk: 20.5GB", TaskSize(disk=21)),
        ("{cpu: 16, memory: 120GB, disk: 200GB}", TaskSize(16384, 122880, 200)),
    ],
)
def test_what_the_header_asks_for(yaml: str, expected: TaskSize) -> None:
    assert asked(yaml) == expected


@pytest.mark.parametrize(
    ("size", "given"),
    [
        (TaskSize(1024, 9 * 1024), TaskSize(2048, 9 * 1024)),  # memory raises the vCPUs
        (TaskSize(4096, 1024), TaskSize(4096, 8192)),  # vCPUs raise the memory
        (TaskSize(memory=600), TaskSize(256, 1024)),
        (TaskSize(memory=61 * 1024), TaskSize(16384, 64 * 1024)),  # a step of 8 GB there
        (TaskSize(cpu=512), TaskSize(512, 1024)),
        (TaskSize(disk=30), TaskSize(disk=30)),
    ],
)
def test_the_next_size_that_fargate_has(size: TaskSize, given: TaskSize) -> None:
    assert size.rounded() == given


@given(CPU_UNITS, MEMORY_MIB)
def test_every_size_up_to_the_largest_is_rounded_up_to_a_valid_one(
    cpu: int | None, memory: int | None
) -> None:
    found = TaskSize(cpu, memory).rounded()
    if cpu is None and memory is None:
        assert found == TaskSize()
        return
    assert found.cpu is not None
    assert found.memory in FARGATE[found.cpu]
    assert found.cpu >= (cpu or 0)
    assert found.memory >= (memory or 0)
    assert found.rounded() == found


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("cpu: 17", "2:1: 'cpu': 17 vCPU is larger than any task: the most is 16 vCPU and 120GB"),
        ("cpu: 0", "2:1: 'cpu': 0 is not a number of vCPUs: expected one of 0.25, 0.5, 1, 2, 4, 8"),
        ("cpu: .nan", "2:1: 'cpu': .nan is not a plain number"),
        ("cpu: two", "2:1: 'cpu': 'two' is not a number of vCPUs"),
        ("format: csv\nmemory: 121GB", "3:1: 'memory': 121GB is larger than any task"),
        ("memory: 4", "2:1: 'memory': 4 is not a size: expected a number and a unit, as in 2GB"),
        ("memory: 0GB", "2:1: 'memory': '0GB' is not a size"),
        ("disk: 201", "2:1: 'disk': 201 is larger than any task's disk: the most is 200GB"),
        ("disk: 20GB", "2:1: 'disk': 20GB is less than every task has anyway: remove 'disk'"),
        ("disk: true", "2:1: 'disk': True is not a size"),
    ],
)
def test_what_no_task_has_is_a_problem_at_its_line(yaml: str, expected: str) -> None:
    (reason,) = reasons(header(yaml))
    assert reason.startswith(expected)


def test_the_largest_of_several_decides_for_each_dimension() -> None:
    sizes = [TaskSize(4096, 8192), TaskSize(memory=16384, disk=30), TaskSize()]
    assert largest(sizes) == TaskSize(4096, 16384, 30)
    assert largest([TaskSize()]) == TaskSize()


def test_twice_the_memory() -> None:
    assert TaskSize(256, 2048, 30).with_more_memory() == TaskSize(512, 4096, 30)
    assert TaskSize(1024, 2048).with_more_memory() == TaskSize(1024, 4096)
    assert TaskSize(16384, 65536).with_more_memory() == TaskSize(16384, 122880)
    assert TaskSize(16384, 122880).with_more_memory() is None


def test_the_size_is_no_part_of_the_code_version() -> None:
    plain = valid(header("format: csv")).code_version
    assert valid(header("{format: csv, cpu: 2, memory: 9GB, disk: 30}")).code_version == plain


def test_a_header_with_a_size_is_read_back_from_a_snapshot() -> None:
    extract = valid(header("{cpu: 0.5, memory: 1500MB, disk: 30}"))
    assert '"memory":"1500MB"' in extract.model_dump_json()
    assert Extract.model_validate_json(extract.model_dump_json()) == extract
    assert Header().task_size == TaskSize()

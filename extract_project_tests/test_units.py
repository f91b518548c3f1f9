"""Sizes as people write them, read in one way wherever a header has one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from extract_project.manifest.fields.split import Split
from extract_project.manifest.fields.task_size import Memory
from extract_project.units import format_size, parse_size

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("256MB", 256),
        ("1.5GB", 1536),
        (" 2 gib ", 2048),
        ("0.5TB", 512 * 1024),
        ("12.25MiB", 12.25),
    ],
)
def test_one_reading_of_sizes(text: str, mib: float) -> None:
    assert parse_size(text) == mib * MIB
    assert Split.model_validate({"bytes": text}).bytes == mib * MIB
    if 512 <= mib <= 4096:
        assert TypeAdapter(Memory).validate_python(text) == mib


@pytest.mark.parametrize("text", ["256", "MB", "-1MB", "0MB", "1,5GB", "1e3MB", 256, None, "1KB"])
def test_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="expected a number and a unit"):
        parse_size(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Memory).validate_python(text)


@given(st.integers(8 * MIB, 10**14))
def test_what_is_written_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size

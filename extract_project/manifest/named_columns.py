"""Compare the columns that a header names with those of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extract_project.checks.base import CheckSpec
from extract_project.manifest.header.frontmatter import Path
from extract_project.manifest.header.model import Header
from extract_project.problem import suggestion


def missing_columns(header: Header, columns: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Columns that `checks` and `incremental` name but the result lacks: header path, error text.

    As in a run, case matters only if two columns differ in nothing else.
    """
    for index, check in enumerate(header.checks):
        for column in check.named_columns:
            if not _has(columns, column):
                yield (
                    ("checks", index, *_below(check, column)),
                    f"check {check.name!r} names column {column!r}, which the result does not "
                    f"have: {suggestion(column, columns)}",
                )
    if header.incremental and not _has(columns, header.incremental.cursor):
        cursor = header.incremental.cursor
        yield (
            ("incremental", "cursor"),
            f"'incremental' names column {cursor!r} as its cursor, which the result does not "
            f"have: {suggestion(cursor, columns)}",
        )


def _has(columns: Sequence[str], wanted: str) -> bool:
    alike = [column for column in columns if column.casefold() == wanted.casefold()]
    return wanted in columns or len(alike) == 1


def _below(check: CheckSpec, column: str) -> Path:
    """The path below a check to one of its columns."""
    value = getattr(check, check.key)
    if isinstance(value, list):
        return (check.key, value.index(column))
    return (check.key, column) if isinstance(value, dict) else (check.key, "column")

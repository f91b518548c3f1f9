"""The columns that a header names, held against those that the result has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extract_project.checks import CHECK_NAMES
from extract_project.checks.base import CheckSpec
from extract_project.manifest.header.frontmatter import Path
from extract_project.manifest.header.model import Header
from extract_project.problem import suggestion


def missing_columns(header: Header, columns: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """What `checks` and `incremental` name and the result lacks: where in the header, and words.

    Case counts only where two columns differ by nothing else, as it does in a run.
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
    """The keys below a check that lead to one of its columns."""
    kind = next(name for name in CHECK_NAMES if name in type(check).model_fields)
    value = getattr(check, kind)
    if isinstance(value, list):
        return (kind, value.index(column))
    return (kind, column) if isinstance(value, dict) else (kind, "column")

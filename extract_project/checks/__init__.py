"""The checks that a header can ask for.

`Check` is the registry: a new check is one new class that satisfies `base.CheckSpec`, in a module
here, and one more entry of `_CHECKS`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from extract_project.checks.base import CheckSpec
from extract_project.checks.columns import AcceptedValues, Between, MaxNullRatio, NotNull
from extract_project.checks.freshness import Freshness
from extract_project.checks.rows import MaxRows, MinRows
from extract_project.checks.rows_change import RowsChange
from extract_project.checks.sql import SqlCheck
from extract_project.checks.unique import Unique

_CHECKS = {
    "min_rows": MinRows,
    "max_rows": MaxRows,
    "rows_change": RowsChange,
    "unique": Unique,
    "not_null": NotNull,
    "accepted_values": AcceptedValues,
    "between": Between,
    "max_null_ratio": MaxNullRatio,
    "freshness": Freshness,
    "sql": SqlCheck,
}

CHECK_NAMES = tuple(_CHECKS)


def _which(value: Any) -> str | None:
    if isinstance(value, CheckSpec):
        value = type(value).model_fields
    if not isinstance(value, dict):
        return None
    return next((name for name in CHECK_NAMES if name in value), None)


Check = Annotated[
    Annotated[MinRows, Tag("min_rows")]
    | Annotated[MaxRows, Tag("max_rows")]
    | Annotated[RowsChange, Tag("rows_change")]
    | Annotated[Unique, Tag("unique")]
    | Annotated[NotNull, Tag("not_null")]
    | Annotated[AcceptedValues, Tag("accepted_values")]
    | Annotated[Between, Tag("between")]
    | Annotated[MaxNullRatio, Tag("max_null_ratio")]
    | Annotated[Freshness, Tag("freshness")]
    | Annotated[SqlCheck, Tag("sql")],
    Discriminator(
        _which,
        custom_error_type="unknown_check",
        custom_error_message="no such check",
    ),
]

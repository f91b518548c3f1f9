"""The checks that a header can ask for.

`_CHECKS` is the registry: a new check is one new module here, with a class that satisfies
`base.CheckSpec`, and its place in `_CHECKS`.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Tag

from extract_project.checks.base import CheckSpec
from extract_project.checks.columns import AcceptedValues, Between, MaxNullRatio, NotNull
from extract_project.checks.freshness import Freshness
from extract_project.checks.rows import MaxRows, MinRows
from extract_project.checks.rows_change import RowsChange
from extract_project.checks.sql import SqlCheck
from extract_project.checks.unique import Unique

_CHECKS: tuple[type[CheckSpec], ...] = (
    MinRows,
    MaxRows,
    RowsChange,
    Unique,
    NotNull,
    AcceptedValues,
    Between,
    MaxNullRatio,
    Freshness,
    SqlCheck,
)

CHECKS = {each.key: each for each in _CHECKS}


def _which(value: Any) -> str | None:
    if isinstance(value, CheckSpec):
        value = type(value).model_fields
    if not isinstance(value, dict):
        return None
    return next((key for key in CHECKS if key in value), None)


if TYPE_CHECKING:
    Check = CheckSpec
else:  # a union of the classes in the registry, which type checkers cannot evaluate
    Check = Annotated[
        reduce(or_, (Annotated[model, Tag(name)] for name, model in CHECKS.items())),
        Discriminator(
            _which,
            custom_error_type="unknown_check",
            custom_error_message="no such check",
        ),
    ]

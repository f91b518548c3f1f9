"""Names that Dagster restricts.

Its rules are stated here so that a bad name is one red extract with its line, and not an error of
the whole code location (dagster/_core/definitions/utils.py, .../asset_spec.py).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

_GROUP = r"^[A-Za-z0-9_]+$"
_OWNER = (
    r"^(team:[A-Za-z0-9_-]+"
    r"|[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})$"
)
_TAG_KEY = r"^([A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}$"
_TAG_VALUE = r"^[A-Za-z0-9_.-]{0,63}$"
_POOL = r"^\S{1,200}$"

Group = Annotated[str, StringConstraints(pattern=_GROUP)]
Owner = Annotated[str, StringConstraints(pattern=_OWNER)]
TagKey = Annotated[str, StringConstraints(pattern=_TAG_KEY)]
TagValue = Annotated[str, StringConstraints(pattern=_TAG_VALUE)]
Pool = Annotated[str, StringConstraints(pattern=_POOL)]

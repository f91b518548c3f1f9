"""The `:name`s of a query: the names that a header may define, and how to get a missing one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import StringConstraints

from extract_project.manifest.fields.incremental import WATERMARK
from extract_project.manifest.fields.partitions import END, KEY, START
from extract_project.problem import suggestion

ParamName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

RESERVED = frozenset((KEY, START, END, WATERMARK))
"""Names that a header cannot define."""


def explain_unknown(name: str, known: Collection[str]) -> str:
    """The advice for a `:name` without a value; `known` are the names that have one."""
    if name.startswith("partition_") and KEY not in known:
        return "this file has no 'partitions'; add 'partitions: daily' to its header"
    if name == WATERMARK:
        return "this file is not incremental; add 'incremental: {cursor: …}' to its header"
    if name in (START, END) and KEY in known:
        return "a list of partition keys has no time windows; use :partition_key"
    if not known:
        return f"this file has no 'params'; add 'params: {{{name}: …}}' to its header"
    return f"{suggestion(name, known)} (a value comes from 'params' in the header)"

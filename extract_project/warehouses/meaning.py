"""What a warehouse's error code means to whoever reads the failure report."""

from __future__ import annotations

from dataclasses import dataclass

from extract_project.errors import Cause


@dataclass(frozen=True)
class Meaning:
    """The meaning of a code: cause, whether it is transient, and a hint."""

    cause: Cause = Cause.SQL
    transient: bool = False
    hint: str = ""

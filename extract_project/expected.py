"""The expected form of the value of a header key, for error messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Marks the field of a key: an error says `expected` and this form, with an example."""

    form: str

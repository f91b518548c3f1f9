"""A list in one environment variable: its members, separated by commas."""

from __future__ import annotations

from typing import Any


def separated(value: Any) -> Any:
    """The members of a text, without those that are empty; anything else stays as it is."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(",") if each.strip()]
    return value

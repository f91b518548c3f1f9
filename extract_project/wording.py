"""Lists in a sentence: the first of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence


def some(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """`a, b, c and 1,204 more`, or `a; b; and 3 more` with the separator `; `."""
    shown = separator.join(names[:most])
    more = len(names) - most
    joint = " " if separator == ", " else separator
    return f"{shown}{joint}and {more:,} more" if more > 0 else shown

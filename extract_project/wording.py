"""Text for people: lists in a sentence, and what reports of many extracts have in common."""

from __future__ import annotations

from collections.abc import Sequence


def some(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """`a, b, c and 1,204 more`, or `a; b; and 3 more` with the separator `; `."""
    shown = separator.join(names[:most])
    more = len(names) - most
    joint = " " if separator == ", " else separator
    return f"{shown}{joint}and {more:,} more" if more > 0 else shown


def without_place(report: str, extract: str) -> str:
    """A failure report's first line without the place in the extract's own file that it begins
    with, so that the same error of a warehouse is equal for `a.sql:4:3` and `b.sql:9:1`.
    """
    line = next((line for line in report.splitlines() if line.strip()), "")
    place, _, rest = line.partition(" ")
    return rest if rest and place.startswith(extract) else line

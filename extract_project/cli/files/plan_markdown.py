"""A plan as Markdown, for a comment on a pull request.

What comes from SQL files or from a warehouse stands in code, so that it is shown and not rendered:
no link, no mention and no HTML of a file works in the comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from extract_project.visible import lines

MARK = "<!-- extract plan -->"
"""The first line, by which a later run finds its comment."""
_LONGEST = 60_000
"""In characters. GitHub accepts 65,536."""
_LONGEST_DIFF = 200
"""In lines, of one file."""


@dataclass(frozen=True)
class Told:
    """The lines about one extract."""

    change: str
    path: str
    effect: str
    details: Sequence[str]
    breaking: str
    diff: Sequence[str]

    @property
    def is_worth_details(self) -> bool:
        return bool(self.details or self.breaking or self.diff)


def markdown(summary: str, told: Sequence[Told]) -> str:
    """The whole comment; what makes it too long is left out, and that is said."""
    broken = sum(bool(each.breaking) for each in told)
    parts = [MARK, "### Plan of a push", _bold(summary, broken)]
    if told:
        rows = [f"| {each.change} | {_code(each.path)} | {_effect(each)} |" for each in told]
        parts.append("\n".join(["| | extract | what happens |", "|---|---|---|", *rows]))
    sections = [_section(each) for each in told if each.is_worth_details]
    length = sum(map(len, parts))
    if length > _LONGEST:
        return "\n\n".join(
            [*parts[:3], "It is too long to be shown here: `extract plan` has it.", ""]
        )
    for number, section in enumerate(sections):
        length += len(section) + 2
        if length > _LONGEST:
            parts.append(f"Details of {len(sections) - number:,} more: `extract plan` has them.")
            break
        parts.append(section)
    return "\n\n".join(parts) + "\n"


def _bold(summary: str, broken: int) -> str:
    place, _, counts = summary.rpartition(": ")
    breaks = f" · **{broken} BREAKING**" if broken else ""
    return f"{_code(place)}: **{counts}**{breaks}"


def _effect(told: Told) -> str:
    words = "**BREAKING**" if told.breaking else ""
    if told.effect:
        effect = _code(told.effect) if re.search(r"[`|<>@\[\]*_\\]", told.effect) else told.effect
        words += f"{', ' if words else ''}{effect}"
    return words


def _section(told: Told) -> str:
    parts = [f"#### {told.change}: {_code(told.path)}"]
    said = [*([told.breaking] if told.breaking else ()), *told.details]
    if said:
        parts.append(_block("\n".join(said), "text"))
    if told.diff:
        shown = list(told.diff[:_LONGEST_DIFF])
        if len(told.diff) > _LONGEST_DIFF:
            shown.append(f"… {len(told.diff) - _LONGEST_DIFF:,} more lines")
        block = _block("\n".join(shown), "diff")
        parts.append(f"<details><summary>SQL</summary>\n\n{block}\n\n</details>")
    return "\n\n".join(parts)


def _block(text: str, language: str) -> str:
    """A fenced block, with a fence that is longer than any in the text."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines(text)}\n{fence}"


def _code(text: str) -> str:
    """A code span, also in a cell of a table."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if "`" in text else ""
    inner = lines(text).replace("\n", " ").replace("|", "\\|")
    return f"{ticks}{space}{inner}{space}{ticks}"

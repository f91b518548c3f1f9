"""One extract on the page, and the pieces of HTML that say what it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote

from extract_project.operations.part import Part
from extract_project.status.facts import ExtractFacts
from extract_project.status.reason import Reason, State, headline, state_of
from extract_project.status.reasons import reasons
from extract_project.visible import one_line

_SIGNS = {
    State.FAILED: "×",  # noqa: RUF001 - it is a sign, not a letter
    State.REFUSED: "!",
    State.INVALID: "!",
    State.LATE: "◷",
    State.OVERDUE: "◷",
    State.WAITING: "…",
    State.HELD: "…",
    State.RUNNING: "▸",
    State.DISABLED: "○",
    State.FINE: "✓",
}
_TONES = {
    State.FAILED: "bad",
    State.REFUSED: "bad",
    State.INVALID: "bad",
    State.LATE: "late",
    State.OVERDUE: "late",
    State.WAITING: "plain",
    State.HELD: "plain",
    State.RUNNING: "plain",
    State.DISABLED: "plain",
    State.FINE: "good",
}


@dataclass(frozen=True)
class Line:
    """One extract on the page."""

    part: Part
    facts: ExtractFacts
    state: State
    reason: Reason

    @property
    def path(self) -> str:
        return self.facts.extract

    @property
    def url(self) -> str:
        """Of the Dagster that runs it."""
        return self.part.facts.deployment.url.rstrip("/")


def lines_of(part: Part) -> list[Line]:
    """Every extract of a part with its state, in no order."""
    found = []
    for path, extract in part.facts.extracts.items():
        why = reasons(part.facts, path)
        found.append(Line(part, extract, state_of(why), headline(why)))
    return found


def mark(state: State, text: str | None = None) -> str:
    sign = f'<span aria-hidden="true">{_SIGNS[state]}</span>'
    return f'<span class="mark {_TONES[state]}">{sign} {text or state}</span>'


def asset(line: Line) -> str:
    return f'<a href="{escape(f"{line.url}/assets/{quote(line.path)}")}">{safe(line.path)}</a>'


def dagster(part: Part) -> str:
    return f'<a href="{safe(part.facts.deployment.url)}">Dagster</a>'


def time(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def safe(text: str) -> str:
    return escape(one_line(text))

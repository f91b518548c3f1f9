"""What needs attention, worst first: a card for each extract, or one for many with one trouble.

When the warehouse is down, a hundred extracts fail for one reason, and that is one thing to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from extract_project.operations.line import Line, asset, mark, safe
from extract_project.status.reason import Kind, State
from extract_project.status.table import next_start
from extract_project.status.words import ago
from extract_project.status.words import at as words_at
from extract_project.wording import some, without_place

_MOST_CARDS, _MOST_NAMES = 100, 12
_TOGETHER = 3
"""From how many extracts on they share a card."""
_TROUBLES = (
    *(State.FAILED, State.REFUSED, State.INVALID, State.LATE, State.OVERDUE),
    *(State.WAITING, State.HELD),
)
_OF_ALL = {
    Kind.FAILED: "extract failed shows each report; then extract rerun --failed",
    Kind.REFUSED: "extract failed shows what was refused, and how to go on",
}
"""The next step for many extracts, where it is not the same for each."""


def troubles(lines: Sequence[Line], now: datetime, *, several: bool) -> str:
    """The list of cards. `several`: whether the page is about several manifests."""
    bad = [line for line in lines if line.state in _TROUBLES]
    if not bad:
        return "<h2>Needs attention</h2><p>Nothing: no extract has failed, is late or waits.</p>"
    cards = _cards(bad)
    shown = "".join(_card(card, now, several=several) for card in cards[:_MOST_CARDS])
    more = sum(len(card) for card in cards[_MOST_CARDS:])
    rest = f"<p>And {more:,} more: extract status lists all of them.</p>" if more else ""
    return f'<h2>Needs attention</h2><ul class="troubles">{shown}</ul>{rest}'


def _cards(bad: Sequence[Line]) -> list[list[Line]]:
    """The lines of each card, in their order; a card stands where its first line does."""
    alike: dict[object, list[Line]] = {}
    for line in bad:
        alike.setdefault(_trouble(line), []).append(line)
    cards: dict[object, list[Line]] = {}
    for line in bad:
        trouble = _trouble(line)
        together = len(alike[trouble]) >= _TOGETHER
        cards.setdefault(trouble if together else (trouble, id(line)), []).append(line)
    return list(cards.values())


def _trouble(line: Line) -> object:
    """Equal for extracts with the same trouble in one manifest."""
    report = line.facts.attempts[0].report if line.facts.attempts else ""
    of_all = line.reason.kind in _OF_ALL
    return (
        line.part.manifest,
        line.state,
        line.reason.what,
        without_place(report, line.path) if of_all else "",
    )


def _card(lines: Sequence[Line], now: datetime, *, several: bool) -> str:
    return _many(lines, several=several) if len(lines) > 1 else _one(lines[0], now, several=several)


def _one(line: Line, now: datetime, *, several: bool) -> str:
    about = [
        *([", ".join(line.facts.owners)] if line.facts.owners else ()),
        *([line.part.manifest] if several else ()),
        _success(line, now),
        *([_next(line, now)] if line.state is not State.INVALID else ()),
    ]
    return (
        f"<li>{mark(line.state)} {asset(line)}"
        f'<span class="quiet"> · {safe(" · ".join(about))}</span>'
        f"{_why(line, line.reason.remedy)}</li>"
    )


def _many(lines: Sequence[Line], *, several: bool) -> str:
    first = lines[0]
    owners = sorted({owner for line in lines for owner in line.facts.owners})
    about = [*([some(owners)] if owners else ()), *([first.part.manifest] if several else ())]
    quiet = f'<span class="quiet"> · {safe(" · ".join(about))}</span>' if about else ""
    more = len(lines) - _MOST_NAMES
    names = ", ".join(asset(line) for line in lines[:_MOST_NAMES])
    rest = f" and {more:,} more: extract status" if more > 0 else ""
    remedies = {line.reason.remedy for line in lines}
    same = first.reason.remedy if len(remedies) == 1 else "extract status, then extract why EXTRACT"
    return (
        f"<li>{mark(first.state)} <b>{len(lines):,} extracts</b>{quiet}"
        f"{_why(first, _OF_ALL.get(first.reason.kind, same), of='each: ')}"
        f'<p class="names">{names}{rest}</p></li>'
    )


def _why(line: Line, remedy: str, *, of: str = "") -> str:
    told = f'<p class="next">next: {safe(remedy)}</p>' if remedy else ""
    reason = line.reason
    return f'<p>{of}{safe(reason.what)}</p><p class="quiet">{safe(reason.evidence)}</p>{told}'


def _success(line: Line, now: datetime) -> str:
    success = line.facts.success
    if success is None:
        return "never succeeded"
    return f"last success {ago(success.at, now)}"


def _next(line: Line, now: datetime) -> str:
    """When it starts by itself, as `next start Tue 06:00 (in 23 h)`."""
    text = next_start(line.facts, line.part.facts.deployment)
    tick = line.facts.next_tick
    if tick is None or text.startswith("never"):
        return f"next start: {text}"
    return f"next start {words_at(tick, now)}"

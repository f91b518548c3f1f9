"""Compose one message from many alerts: an outage that fails forty extracts is one thing to read.

Alerts are grouped by kind, then by cause, then by the first line of the failure report. Each group
shows a few reports in full and names the extracts, so that the message stays short enough to read,
and below the limits of the channels, however many alerts there are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from extract_project.wording import without_place

SUBJECT_CHARACTERS = 99
"""SNS allows fewer than 100."""
TEXT_BYTES = 200_000
"""SNS allows 256 KiB, including what it adds itself."""
REPORTS = 3
NAMES = 50
INDENT = "    "
"""Starts each line of a report. Other lines do not start with it, except the closing commands."""

_REPORTS_BYTES = 120_000
_DEPLOYMENT_CHARACTERS = 30
_SUBJECT_CAUSES = 8
_REST = f"{INDENT}… the rest of this report: extract failed"
_CUT = "\n\n… the rest does not fit into one message\n\n"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Kind(StrEnum):
    """The kinds of alerts, in the order in which a message lists them."""

    FAILED = "failed"
    REFUSED = "refused"
    RECOVERED = "recovered"
    STALE = "stale"


_TITLES = {
    Kind.FAILED: "failed",
    Kind.REFUSED: "refused by an audit",
    Kind.RECOVERED: "recovered",
    Kind.STALE: "stale",
}
_ORDER = tuple(Kind)


@dataclass(frozen=True)
class Alert:
    """News about one extract, or about one of its partitions."""

    kind: Kind
    extract: str
    partition: str | None
    cause: str
    """A word of a classification, such as `permission` or `warehouse busy`; may be empty."""
    failure_report: str
    """Several lines of plain text; may be empty."""
    run_url: str | None
    run_id: str | None


@dataclass(frozen=True)
class Message:
    """A message for a channel: a subject (one line of ASCII) and plain text."""

    subject: str
    text: str


def compose(
    alerts: Sequence[Alert], deployment: str, commands: Sequence[str] | None = None
) -> Message:
    """One message for all alerts, independent of their order; raises ValueError if there are
    none.

    `commands` are those to run next, where there is no deployment to ask what failed.
    """
    if not alerts:
        raise ValueError("no alerts to compose a message from: expected at least one")
    ordered = sorted(set(alerts), key=_rank)
    kinds = [(kind, list(group)) for kind, group in groupby(ordered, key=lambda each: each.kind)]
    return Message(_subject(kinds, deployment), _text(kinds, commands))


def _rank(alert: Alert) -> tuple[int, tuple[str, ...]]:
    place = (alert.extract, alert.partition or "", alert.run_id or "", alert.run_url or "")
    return _ORDER.index(alert.kind), (*place, alert.cause, alert.failure_report)


def _subject(kinds: Sequence[tuple[Kind, list[Alert]]], deployment: str) -> str:
    """The subject, with as many causes as fit, and the extract's name if there is only one
    alert."""
    alerts = [alert for _, group in kinds for alert in group]
    place = _ascii(deployment)[:_DEPLOYMENT_CHARACTERS].strip()
    ending = f" - {place}" if place else ""
    candidates = [_headline(kinds, shown) for shown in range(_SUBJECT_CAUSES, -1, -1)]
    if len(alerts) == 1:
        candidates.insert(0, f"{candidates[0]}: {_ascii(_name(alerts[0]))}")
    fits = (each + ending for each in candidates if len(each + ending) <= SUBJECT_CHARACTERS)
    return next(fits, (candidates[-1] + ending)[:SUBJECT_CHARACTERS].rstrip())


def _headline(kinds: Sequence[tuple[Kind, list[Alert]]], shown: int) -> str:
    """`3 extracts failed (2 network, 1 sql), 1 recovered`, with the most frequent causes."""
    clauses: list[str] = []
    for kind, alerts in kinds:
        count = len({alert.extract for alert in alerts})
        number = f"{count:,}" if clauses else _extracts(count)
        causes = "" if kind is Kind.RECOVERED else _causes(alerts, shown)
        clauses.append(f"{number} {kind}{causes}")
    return ", ".join(clauses)


def _causes(alerts: Iterable[Alert], shown: int) -> str:
    failing = {(_ascii(alert.cause), alert.extract) for alert in alerts if _ascii(alert.cause)}
    counts = Counter(cause for cause, _ in failing)
    ranked = sorted(counts, key=lambda cause: (-counts[cause], cause))
    if len(ranked) == 1 and shown:
        return f" ({ranked[0]})"
    parts = [f"{counts[cause]:,} {cause}" for cause in ranked[:shown]]
    others = sum(counts[cause] for cause in ranked[shown:])
    if not parts:
        return ""
    return f" ({', '.join(parts + [f'{others:,} other'] * (others > 0))})"


def _text(kinds: Sequence[tuple[Kind, list[Alert]]], commands: Sequence[str] | None = None) -> str:
    groups = [_Group(kind, cause, alerts) for kind, each in kinds for cause, alerts in _split(each)]
    sizes = [_bytes(report) for group in groups for report in group.reports]
    room = iter(_shares(sizes, _REPORTS_BYTES))
    paragraphs = []
    told = None
    for group in groups:
        if group.kind is not told:
            told = group.kind
            everyone = next(alerts for kind, alerts in kinds if kind is told)
            paragraphs.append(f"{_counted(everyone)} {_TITLES[told]}".upper())
        paragraphs += group.paragraphs([next(room) for _ in group.reports])
    ending = _next_step(commands or _commands({kind for kind, _ in kinds}))
    return _cut("\n\n".join(paragraphs), TEXT_BYTES - _bytes(ending) - 2, _CUT) + "\n\n" + ending


def _commands(kinds: set[Kind]) -> list[str]:
    commands = ["extract failed"]
    if kinds != {Kind.RECOVERED}:
        commands.append("extract rerun --failed")
    return commands


def _next_step(commands: Sequence[str]) -> str:
    """The last paragraph of the message: the commands to run next."""
    return "\n".join(["next:", *(INDENT + command for command in commands)])


class _Group:
    """Alerts of one kind and one cause, presented as one or a few outages."""

    def __init__(self, kind: Kind, cause: str, alerts: list[Alert]) -> None:
        self.kind = kind
        self._title = f"{cause}: {_counted(alerts)}" if cause else ""
        outages: dict[str, list[Alert]] = {}
        for alert in alerts:
            reason = _line(without_place(alert.failure_report, alert.extract))
            outages.setdefault(reason, []).append(alert)
        explained = [each for reason, each in _by_size(outages) if reason]
        shown = explained[:REPORTS]
        self.reports = [_indented(each[0].failure_report) for each in shown]
        self._outages = shown
        bare = outages.get("", [])
        self._others = [alert for each in explained[REPORTS:] for alert in each] + bare

    def paragraphs(self, room: Sequence[int]) -> list[str]:
        """Each report, cut to its share of the bytes in `room`, and the extracts that it is
        about."""
        found = [self._title] if self._title else []
        lists = [*self._outages, self._others] if self._others else self._outages
        names = _shares([len(each) for each in lists], NAMES)
        for report, bytes_, alerts, count in zip(self.reports, room, lists, names, strict=False):
            found += [_cut(report, bytes_, f"\n{_REST}"), _names(alerts, count)]
        if self._others:
            heading = "other errors:\n" if self.reports else ""
            found.append(heading + _names(self._others, names[-1]))
        return found


def _split(alerts: Iterable[Alert]) -> list[tuple[str, list[Alert]]]:
    """The groups, one per cause, the most frequent first."""
    causes: dict[str, list[Alert]] = {}
    for alert in alerts:
        causes.setdefault(_line(alert.cause), []).append(alert)
    return _by_size(causes)


def _by_size(groups: dict[str, list[Alert]]) -> list[tuple[str, list[Alert]]]:
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _names(alerts: Sequence[Alert], count: int) -> str:
    lines = [f"- {_line(_name(alert))}{_run(alert)}" for alert in alerts[:count]]
    hidden = len(alerts) - len(lines)
    return "\n".join(lines + [f"- … and {hidden:,} more"] * (hidden > 0))


def _name(alert: Alert) -> str:
    return f"{alert.extract} [{alert.partition}]" if alert.partition else alert.extract


def _run(alert: Alert) -> str:
    if alert.run_url:
        return f": {_line(alert.run_url)}"
    return f": run {_line(alert.run_id)}" if alert.run_id else ""


def _counted(alerts: Sequence[Alert]) -> str:
    """`3 extracts`, with the number of partitions if it is larger."""
    extracts = len({alert.extract for alert in alerts})
    partitions = len({(alert.extract, alert.partition) for alert in alerts})
    more = f" ({partitions:,} partitions)" if partitions > extracts else ""
    return _extracts(extracts) + more


def _extracts(count: int) -> str:
    return f"{count:,} extract" if count == 1 else f"{count:,} extracts"


def _shares(wanted: Sequence[int], total: int) -> list[int]:
    """Share out `total`: each gets what it wants, or, if that is too much, the large ones get
    less."""
    shares = [0] * len(wanted)
    left = len(wanted)
    for index in sorted(range(len(wanted)), key=lambda each: wanted[each]):
        shares[index] = min(wanted[index], total // left)
        total -= shares[index]
        left -= 1
    return shares


def _indented(report: str) -> str:
    lines = [_clean(line).rstrip() for line in report.strip("\r\n").splitlines()]
    return "\n".join(INDENT + line if line else "" for line in lines)


def _cut(text: str, room: int, ending: str) -> str:
    """The lines of `text` that fit into `room` bytes, with the ending if some do not."""
    raw = text.encode()
    if len(raw) <= room:
        return text
    kept = raw[: max(0, room - _bytes(ending))].decode(errors="ignore")
    lines = kept.rpartition("\n")[0] or kept
    return (lines.rstrip() + ending).lstrip("\n")


def _bytes(text: str) -> int:
    return len(text.encode())


def _line(text: str) -> str:
    """The text on one line, without characters that channels cannot carry."""
    return _clean(" ".join(text.split()))


def _clean(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _ascii(text: str) -> str:
    """The text as one line of ASCII: accents are dropped, other characters become question
    marks."""
    plain = unicodedata.normalize("NFKD", _line(text))
    letters = (each for each in plain if not unicodedata.combining(each))
    return "".join(each if each.isascii() else "?" for each in letters)

"""The page as HTML that needs no server: what is wrong first, then a line for each extract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from importlib import resources
from urllib.parse import quote

from extract_project.operations.activity import Activity, Bar, Day
from extract_project.operations.plots import axis, month, timeline
from extract_project.status.facts import DeploymentFacts, ExtractFacts, Facts
from extract_project.status.reason import Reason, State, headline, state_of
from extract_project.status.reasons import reasons
from extract_project.status.words import ago, span
from extract_project.visible import one_line

_MOST_TROUBLES, _MOST_LINES = 100, 500
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
_TROUBLES = (
    *(State.FAILED, State.REFUSED, State.INVALID, State.LATE, State.OVERDUE),
    *(State.WAITING, State.HELD),
)


@dataclass(frozen=True)
class Line:
    """One extract on the page."""

    facts: ExtractFacts
    state: State
    reason: Reason

    @property
    def path(self) -> str:
        return self.facts.extract


def page(facts: Facts, activity: Activity) -> bytes:
    """`operations.html`."""
    lines = lines_of(facts)
    body = "".join(
        [
            _top(facts, lines),
            _deployment(facts.deployment),
            _troubles(facts, lines),
            _day(facts, activity, lines),
        ]
    )
    template = resources.files("extract_project.operations").joinpath("page.html").read_text()
    return template.replace("<!-- body -->", body).encode()


def lines_of(facts: Facts) -> list[Line]:
    """Every extract with its state, the worst first."""
    found = []
    for path, extract in facts.extracts.items():
        why = reasons(facts, path)
        found.append(Line(extract, state_of(why), headline(why)))
    return sorted(found, key=lambda line: (line.state.severity, line.path))


def _top(facts: Facts, lines: Sequence[Line]) -> str:
    counts = Counter(line.state for line in lines)
    chips = "".join(
        f"<li>{_mark(state, f'{counts[state]:,} {state}')}</li>" for state in State if counts[state]
    )
    at = facts.deployment.at
    return (
        f'<h1>Operations</h1><p class="quiet">As of {_time(at)}; times in sentences are '
        f"{at.astimezone().tzname()}. "
        f'<span id="age" data-at="{at.isoformat()}"></span> '
        f'<a href="{_safe(facts.deployment.url)}">Dagster</a> · '
        f'<a href="index.html">Catalogue</a></p><ul class="chips">{chips}</ul>'
    )


def _deployment(found: DeploymentFacts) -> str:
    """Return the problems of the deployment as a whole."""
    told = [
        f"The daemon's thread {daemon.name} "
        + (
            f"was last heard of {ago(daemon.last_heartbeat, found.at)}"
            if daemon.last_heartbeat
            else "was never heard of"
        )
        + ": nothing starts. Start the daemon again."
        for daemon in found.silent_daemons
    ]
    if found.manifest.refused:
        told.append(f"The newest manifest does not load: {found.manifest.refused}")
    told += [f"The {each.kind} {each.name} is switched off." for each in found.switched_off]
    limit = f" of at most {found.most_running}" if found.most_running else ""
    full = [f"pool {name}: {p.claimed} of {p.limit}" for name, p in found.pools.items() if p.full]
    load = f"{found.running}{limit} runs are running, {found.queued} wait in the queue"
    load += f"; full: {', '.join(full)}" if full else ""
    items = "".join(f"<li>{_safe(each)}</li>" for each in told)
    warning = f'<ul class="warning" role="alert">{items}</ul>' if items else ""
    return f'{warning}<p class="quiet">{_safe(load)}.</p>'


def _troubles(facts: Facts, lines: Sequence[Line]) -> str:
    bad = [line for line in lines if line.state in _TROUBLES]
    if not bad:
        return "<h2>Needs attention</h2><p>Nothing: no extract has failed, is late or waits.</p>"
    items = "".join(_trouble(facts, line) for line in bad[:_MOST_TROUBLES])
    more = len(bad) - _MOST_TROUBLES
    rest = f"<p>And {more:,} more: extract status lists all of them.</p>" if more > 0 else ""
    return f'<h2>Needs attention</h2><ul class="troubles">{items}</ul>{rest}'


def _trouble(facts: Facts, line: Line) -> str:
    remedy = f'<p class="next">next: {_safe(line.reason.remedy)}</p>' if line.reason.remedy else ""
    owners = f" · {_safe(', '.join(line.facts.owners))}" if line.facts.owners else ""
    return (
        f"<li>{_mark(line.state)} {_asset(facts, line)}"
        f'<span class="quiet">{owners} · {_success(line, facts.deployment.at)}</span>'
        f"<p>{_safe(line.reason.what)}</p>"
        f'<p class="quiet">{_safe(line.reason.evidence)}</p>{remedy}</li>'
    )


def _success(line: Line, now: datetime) -> str:
    success = line.facts.success
    return f"last success {ago(success.at, now)}" if success else "never succeeded"


def _day(facts: Facts, activity: Activity, lines: Sequence[Line]) -> str:
    now = facts.deployment.at
    shown = lines[:_MOST_LINES]
    more = len(lines) - len(shown)
    rest = f"<p>And {more:,} more, all of them in a better state.</p>" if more > 0 else ""
    rows = "".join(
        _row(facts, line, activity.bars.get(line.path, {}), activity.days.get(line.path, {}))
        for line in shown
    )
    return (
        "<h2>The last 24 hours</h2>"
        f'<p class="legend">{"".join(_legend())}</p>'
        '<div class="lines"><div class="line head"><div>Extract</div>'
        f'<div class="hours">{axis(now)}</div><div>Duration, 30 days</div>'
        f"<div>Rows, 30 days</div></div>{rows}</div>{rest}"
    )


def _legend() -> Iterator[str]:
    for name, form, sign in (
        ("succeeded", "succeeded", ""),
        ("failed", "failed", "×"),  # noqa: RUF001
        ("refused by a check", "refused", "!"),
        ("running", "running", ""),
        ("queued", "queued", ""),
        ("cancelled", "cancelled", ""),
    ):
        height = 3 if form == "queued" else 14 if sign else 8
        text = (
            f'<text class="sign" x="10" y="12" text-anchor="middle">{sign}</text>' if sign else ""
        )
        yield (
            f'<span><svg width="20" height="16"><rect class="{form}" x="2" width="16" '
            f'y="{(16 - height) / 2}" height="{height}" rx="1"/>{text}</svg> {name}</span> '
        )


def _row(facts: Facts, line: Line, bars: Mapping[str, Bar], days: Mapping[date, Day]) -> str:
    at = facts.deployment.at
    last = days[max(days)] if days else None
    seconds = span(last.seconds) if last else ""
    rows = f"{last.rows:,}" if last else ""
    today = at.date()
    return (
        f'<div class="line"><div class="name">{_mark(line.state)} {_asset(facts, line)}</div>'
        f"<div>{timeline(bars.values(), at, _runs(facts))}</div>"
        f"<div>{month(days, today, 'seconds', seconds, 'seconds')} {seconds}</div>"
        f"<div>{month(days, today, 'rows', rows, 'rows')} {rows}</div></div>"
    )


def _mark(state: State, text: str | None = None) -> str:
    sign = f'<span aria-hidden="true">{_SIGNS[state]}</span>'
    return f'<span class="mark {_TONES[state]}">{sign} {text or state}</span>'


def _asset(facts: Facts, line: Line) -> str:
    url = f"{facts.deployment.url.rstrip('/')}/assets/{quote(line.path)}"
    return f'<a href="{escape(url)}">{_safe(line.path)}</a>'


def _runs(facts: Facts) -> str:
    return f"{facts.deployment.url.rstrip('/')}/runs"


def _time(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def _safe(text: str) -> str:
    return escape(one_line(text))

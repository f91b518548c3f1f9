"""The page as HTML that needs no server: what is wrong first, then a line for each extract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib import resources
from urllib.parse import quote

from extract_project.operations.part import Part
from extract_project.operations.plots import axis, month, timeline
from extract_project.outcome import Outcome
from extract_project.status.facts import ExtractFacts
from extract_project.status.reason import Reason, State, headline, state_of
from extract_project.status.reasons import reasons
from extract_project.status.table import next_start
from extract_project.status.words import ago, is_slow, span
from extract_project.status.words import at as words_at
from extract_project.visible import one_line
from extract_project.wording import some

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


def page(parts: Sequence[Part]) -> bytes:
    """`operations.html`, of the manifests whose extracts are published in one place."""
    lines = sorted(
        (line for part in parts for line in lines_of(part)),
        key=lambda line: (line.state.severity, line.path, line.part.manifest),
    )
    several = len(parts) != 1
    now = max((part.facts.deployment.at for part in parts), default=datetime.now(UTC))
    body = "".join(
        [
            _top(parts, lines, now),
            _warnings(parts, now, several=several),
            _loads(parts, several=several),
            _troubles(lines, now, several=several),
            _day(lines, now),
        ]
    )
    template = resources.files("extract_project.operations").joinpath("page.html").read_text()
    return template.replace("<!-- body -->", body).encode()


def lines_of(part: Part) -> list[Line]:
    """Every extract of a part with its state, in no order."""
    found = []
    for path, extract in part.facts.extracts.items():
        why = reasons(part.facts, path)
        found.append(Line(part, extract, state_of(why), headline(why)))
    return found


def _top(parts: Sequence[Part], lines: Sequence[Line], now: datetime) -> str:
    counts = Counter(line.state for line in lines)
    chips = "".join(
        f"<li>{_mark(state, f'{counts[state]:,} {state}')}</li>" for state in State if counts[state]
    )
    dagster = f"{_dagster(parts[0])} · " if len(parts) == 1 else ""
    return (
        f'<p id="age" role="alert" data-at="{now.isoformat()}"></p>'
        f'<h1>Operations</h1><p class="quiet">As of {_time(now)}; times in sentences are '
        f"{now.astimezone().tzname()}. "
        f'{dagster}<a href="index.html">Catalogue</a></p><ul class="chips">{chips}</ul>'
    )


def _warnings(parts: Sequence[Part], now: datetime, *, several: bool) -> str:
    """Return the problems of each deployment as a whole."""
    told = [
        f"{part.manifest}: {each}" if several else each
        for part in parts
        for each in _warnings_of(part, now)
    ]
    items = "".join(f"<li>{_safe(each)}</li>" for each in told)
    return f'<ul class="warning" role="alert">{items}</ul>' if items else ""


def _warnings_of(part: Part, now: datetime) -> Iterator[str]:
    found = part.facts.deployment
    if part.is_old(now):
        yield (
            f"What is shown is {span(now - found.at)} old: its sensor operations does not run. "
            f"Once nothing publishes its extracts any more: "
            f"extract operations --forget {part.manifest}"
        )
    for daemon in found.silent_daemons:
        heard = daemon.last_heartbeat
        since = f"was last heard of {ago(heard, found.at)}" if heard else "was never heard of"
        yield (
            f"The daemon's thread {daemon.name} {since}: nothing starts. Start the daemon again: "
            f"dagster-daemon run, or its service on ECS."
        )
    if found.manifest.refused:
        yield f"The newest manifest does not load: {found.manifest.refused}"
    for each in found.switched_off:
        started = [path for path, e in part.facts.extracts.items() if e.starter == each.name]
        effect = f": it starts {some(started)}" if started else ""
        yield (
            f"The {each.kind} {each.name} is switched off{effect}. Switch it on: Automation → "
            f"{each.name} in Dagster."
        )


def _loads(parts: Sequence[Part], *, several: bool) -> str:
    """Say how busy each deployment is; of several, name the manifest and link to Dagster."""
    if not several:
        return f'<p class="quiet">{_safe(_load(parts[0]))}.</p>'
    items = "".join(
        f"<li>{_safe(part.manifest)} · {len(part.facts.extracts):,} extracts · "
        f"{_safe(_load(part))} · as of {_time(part.facts.deployment.at)} · {_dagster(part)}</li>"
        for part in parts
    )
    return f'<ul class="quiet parts">{items}</ul>'


def _load(part: Part) -> str:
    found = part.facts.deployment
    limit = f" of at most {found.most_running}" if found.most_running else ""
    full = [f"pool {name}: {p.claimed} of {p.limit}" for name, p in found.pools.items() if p.full]
    load = f"{found.running}{limit} runs are running, {found.queued} wait in the queue"
    return f"{load}; full: {', '.join(full)}" if full else load


def _troubles(lines: Sequence[Line], now: datetime, *, several: bool) -> str:
    bad = [line for line in lines if line.state in _TROUBLES]
    if not bad:
        return "<h2>Needs attention</h2><p>Nothing: no extract has failed, is late or waits.</p>"
    items = "".join(_trouble(line, now, several=several) for line in bad[:_MOST_TROUBLES])
    more = len(bad) - _MOST_TROUBLES
    rest = f"<p>And {more:,} more: extract status lists all of them.</p>" if more > 0 else ""
    return f'<h2>Needs attention</h2><ul class="troubles">{items}</ul>{rest}'


def _trouble(line: Line, now: datetime, *, several: bool) -> str:
    remedy = f'<p class="next">next: {_safe(line.reason.remedy)}</p>' if line.reason.remedy else ""
    about = [
        *([", ".join(line.facts.owners)] if line.facts.owners else ()),
        *([line.part.manifest] if several else ()),
        _success(line, now),
        *([_next(line, now)] if line.state is not State.INVALID else ()),
    ]
    return (
        f"<li>{_mark(line.state)} {_asset(line)}"
        f'<span class="quiet"> · {_safe(" · ".join(about))}</span>'
        f"<p>{_safe(line.reason.what)}</p>"
        f'<p class="quiet">{_safe(line.reason.evidence)}</p>{remedy}</li>'
    )


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


def _day(lines: Sequence[Line], now: datetime) -> str:
    shown = lines[:_MOST_LINES]
    more = len(lines) - len(shown)
    rest = f"<p>And {more:,} more, all of them in a better state.</p>" if more > 0 else ""
    return (
        '<h2>The last 24 hours<span id="zone" class="quiet"></span></h2>'
        f'<p class="legend">{"".join(_legend())}</p>'
        '<div class="lines"><div class="line head"><div>Extract</div>'
        f'<div class="hours">{axis(now)}</div><div>Duration, 30 days</div>'
        f"<div>Rows, 30 days</div></div>{''.join(_row(line, now) for line in shown)}</div>{rest}"
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
            f'<span><svg width="20" height="16"><rect class="{form} badge" x="2" width="16" '
            f'y="{(16 - height) / 2}" height="{height}" rx="1"/>{text}</svg> {name}</span> '
        )


def _row(line: Line, now: datetime) -> str:
    activity, success = line.part.activity, line.facts.success
    bars, days = activity.bars.get(line.path, {}), activity.days.get(line.path, {})
    last = days[max(days)] if days else None
    seconds = span(last.seconds) if last else ""
    rows = f"{last.rows:,}" if last else ""
    usual = success.usual_seconds if success else None
    change = success.rows_change if success else None
    today = now.date()
    return (
        f'<div class="line"><div class="name">{_mark(line.state)} {_asset(line)}'
        f"{_since(line, now)}</div>"
        f"<div>{timeline(bars.values(), now, f'{line.url}/runs')}</div>"
        f"<div>{month(days, today, 'seconds', seconds, 'seconds')} {seconds}"
        f"{_note(f'usually {span(usual)}') if usual is not None else ''}</div>"
        f"<div>{month(days, today, 'rows', rows, 'rows')} {rows}"
        f"{_note(f'{change:+,} at the last run') if change is not None else ''}</div></div>"
    )


def _since(line: Line, now: datetime) -> str:
    """How long it has been running, against what is usual."""
    running = [each for each in line.facts.attempts if each.outcome is Outcome.RUNNING]
    if not running:
        return ""
    success = line.facts.success
    usual = success.usual_seconds or success.seconds if success else None
    took = now - running[0].at
    against = f"; usually {span(usual)}" if usual is not None else ""
    over = usual is not None and is_slow(took.total_seconds(), usual)
    return _note(f"running for {span(took)}{against}", over=over)


def _note(text: str, *, over: bool = False) -> str:
    return f'<span class="row-note{" over" if over else ""}">{_safe(text)}</span>'


def _mark(state: State, text: str | None = None) -> str:
    sign = f'<span aria-hidden="true">{_SIGNS[state]}</span>'
    return f'<span class="mark {_TONES[state]}">{sign} {text or state}</span>'


def _asset(line: Line) -> str:
    return f'<a href="{escape(f"{line.url}/assets/{quote(line.path)}")}">{_safe(line.path)}</a>'


def _dagster(part: Part) -> str:
    return f'<a href="{_safe(part.facts.deployment.url)}">Dagster</a>'


def _time(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def _safe(text: str) -> str:
    return escape(one_line(text))

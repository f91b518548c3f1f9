"""The page as HTML that needs no server: what is wrong first, then a line for each extract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources

from extract_project.operations.line import Line, asset, dagster, lines_of, mark, safe, time
from extract_project.operations.part import Part
from extract_project.operations.plots import axis, month, timeline
from extract_project.operations.troubles import troubles
from extract_project.outcome import Outcome
from extract_project.status.reason import State
from extract_project.status.words import ago, is_slow, span
from extract_project.wording import some

_MOST_LINES = 500
_MOST_FINE = 30
"""More lines than these of extracts that are fine are folded away."""


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
            troubles(lines, now, several=several),
            _day(lines, now),
        ]
    )
    template = resources.files("extract_project.operations").joinpath("page.html").read_text()
    return template.replace("<!-- body -->", body).encode()


def _top(parts: Sequence[Part], lines: Sequence[Line], now: datetime) -> str:
    counts = Counter(line.state for line in lines)
    chips = "".join(
        f"<li>{mark(state, f'{counts[state]:,} {state}')}</li>" for state in State if counts[state]
    )
    link = f"{dagster(parts[0])} · " if len(parts) == 1 else ""
    return (
        f'<p id="age" role="alert" data-at="{now.isoformat()}"></p>'
        f'<h1>Operations</h1><p class="quiet">As of {time(now)}; times in sentences are '
        f"{now.astimezone().tzname()}. "
        f'{link}<a href="index.html">Catalogue</a></p><ul class="chips">{chips}</ul>'
    )


def _warnings(parts: Sequence[Part], now: datetime, *, several: bool) -> str:
    """Return the problems of each deployment as a whole."""
    told = [
        f"{part.manifest}: {each}" if several else each
        for part in parts
        for each in _warnings_of(part, now)
    ]
    items = "".join(f"<li>{safe(each)}</li>" for each in told)
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
        return f'<p class="quiet">{safe(_load(parts[0]))}.</p>'
    items = "".join(
        f"<li>{safe(part.manifest)} · {len(part.facts.extracts):,} extracts · "
        f"{safe(_load(part))} · as of {time(part.facts.deployment.at)} · {dagster(part)}</li>"
        for part in parts
    )
    return f'<ul class="quiet parts">{items}</ul>'


def _load(part: Part) -> str:
    found = part.facts.deployment
    limit = f" of at most {found.most_running}" if found.most_running else ""
    full = [f"pool {name}: {p.claimed} of {p.limit}" for name, p in found.pools.items() if p.full]
    load = f"{found.running}{limit} runs are running, {found.queued} wait in the queue"
    return f"{load}; full: {', '.join(full)}" if full else load


def _day(lines: Sequence[Line], now: datetime) -> str:
    shown = lines[:_MOST_LINES]
    more = len(lines) - len(shown)
    rest = f"<p>And {more:,} more, all of them in a better state.</p>" if more > 0 else ""
    others = [line for line in shown if line.state is not State.FINE]
    fine = [line for line in shown if line.state is State.FINE]
    folded = "" if len(fine) > _MOST_FINE else " open"
    return (
        '<h2>The last 24 hours<span id="zone" class="quiet"></span></h2>'
        f'<p class="legend">{"".join(_legend())}</p>'
        '<div class="lines"><div class="line head"><div>Extract</div>'
        f'<div class="hours">{axis(now)}</div><div>Duration, 30 days</div>'
        f"<div>Rows, 30 days</div></div>{_rows(others, now)}"
        f"<details{folded}><summary>{len(fine):,} fine</summary>{_rows(fine, now)}</details>"
        f"</div>{rest}"
    )


def _rows(lines: Sequence[Line], now: datetime) -> str:
    return "".join(_row(line, now) for line in lines)


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
    change = success.rows_change if success else None
    today = now.date()
    return (
        f'<div class="line"><div class="name">{mark(line.state)} {asset(line)}'
        f"{_since(line, now)}</div>"
        f"<div>{timeline(bars.values(), now, f'{line.url}/runs')}</div>"
        f"<div>{month(days, today, 'seconds', seconds, 'seconds')} {seconds}"
        f"{_usual(line)}</div>"
        f"<div>{month(days, today, 'rows', rows, 'rows')} {rows}"
        f"{_note(f'{change:+,} at the last run') if change is not None else ''}</div></div>"
    )


def _usual(line: Line) -> str:
    """How long it usually takes, and whether the last success took much longer."""
    success = line.facts.success
    if success is None or success.usual_seconds is None:
        return ""
    usual = success.usual_seconds
    slow = success.seconds is not None and is_slow(success.seconds, usual)
    return _note(f"{'slow: ' if slow else ''}usually {span(usual)}", over=slow)


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
    return f'<span class="row-note{" over" if over else ""}">{safe(text)}</span>'

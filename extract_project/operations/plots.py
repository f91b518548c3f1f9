"""Pictures as SVG in the page: the runs of a day on a line, and a month as a small plot.

An outcome has a form of its own besides its colour, so that it is read without colours, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from html import escape

from extract_project.operations.activity import DAYS, HOURS, Bar, Day
from extract_project.outcome import Outcome
from extract_project.status.words import span
from extract_project.visible import one_line

HEIGHT = 24
"""Of the line of a day, in pixels."""
_WIDTH, _TALL = 120, 28
"""Of a small plot, in pixels."""
_AFTER = timedelta(minutes=25)
"""How far a line goes beyond now, so that the sign of the newest run is whole."""
_FORMS = {  # top and height, in pixels
    Outcome.SUCCEEDED: (8, 8),
    Outcome.REFUSED: (2, 20),
    Outcome.FAILED: (2, 20),
    Outcome.CANCELLED: (8, 8),
    Outcome.RUNNING: (8, 8),
    Outcome.QUEUED: (11, 2),
}
_SIGNS = {Outcome.REFUSED: "!", Outcome.FAILED: "×"}  # noqa: RUF001 - it is a sign, not a letter


def timeline(bars: Iterable[Bar], now: datetime, runs_url: str) -> str:
    """The runs of the 24 hours before `now`, each a link to its page."""
    start = now - HOURS
    drawn = [f'<line class="hour" x1="{x}%" x2="{x}%" y1="0" y2="{HEIGHT}"/>' for x in _hours(now)]
    x = f"{_percent(HOURS):.2f}%"
    drawn.append(f'<line class="now" x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}"/>')
    for bar in sorted(bars, key=lambda each: (each.outcome in _SIGNS, each.start)):
        end = bar.end or now
        if end <= start or bar.start >= now:
            continue
        left = _percent(max(bar.start, start) - start)
        width = max(_percent(min(end, now) - start) - left, 0.1)
        top, height = _FORMS[bar.outcome]
        form = (
            f'<rect class="{bar.outcome}" x="{left:.2f}%" width="{width:.2f}%" '
            f'y="{top}" height="{height}" rx="1"/>'
        )
        if bar.outcome in _SIGNS:
            form += (
                f'<text class="sign" x="{left + width / 2:.2f}%" y="16" '
                f'text-anchor="middle">{_SIGNS[bar.outcome]}</text>'
            )
        url = escape(f"{runs_url}/{bar.run_id}")
        drawn.append(f'<a href="{url}"><title>{escape(told(bar, now))}</title>{form}</a>')
    return f'<svg class="day" role="img" aria-label="runs">{"".join(drawn)}</svg>'


def told(bar: Bar, now: datetime) -> str:
    """A run in words: `failed (sql), 06:00 to 06:02 UTC, 2 min`."""
    cause = f" ({bar.cause})" if bar.cause else ""
    of = f" {one_line(bar.partition)}" if bar.partition else ""
    took = span((bar.end or now) - bar.start)
    until = f"to {bar.end:%H:%M:%S}" if bar.end else "until now"
    return f"{bar.outcome}{cause}{of}, {bar.start:%H:%M:%S} {until} UTC, {took}"


def month(days: Mapping[date, Day], today: date, field: str, shown: str, unit: str) -> str:
    """The 30 days before `today` as a small plot of one field of `Day`, with its last value."""
    values = [
        (DAYS.days - 1 - (today - day).days, getattr(each, field)) for day, each in days.items()
    ]
    points = sorted((x, float(value)) for x, value in values if 0 <= x < DAYS.days)
    if not points:
        return '<span class="quiet">–</span>'  # noqa: RUF001 - a dash stands for nothing
    highest = max(value for _, value in points) or 1.0
    step = _WIDTH / DAYS.days
    drawn = "".join(_stick(x * step, value / highest, step) for x, value in points)
    words = f"{unit} over 30 days: last {shown}, highest {highest:,.4g}, {len(points)} days"
    return (
        f'<svg class="month" role="img" width="{_WIDTH}" height="{_TALL}" '
        f'viewBox="0 0 {_WIDTH} {_TALL}"><title>{escape(words)}</title>'
        f'<line class="ground" x1="0" x2="{_WIDTH}" y1="{_TALL - 0.5}" y2="{_TALL - 0.5}"/>'
        f"{drawn}</svg>"
    )


def _stick(x: float, share: float, step: float) -> str:
    height = max(share * (_TALL - 3), 1.0)
    return (
        f'<rect x="{x + 0.5:.1f}" y="{_TALL - 1 - height:.1f}" width="{step - 1:.1f}" '
        f'height="{height:.1f}"/>'
    )


def axis(now: datetime) -> str:
    """The hours above the lines, as `<time>`, which the page shows in the reader's zone."""
    marks = []
    for x, hour in zip(_hours(now), _whole_hours(now), strict=True):
        marks.append(
            f'<time style="left:{x}%" datetime="{hour.isoformat()}" data-form="hour">'
            f"{hour:%H:%M}</time>"
        )
    return "".join(marks)


def _hours(now: datetime) -> Sequence[float]:
    return [round(_percent(hour - (now - HOURS)), 2) for hour in _whole_hours(now)]


def _whole_hours(now: datetime) -> Sequence[datetime]:
    """Every third hour of the 24 before now."""
    latest = now.replace(minute=0, second=0, microsecond=0)
    latest -= timedelta(hours=latest.hour % 3)
    hours = [latest - timedelta(hours=3 * number) for number in range(8)]
    return [each for each in reversed(hours) if now - HOURS + timedelta(minutes=20) < each]


def _percent(distance: timedelta) -> float:
    return distance / (HOURS + _AFTER) * 100

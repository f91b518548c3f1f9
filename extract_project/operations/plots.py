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
_LATELY, _LATELY_FROM = timedelta(hours=2), 58.0
"""The last two hours, which matter most, begin at this percentage of the line."""
_NOW_AT = 98.0
"""Where now is on the line, in percent, so that the sign of the newest run is whole."""
_SHORTEST = 0.35
"""The width of the shortest run, in percent of the line."""
_SIGN = 14
"""The width and height of a sign, in pixels."""
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
    drawn = [
        f'<rect class="lately" x="{_LATELY_FROM}%" width="{100 - _LATELY_FROM}%" '
        f'y="0" height="{HEIGHT}"/>',
        *(
            f'<line class="hour" x1="{x}%" x2="{x}%" y1="0" y2="{HEIGHT}"/>'
            for x in (_place(mark, now) for mark in _marks(now))
        ),
        f'<line class="now" x1="{_NOW_AT}%" x2="{_NOW_AT}%" y1="0" y2="{HEIGHT}"/>',
    ]
    for bar in sorted(bars, key=lambda each: (each.outcome in _SIGNS, each.start)):
        end = bar.end or now
        if end <= now - HOURS or bar.start >= now:
            continue
        left = _place(bar.start, now)
        width = max(_place(end, now) - left, _SHORTEST)
        top, height = _FORMS[bar.outcome]
        form = (
            f'<rect class="{bar.outcome}" x="{left}%" width="{width:.2f}%" '
            f'y="{top}" height="{height}" rx="1"/>'
        )
        if bar.outcome in _SIGNS:
            form += _sign(bar.outcome, left + width)
        url = escape(f"{runs_url}/{bar.run_id}")
        drawn.append(f'<a href="{url}"><title>{escape(told(bar, now))}</title>{form}</a>')
    return f'<svg class="day" role="img" aria-label="runs">{"".join(drawn)}</svg>'


def _sign(outcome: Outcome, at: float) -> str:
    """The sign of an outcome at the end of its run: as large as in the legend, however short."""
    half, top = _SIGN / 2, (HEIGHT - _SIGN) / 2
    sign = _SIGNS[outcome]
    return (
        f'<svg x="{at:.2f}%" y="{top}" overflow="visible">'
        f'<rect class="{outcome} badge" x="-{half}" width="{_SIGN}" height="{_SIGN}" rx="2"/>'
        f'<text class="sign" x="0" y="{half + 4}" text-anchor="middle">{sign}</text></svg>'
    )


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
    """The times above the lines, as `<time>`, which the page shows in the reader's zone."""
    marks = [
        f'<time style="left:{_place(mark, now)}%" datetime="{mark.isoformat()}" data-form="hour">'
        f"{mark:%H:%M}</time>"
        for mark in _marks(now)
    ]
    return "".join(marks)


def _marks(now: datetime) -> Sequence[datetime]:
    """Every fourth hour of the day before now, and every half hour of the last two."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [hour - timedelta(hours=back) for back in range(24)]
    far = [
        each
        for each in hours
        if each.hour % 4 == 0
        and now - HOURS + timedelta(hours=1) < each < now - _LATELY - timedelta(hours=1)
    ]
    halves = [hour + timedelta(minutes=30 * step) for step in range(-4, 2)]
    near = [each for each in halves if now - _LATELY <= each <= now - timedelta(minutes=8)]
    return [*reversed(far), *near]


def _place(moment: datetime, now: datetime) -> float:
    """Where a moment of the last 24 hours is on the line, in percent of its width."""
    back = min(max(now - moment, timedelta()), HOURS)
    if back <= _LATELY:
        place = _NOW_AT - back / _LATELY * (_NOW_AT - _LATELY_FROM)
    else:
        place = (HOURS - back) / (HOURS - _LATELY) * _LATELY_FROM
    return round(place, 2)

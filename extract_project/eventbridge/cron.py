"""A cron of five fields as EventBridge Scheduler writes it.

It has a sixth field for the year, names days of the week from Sunday = 1, and one of its two fields
for days has to be `?`. So each field is written anew, from the values that it stands for.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
_DAY_NUMBERS = {name: number for number, name in enumerate(_DAYS)}
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
_WEEK = 7
_LONGEST = 256
"""In characters."""
_FEW = 3
"""Values from which a range is shorter than a list."""


def expression(cron: str) -> str:
    """`0 6 * * 1-5` as `cron(0 6 ? * MON-FRI *)`.

    Raises ValueError that says how else to write a cron that has no such form.
    """
    minute, hour, day, month, weekday = cron.split()
    if day != "*" and weekday != "*":
        raise ValueError(
            f"{cron!r} names days of the month and of the week, which EventBridge Scheduler cannot "
            f"have in one schedule: write two, as in "
            f"schedule: ['{minute} {hour} {day} {month} *', '{minute} {hour} * {month} {weekday}']"
        )
    days = [each % _WEEK for each in _values(weekday, 0, 6, _DAY_NUMBERS)]
    fields = (
        _field(_values(minute, 0, 59), 0, 59),
        _field(_values(hour, 0, 23), 0, 23),
        "?" if weekday != "*" else _field(_values(day, 1, 31), 1, 31),
        _field(_values(month, 1, 12, _MONTH_NUMBERS), 1, 12),
        "?" if weekday == "*" else _field(days, 0, 6, _DAYS),
        "*",
    )
    written = f"cron({' '.join(fields)})"
    if len(written) > _LONGEST:
        raise ValueError(
            f"{cron!r} has {len(written)} characters as EventBridge Scheduler writes it, and "
            f"{_LONGEST} is the most: write fewer times, or several crons as a list"
        )
    return written


def _values(
    field: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> Sequence[int]:
    """The values that a field of a valid cron stands for, as Dagster understands it."""

    def number(text: str) -> int:
        return (names or {}).get(text.upper(), -1) if text.isalpha() else int(text)

    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        if dash and first == last:
            raise ValueError(
                f"{span!r} is a range of one value, which means all of them to Dagster: write "
                f"{first}, or *"
            )
        begin = low if first == "*" else number(first)
        if step and not dash and begin >= high:
            raise ValueError(
                f"{item!r} has no value after {first}, which means all of them to Dagster: write "
                f"{first}, or *"
            )
        end = number(last) if dash else high if step or first == "*" else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return sorted(found)


def _field(values: Sequence[int], low: int, high: int, names: Sequence[str] = ()) -> str:
    found = sorted(set(values))
    if found == list(range(low, high + 1)):
        return "*"
    shown = [names[each] if names else str(each) for each in found]
    if len(found) >= _FEW and found == list(range(found[0], found[-1] + 1)):
        return f"{shown[0]}-{shown[-1]}"
    return ",".join(shown)

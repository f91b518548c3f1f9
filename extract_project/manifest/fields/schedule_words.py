"""Schedules in words: `every 15 minutes`, `weekdays at 06:00 and 18:00`."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

from extract_project.problem import suggestion

EXAMPLES = "every 15 minutes, hourly, daily at 06:00, weekdays at 06:00 and 18:00"

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAYS = {
    "daily": "* * *",
    "weekdays": "* * 1-5",
    "weekends": "* * 0,6",
    "monthly": "1 * *",
    **{f"{day}s": f"* * {number}" for number, day in enumerate(_WEEKDAYS)},
}
_UNITS = {"minute": 60, "hour": 24}
_EVERY = re.compile(r"every (?:(\d{1,4}) )?(minute|hour)s?")
_HOURLY = re.compile(r"hourly(?: at :([0-5]\d))?")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_AND = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+")
_DIFFERENT = 1_000
"""Thousands of extracts have some dozens of schedules, which are asked for again and again."""
_WORDS = ("every", "minutes", "hours", "hourly", "at", "and", *_DAYS)


@lru_cache(_DIFFERENT)
def crons_of(text: str) -> tuple[str, ...] | None:
    """The crons for a schedule in words; None if the text is not in words.

    Raises ValueError with a suggestion for unknown words.
    """
    words = " ".join(text.lower().split())
    if words.startswith("@"):
        if words not in _NICKNAMES:
            raise ValueError(f"unknown schedule {text!r}: {suggestion(words, _NICKNAMES)}")
        return (_NICKNAMES[words],)
    if not re.match(r"[a-z]{4,}", words) or words == "on_source_change":
        return None
    every, hourly = _EVERY.fullmatch(words), _HOURLY.fullmatch(words)
    if every:
        return (_every(int(every[1] or 1), every[2]),)
    if hourly:
        return (f"{int(hourly[1] or 0)} * * * *",)
    days, at, times = words.partition(" at ")
    return tuple(
        f"{clock} {day}" for day in _days(days, text) for clock in _clocks(times if at else "00:00")
    )


@lru_cache(_DIFFERENT)
def words_of(cron: str) -> str | None:
    """A cron in words: `weekdays at 06:00 and 18:00`; None for one that has none."""
    minute, _, other = cron.partition(" ")
    hour, _, day = other.partition(" ")
    known = {fields: words for words, fields in _DAYS.items()}
    if re.fullmatch(r"\* \* [0-6](,[0-6])+", day) and day not in known:
        numbers = day.removeprefix("* * ").split(",")
        known[day] = " and ".join(f"{_WEEKDAYS[int(each)]}s" for each in numbers)
    clocks = " and ".join(f"{each:>02}:{minute:>02}" for each in hour.split(","))
    tried = (
        "every minute",
        f"every {minute.removeprefix('*/')} minutes",
        f"every {hour.removeprefix('*/')} hours",
        f"hourly at :{minute:>02}",
        f"{known.get(day)} at {clocks}",
    )
    for each in tried:
        try:
            if crons_of(each) == (cron,):
                return each
        except ValueError:
            continue
    return None


def _every(count: int, unit: str) -> str:
    whole = _UNITS[unit]
    if not count or whole % count:
        fitting = ", ".join(str(each) for each in range(1, whole + 1) if whole % each == 0)
        raise ValueError(
            f"'every {count} {unit}s' is not regular, since a cron starts again each "
            f"{'hour' if unit == 'minute' else 'day'}: expected one of {fitting}"
        )
    if unit == "minute":
        return "0 * * * *" if count == whole else f"*/{count} * * * *"
    return "0 0 * * *" if count == whole else f"0 */{count} * * *"


def _days(words: str, text: str) -> list[str]:
    """The last three fields of crons; several days of the week are one list."""
    names = [name if name in _DAYS else f"{name}s" for name in _AND.split(words)]
    unknown = next((name for name in names if name not in _DAYS), None)
    if unknown is not None:
        odd = next((word for word in re.findall(r"[a-z]+", words) if word not in _WORDS), words)
        hint = suggestion(odd, _WORDS)
        hint = hint if hint.startswith("did you mean") else f"expected words as in {EXAMPLES}"
        raise ValueError(f"{text!r} is not a schedule: {hint}")
    fields = [_DAYS[name] for name in names]
    if len(fields) > 1 and all(re.fullmatch(r"\* \* \d", each) for each in fields):
        return [f"* * {','.join(sorted({each[-1] for each in fields}))}"]
    return list(dict.fromkeys(fields))


def _clocks(times: str) -> list[str]:
    """The first two fields of crons: one for all hours that have the same minute."""
    hours: dict[int, set[int]] = defaultdict(set)
    for time in _AND.split(times):
        found = _TIME.fullmatch(time)
        if found is None:
            raise ValueError(f"{time!r} is not a time of day: expected one from 00:00 to 23:59")
        hours[int(found[2])].add(int(found[1]))
    return [f"{minute} {','.join(map(str, sorted(each)))}" for minute, each in hours.items()]

"""Schedules and time zones of headers, validated while the file is parsed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from extract_project.manifest.fields.schedule_words import EXAMPLES, crons_of
from extract_project.problem import suggestion

_FIELDS = 5
_KNOWN = re.compile(r"[0-9*,/A-Za-z-]+")
_EXAMPLE = f"five fields, minute hour day month weekday, as in '0 6 * * 1-5', or words: {EXAMPLES}"


ON_SOURCE_CHANGE = "on_source_change"
"""The word in place of a cron: the extract runs when a table that it reads has changed."""


def _cron(value: str) -> str:
    """A schedule in words, unchanged, or a cron that Dagster accepts too: without `L` and `#`."""
    if value == ON_SOURCE_CHANGE:
        return value
    if crons_of(value) is not None:
        return " ".join(value.split())
    fields = value.split()
    if len(fields) != _FIELDS or not all(_KNOWN.fullmatch(each) for each in fields):
        raise ValueError(
            f"{value!r} is not a valid cron: expected {_EXAMPLE}, or {ON_SOURCE_CHANGE}"
        )
    if any(re.search(r"\bL|L\b|W\b", each, re.IGNORECASE) for each in fields[2:5:2]):
        raise ValueError(f"{value!r} uses 'L' or 'W': expected {_EXAMPLE}")
    try:
        next(CronSim(" ".join(fields), datetime.now(UTC)))
    except CronSimError as error:
        raise ValueError(f"{value!r} is not a valid cron ({error}): expected {_EXAMPLE}") from None
    except StopIteration:
        raise ValueError(f"{value!r} never occurs: expected a day that exists") from None
    return " ".join(fields)


@cache
def _time_zones() -> frozenset[str]:
    """All known names, cached because finding them reads hundreds of files."""
    return frozenset(available_timezones())


def _time_zone(value: str) -> str:
    known = _time_zones()
    if value not in known:
        by_fold = {each.lower(): each for each in known}
        close = by_fold.get(value.lower())
        hint = f"did you mean {close!r}?" if close else _closest(value, known)
        raise ValueError(f"unknown time zone {value!r}: {hint}")
    return value


def _closest(value: str, known: frozenset[str]) -> str:
    hint = suggestion(value.title(), known)
    return hint if hint.startswith("did you mean") else "expected a name as in 'Europe/Berlin'"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_CRON_SCHEMA = {
    "type": "string",
    "examples": [
        *("0 6 * * *", "0-59/15 8-18 * * 1-5", "every 15 minutes", "weekdays at 06:00 and 18:00"),
        ON_SOURCE_CHANGE,
    ],
}
Cron = Annotated[str, AfterValidator(_cron), WithJsonSchema(_CRON_SCHEMA)]
Crons = Annotated[
    tuple[Cron, ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_CRON_SCHEMA, {"type": "array", "items": _CRON_SCHEMA}]}),
]
TimeZone = Annotated[
    str,
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]}),
]

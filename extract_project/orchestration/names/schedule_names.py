"""Names of schedules, and of the jobs that they launch, for people to read.

`daily_06_00_utc`, `weekdays_06_00_18_00_europe_berlin`. A name depends on the ticks and on the
partitions alone, so that it stays the same whatever other extracts come and go. Dagster keeps the
on/off switch and the ticks of a schedule under its name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import time
from functools import lru_cache
from hashlib import sha256

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partitions
from extract_project.manifest.fields.schedule_words import words_of

_LONGEST = 90
"""In characters. A longer name is cut, and a digest of the whole makes it unique again."""

_BY = {
    "hourly": "by_hour",
    "daily": "by_day",
    "weekly": "by_week",
    "monthly": "by_month",
    "static": "by_key",
}


def schedule_name(extract: Extract) -> str:
    """The name of an extract's schedule. Extracts with the same name share one."""
    header = extract.header
    parts = [*_ticks(frozenset(header.crons)), _zone(header.timezone)]
    if header.partitions:
        parts.append(_windows(header.partitions, header.partition_timezone, header.timezone))
    name = "_".join(parts)
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}_{_digest(name)}"


@lru_cache(1_000)
def _ticks(crons: frozenset[str]) -> Sequence[str]:
    """The parts of a name that say when: days with their times, then what has no words."""
    times: dict[str, set[str]] = defaultdict(set)
    others = []
    for cron in crons:
        words = words_of(cron)
        if words is None:
            others.append(f"cron_{_plain(cron.replace('*', 'any'))}_{_digest(cron)}")
            continue
        days, _, clocks = words.partition(" at ")
        times[days] |= {_plain(each) for each in clocks.split(" and ")}
    known = [
        "_".join([_plain(days.replace(" and ", " ")), *sorted(clocks - {"", "00"})])
        for days, clocks in times.items()
    ]
    return sorted(known) + sorted(others)


@lru_cache(1_000)
def _zone(name: str) -> str:
    """`Europe/Berlin` as `europe_berlin`, `Etc/GMT-2` as `etc_gmt_minus_2`."""
    signed = re.sub(r"-(?=\d)", "_minus_", name.replace("+", "_plus_"))
    return _plain(signed)


def _windows(partitions: Partitions, zone: str, of_schedule: str) -> str:
    """The part of a name that says which partitions, as `by_day_from_2026_01_01`.

    Dagster launches a schedule's extracts as one job, whose partitions must all be the same.
    """
    plain = Partitions(type="daily", start=partitions.start)
    is_plain = (
        partitions.model_copy(update={"type": "daily"}) == plain
        and partitions.start.time() == time()
        and zone == of_schedule
    )
    if is_plain:
        return f"{_BY[partitions.type]}_from_{partitions.start:%Y_%m_%d}"
    return f"{_BY[partitions.type]}_{_digest(f'{partitions} {zone}')}"


def _plain(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]

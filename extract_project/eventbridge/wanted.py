"""The schedules that the headers ask for, and what of the headers needs a service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from extract_project.eventbridge.cron import expression
from extract_project.manifest.elsewhere import manifests_by_path
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.task_size import TaskSize
from extract_project.manifest.names import named_elsewhere
from extract_project.manifest.snapshot import Snapshot

_LONGEST_PATH = 46
"""Characters of a name that are left for the path: AWS allows 64."""


@dataclass(frozen=True)
class Schedule:
    """One cron of an extract."""

    name: str
    extract: str
    expression: str
    timezone: str
    written: str
    """As its author wrote the schedule."""
    size: TaskSize
    """That the header asks for."""


@dataclass(frozen=True)
class NeedsService:
    """A key of a header that has no effect, or another, where no service runs."""

    extract: str
    key: str
    consequence: str


@dataclass(frozen=True)
class Refused:
    """An extract without schedules: its file is invalid, or EventBridge cannot have its cron."""

    extract: str
    reason: str


@dataclass(frozen=True)
class Wanted:
    """All schedules of a manifest."""

    schedules: tuple[Schedule, ...]
    needs_service: tuple[NeedsService, ...]
    refused: tuple[Refused, ...]
    unknown: tuple[str, ...]
    """How the names of the schedules of those begin, which stay as they are."""


def wanted_schedules(snapshot: Snapshot) -> Wanted:
    """One schedule for each cron of each extract that is enabled."""
    schedules: list[Schedule] = []
    refused = [Refused(each.path, "\n".join(each.reasons)) for each in snapshot.invalid]
    unknown = [_prefix(snapshot.manifest, each.path) for each in snapshot.invalid]
    enabled = [each for each in snapshot.extracts if each.header.enabled]
    for extract in enabled:
        prefix = _prefix(snapshot.manifest, extract.path)
        try:
            schedules += _schedules(extract, prefix)
        except ValueError as error:
            problem = extract.problem(("schedule",), str(error))
            refused.append(Refused(extract.path, problem.at(extract.file)))
            unknown.append(prefix)
    manifests = manifests_by_path(snapshot.elsewhere)
    needing = [each for extract in enabled for each in _needs_service(extract, manifests)]
    return Wanted(tuple(schedules), tuple(needing), tuple(refused), tuple(unknown))


def _schedules(extract: Extract, prefix: str) -> list[Schedule]:
    header = extract.header
    return [
        Schedule(
            f"{prefix}{number}",
            extract.path,
            expression(cron),
            header.timezone,
            "; ".join(header.schedule),
            header.task_size,
        )
        for number, cron in enumerate(dict.fromkeys(header.crons), 1)
    ]


def _prefix(manifest: str, path: str) -> str:
    """`sales.orders-1f0c93aa-`: readable, and no other path of any manifest has it."""
    shown = re.sub(r"[^0-9A-Za-z_.]", "-", path.replace("/", "."))[:_LONGEST_PATH]
    return f"{shown}-{sha256(f'{manifest} {path}'.encode()).hexdigest()[:8]}-"


def _needs_service(extract: Extract, manifests: Mapping[str, str]) -> Iterator[NeedsService]:
    header, path = extract.header, extract.path
    upstream = ", ".join(named_elsewhere(each, manifests) for each in header.depends_on)
    if header.depends_on and header.crons:
        told = f"it starts at its ticks and does not wait for {upstream}: schedule it later"
        yield NeedsService(path, "depends_on", told)
    elif header.depends_on:
        told = f"nothing starts it after {upstream}: give it a schedule of its own, later"
        yield NeedsService(path, "depends_on", told)
    if header.on_source_change:
        told = "nothing looks whether its tables have changed: give it times, as in hourly"
        yield NeedsService(path, "schedule: on_source_change", told)
    if header.on_change:
        told = f"nothing runs it when its SQL changes: after a push, extract materialize {path}"
        yield NeedsService(path, "on_change", told)
    if header.freshness:
        told = "nobody is told when it is stale: have something look at the age of its object"
        yield NeedsService(path, "freshness", told)
    if header.pool:
        told = "nothing limits how many run at a time: spread their times"
        yield NeedsService(path, "pool", told)

"""Schedules: each extract that is due in a run of its own, once per tick.

Extracts with the same crons, time zone and partitions share one schedule, so that five thousand
extracts are some dozens of ticks. The run key makes sure that no tick runs an extract twice.

Of the ticks that were missed while nothing ran, Dagster's daemon evaluates the newest one alone
(`_scheduler/scheduler.py`, "has no partition set, so not trying to catch up"). For a query of what
is there now that is enough; windows of time that were due at the others are added here. Extracts
that wait for others at their ticks are not here but in `downstream`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import SCHEDULE_PREFIX, asset_key
from extract_project.orchestration.names.partitions import due_partitions
from extract_project.orchestration.names.requests import PATH_TAG, TICK_TAG, run_request
from extract_project.orchestration.names.ticks import ticks_between

_SHOWN = 20
_CATCH_UP = 5
"""So many missed windows are caught up; older ones show as missing, and take a backfill."""
_LOOK_BACK = 50


def schedules(extracts: Iterable[Extract]) -> list[dg.ScheduleDefinition]:
    """One schedule for all that is due at the same ticks; running from the start."""
    groups: dict[str, list[Extract]] = defaultdict(list)
    for extract in extracts:
        if extract.header.enabled and extract.header.crons:
            groups[schedule_name(extract)].append(extract)
    return [_schedule(name, due) for name, due in sorted(groups.items())]


def _schedule(name: str, due: Sequence[Extract]) -> dg.ScheduleDefinition:
    header = due[0].header
    paths = [extract.path for extract in due]
    job = dg.define_asset_job(name, selection=[asset_key(path) for path in paths])
    shown = ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")
    written = "; ".join(header.schedule)

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=list(header.crons),
        execution_timezone=header.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{written} ({header.timezone}), each in a run of its own: {shown}",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        for extract in due:
            for partition, at in _due(context, extract).items():
                key = f"{extract.path} {at.isoformat()}"
                yield run_request(key, [extract], partition, tick=at.isoformat())

    return tick


def _due(context: dg.ScheduleEvaluationContext, extract: Extract) -> dict[str | None, datetime]:
    """What has to run, and at which tick it was due last."""
    at, header = context.scheduled_execution_time, extract.header
    due = dict.fromkeys(due_partitions(header, at), at)
    if header.partitions is None or header.partitions.type == "static":
        return due
    since = _launched_last(context.instance, extract)
    missed = ticks_between(header, since, at)[:-1][-_CATCH_UP:] if since else ()
    windows = {key: tick for tick in missed for key in due_partitions(header, tick)}
    return windows | due


def _launched_last(instance: dg.DagsterInstance, extract: Extract) -> datetime | None:
    """The newest tick that a run of this extract was launched for."""
    runs = instance.get_runs(dg.RunsFilter(tags={PATH_TAG: extract.path}), limit=_LOOK_BACK)
    ticks = [datetime.fromisoformat(run.tags[TICK_TAG]) for run in runs if TICK_TAG in run.tags]
    return max(ticks, default=None)


def schedule_name(extract: Extract) -> str:
    """The schedule of an extract, and the job that it launches.

    `at_0_6_all_all_all_utc_1a2b3c4d`: readable, and the same as long as the crons are.
    """
    header = extract.header
    crons, zone = tuple(sorted(set(header.crons))), header.timezone
    words = re.sub(r"\W+", "_", f"{'_'.join(crons)}_{zone}".lower().replace("*", "all")).strip("_")
    digest = sha256(f"{crons}{zone}".encode())
    if header.partitions:
        digest.update(f"{header.partitions} {header.partition_timezone}".encode())
    return f"{SCHEDULE_PREFIX}{words[:60]}_{digest.hexdigest()[:8]}"

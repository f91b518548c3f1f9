"""Schedules: each extract that is due in a run of its own, once per tick.

Extracts with the same crons, time zone and partitions share one schedule, so that five thousand
extracts are some dozens of ticks. A tick that was missed while nothing ran is caught up by
Dagster's daemon (`max_catchup_runs`, five by default), and the run key makes sure that no tick
runs an extract twice. Extracts that wait for others at their ticks are not here but in
`following`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import dagster as dg

from extract_project.manifest.extract import Extract
from extract_project.orchestration.keys import SCHEDULE_PREFIX, asset_key
from extract_project.orchestration.partitions import due_partitions
from extract_project.orchestration.requests import run_request

_SHOWN = 20


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
    crons = " and ".join(header.crons)

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=list(header.crons),
        execution_timezone=header.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{crons} ({header.timezone}), each in a run of its own: {shown}",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        at = context.scheduled_execution_time
        for extract in due:
            for partition in due_partitions(extract.header, at):
                key = f"{extract.path} {at.isoformat()}"
                yield run_request(key, [extract], partition, tick=at.isoformat())

    return tick


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

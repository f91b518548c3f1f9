"""Schedules: at each tick, every extract that is due gets its own run.

Extracts with the same crons, time zone and partitions share one schedule, so that five thousand
extracts need only some dozens of ticks. The run key ensures that no tick runs an extract twice.

Of ticks that were missed while no daemon ran, Dagster evaluates only the newest
(`_scheduler/scheduler.py`, "has no partition set, so not trying to catch up"). For an extract
without partitions that is enough; time windows that were due at missed ticks are added here.
Schedules of extracts that wait for upstream extracts are in `downstream`. Ticks that came before
Dagster knew of the schedule are in `first_ticks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from extract_project.deployment.tags import CAUSE_TAG, PATH_TAG, TICK_TAG
from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.partitions import due_partitions
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.orchestration.names.ticks import ticks_between

_SHOWN = 20
_CATCH_UP = 5
"""The most missed windows that are caught up; older ones show as missing and need a backfill."""
_LOOK_BACK = 50

Evaluation = dg.ScheduleEvaluationContext | dg.SensorEvaluationContext


def schedules(extracts: Iterable[Extract]) -> list[dg.ScheduleDefinition]:
    """One schedule for all extracts with the same ticks; schedules are on by default."""
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
        description=f"{written} ({header.timezone}), each in its own run: {shown}",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        for extract in due:
            yield from requests_at(context, extract, context.scheduled_execution_time)

    return tick


def requests_at(context: Evaluation, extract: Extract, at: datetime) -> Iterator[dg.RunRequest]:
    """The runs of an extract that are due at a tick: one, or one for each partition."""
    for partition, tick in _due(context, extract, at).items():
        moment = tick.astimezone(UTC).isoformat()
        key = f"{extract.path} {moment}"
        yield run_request(key, [extract], partition, cause="schedule", tick=moment)


def _due(context: Evaluation, extract: Extract, at: datetime) -> dict[str | None, datetime]:
    """The partitions to run, each mapped to the tick at which it was last due."""
    header = extract.header
    due = dict.fromkeys(due_partitions(header, at), at)
    if header.partitions is None or header.partitions.type == "static":
        return due
    since = _launched_last(context.instance, extract)
    missed = ticks_between(header, since, at)[:-1][-_CATCH_UP:] if since else ()
    windows = {key: tick for tick in missed for key in due_partitions(header, tick)}
    return windows | due


def _launched_last(instance: dg.DagsterInstance, extract: Extract) -> datetime | None:
    """The newest tick that a run of this extract was launched for."""
    of_schedules = {PATH_TAG: extract.path, CAUSE_TAG: "schedule"}
    runs = instance.get_runs(dg.RunsFilter(tags=of_schedules), limit=_LOOK_BACK)
    ticks = [datetime.fromisoformat(run.tags[TICK_TAG]) for run in runs if TICK_TAG in run.tags]
    return max(ticks, default=None)

"""Run extracts at a tick that came before Dagster knew of their schedule.

Dagster looks for new schedules at each full minute, and lets their ticks begin *after* that moment.
So a schedule that goes live at 05:59:10 would miss its tick at 06:00:00. So would one whose file
was pushed at 05:59:50 and is loaded at 06:00:05. An extract that joins a schedule which exists
already misses a tick that is evaluated while the location still reloads.

This sensor knows when a file was written to the bucket. For each tick since then that Dagster let
pass, it launches the run that the schedule would have launched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg
from pydantic import BaseModel

from extract_project.deployment.tags import PATH_TAG, TICK_TAG
from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickStatus,
)
from extract_project.orchestration.names.instigators import instigator_states, location_of
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.orchestration.names.ticks import last_tick
from extract_project.orchestration.starts.schedules import requests_at
from extract_project.settings import Settings

NEW = timedelta(hours=1)
"""A file that was written longer ago is not new any more: it has had its first tick, or it missed
that tick while no Dagster ran."""
_INTERVAL_SECONDS = 8
_DAGSTERS_TURN = timedelta(seconds=3)
"""How long after a tick this sensor leaves it to Dagster's scheduler."""
_UNKNOWN_AFTER = timedelta(seconds=15)
"""How long after a tick it is certain that a schedule unknown to Dagster did not run at it."""
_RELOAD = timedelta(minutes=10)
"""The longest time from a file's writing to its loading."""


class FirstTicksCursor(BaseModel):
    """Ticks that are settled: for each schedule its tick and its extracts, as a hash."""

    settled: dict[str, str] = {}


def first_ticks_sensor(extracts: Iterable[Extract], settings: Settings) -> dg.SensorDefinition:
    """The sensor; it looks only at extracts whose file is new."""
    scheduled = [each for each in extracts if each.header.enabled and each.header.crons]

    @dg.sensor(
        name="first_ticks",
        description="runs new extracts at a tick that came before Dagster knew of their schedule",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(each.path) for each in scheduled] or None,
        jobs=None if scheduled else [],
    )
    def first_ticks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        cursor = FirstTicksCursor.model_validate_json(context.cursor or "{}")
        settled: dict[str, str] = {}
        requests: list[dg.RunRequest] = []
        states = instigator_states(context.instance, location_of(context, settings))
        for (name, tick), due in _came_before_a_tick(scheduled, now).items():
            digest = sha256(" ".join(each.path for each in due).encode()).hexdigest()[:16]
            mark = f"{tick.isoformat()} {digest}"
            if cursor.settled.get(name) != mark:
                missed = _missed(context.instance, states.get(name), tick, due, now)
                if missed is None:
                    continue
                for each in missed:
                    requests += requests_at(context, each, tick)
            settled[name] = mark
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "no tick of a new extract was missed",
            cursor=FirstTicksCursor(settled=settled).model_dump_json(),
        )

    return first_ticks


def _came_before_a_tick(
    scheduled: Iterable[Extract], now: datetime
) -> Mapping[tuple[str, datetime], Sequence[Extract]]:
    """The new extracts of each schedule whose newest tick is later than their file."""
    found: dict[tuple[str, datetime], list[Extract]] = defaultdict(list)
    ticks: dict[str, datetime | None] = {}
    for each in scheduled:
        if each.modified is None or now - each.modified > NEW:
            continue
        name = schedule_name(each)
        if name not in ticks:
            ticks[name] = last_tick(each.header, now - _DAGSTERS_TURN)
        tick = ticks[name]
        if tick is not None and each.modified < tick:
            found[name, tick].append(each)
    return found


def _missed(
    instance: dg.DagsterInstance,
    state: InstigatorState | None,
    tick: datetime,
    due: Sequence[Extract],
    now: datetime,
) -> Sequence[Extract] | None:
    """The extracts that Dagster's own schedule does not run at a tick; None: it is still its turn.

    `due` are the extracts that came before the tick.
    """
    if state is None:
        return due if now - tick > _UNKNOWN_AFTER else None
    if not state.is_running:
        return ()
    data = state.instigator_data
    began = data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None
    if began is not None and began > tick.timestamp():
        # If somebody switched it on since, its ticks begin with that.
        is_default = state.status is InstigatorStatus.DECLARED_IN_CODE
        return _without_run(instance, tick, due) if is_default else ()
    late = [each for each in due if each.modified and tick - each.modified < _RELOAD]
    if not late:
        return ()
    at = tick.timestamp()
    ticks = instance.get_ticks(
        state.instigator_origin_id, state.selector_id, after=at - 1, before=at + 1
    )
    if not any(each.status in (TickStatus.SUCCESS, TickStatus.SKIPPED) for each in ticks):
        return None
    return _without_run(instance, tick, late)


def _without_run(
    instance: dg.DagsterInstance, tick: datetime, due: Sequence[Extract]
) -> Sequence[Extract]:
    runs = instance.get_runs(dg.RunsFilter(tags={TICK_TAG: tick.isoformat()}))
    ran = {path for run in runs for path in run.tags.get(PATH_TAG, "").split(",")}
    return [each for each in due if each.path not in ran]

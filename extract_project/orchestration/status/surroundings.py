"""Read what concerns all extracts: daemons, schedules and sensors, pools and the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from extract_project.orchestration.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
)
from extract_project.status.facts import Daemon, Pool, Starter
from extract_project.units import moment_of

_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_QUEUED = [dg.DagsterRunStatus.QUEUED]


def daemons(instance: dg.DagsterInstance) -> tuple[Daemon, ...]:
    """The daemon's threads that this instance needs, with their last heartbeats."""
    heard = instance.get_daemon_heartbeats()
    return tuple(
        Daemon(
            name=name, last_heartbeat=moment_of(heard[name].timestamp) if name in heard else None
        )
        for name in instance.get_required_daemon_types()
    )


def starters(
    instance: dg.DagsterInstance, states: Mapping[str, InstigatorState], names: Iterable[str]
) -> dict[str, Starter]:
    """The schedules and sensors of these names, which are on unless somebody switched them off."""
    wanted = {name: states[name] for name in names if name in states}
    ticks = instance.get_batch_ticks([state.selector_id for state in wanted.values()], limit=1)
    found = {}
    for name, state in wanted.items():
        newest = next(iter(ticks.get(state.selector_id, ())), None)
        kind = "schedule" if state.instigator_type is InstigatorType.SCHEDULE else "sensor"
        data = state.instigator_data
        started = data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None
        found[name] = Starter(
            name=name,
            kind=kind,
            on=state.status is not InstigatorStatus.STOPPED,
            since=moment_of(started),
            last_tick=moment_of(newest.timestamp) if newest else None,
            last_error=newest.error.message if newest and newest.error else None,
            last_skip=newest.skip_reason if newest else None,
        )
    return found


def cursor_of(states: Mapping[str, InstigatorState], sensor: str) -> str | None:
    """The cursor of a sensor."""
    data = states[sensor].instigator_data if sensor in states else None
    return data.cursor if isinstance(data, SensorInstigatorData) else None


def pools(instance: dg.DagsterInstance, running: Mapping[str, int]) -> dict[str, Pool]:
    """The pools that have a limit; `running` is how many extracts of each are running.

    Slots are of steps. Where the instance limits runs instead, no slot is ever taken.
    """
    infos = instance.event_log_storage.get_concurrency_infos(list(running))
    return {
        name: Pool(
            limit=info.limit,
            claimed=max(info.active_slot_count, running[name] if _by_run(instance) else 0),
            waiting=tuple(sorted(info.pending_run_ids)),
        )
        for name, info in infos.items()
        if info.limit is not None
    }


def _by_run(instance: dg.DagsterInstance) -> bool:
    granularity = instance.get_concurrency_config().pool_config.pool_granularity
    return granularity is not None and granularity.value == "run"


def queue(instance: dg.DagsterInstance) -> tuple[int, int, int | None]:
    """How many runs are queued, how many are running, and how many may run at once."""
    queued = instance.get_runs_count(dg.RunsFilter(statuses=_QUEUED))
    running = instance.get_runs_count(dg.RunsFilter(statuses=_IN_PROGRESS))
    limits = instance.get_concurrency_config().run_queue_config
    most = limits.max_concurrent_runs if limits else None
    return queued, running, most if most is not None and most >= 0 else None

"""Starts the extracts downstream of others (`depends_on`).

One with crons of its own waits, at each tick, until every extract upstream of it has materialized
since *its* newest tick. One without crons runs when an extract upstream of it has new data: another
data version than its own latest materialization was made from, at any time. Neither starts while an
extract upstream of it is running. A single sensor decides; its ticks say who waits for whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from pydantic import BaseModel

from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.partitions import due_partitions, partitions_of
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.names.ticks import ticks_between
from extract_project.orchestration.starts.observed import observe
from extract_project.orchestration.starts.readiness import (
    Extracts,
    Readiness,
    upstream_of,
    with_all_upstream,
)

_INTERVAL_SECONDS = 10
_CATCH_UP = 5
"""As many missed ticks of a partitioned extract are caught up as Dagster's schedules catch up."""
_SHOWN = 10


class Waiting(BaseModel):
    """The ticks that one extract still has to run at."""

    seen: datetime
    """Later ticks than this have not been looked at."""
    ticks: tuple[datetime, ...] = ()


class DownstreamCursor(BaseModel):
    """What the sensor remembers from one evaluation to the next."""

    waiting: dict[str, Waiting] = {}


def waits_at_ticks(extract: Extract, extracts: Extracts) -> bool:
    """Whether an extract's schedule waits for others, and is therefore kept here."""
    header = extract.header
    return bool(header.enabled and header.crons and upstream_of(extract, extracts))


def downstream_extracts(extracts: Extracts) -> list[Extract]:
    """The extracts that depend on others."""
    return [
        extract
        for extract in extracts.values()
        if extract.header.enabled
        and extract.header.depends_on
        and not extract.header.on_source_change
    ]


def downstream_sensor(extracts: Extracts) -> dg.SensorDefinition:
    """Launches what is downstream of others."""
    watched = downstream_extracts(extracts)

    @dg.sensor(
        name="following",  # under this name Dagster keeps its cursor, and whether it is on
        description="runs extracts that depend on others: at their ticks, or on new data",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(each.path) for each in watched] or None,
        jobs=None if watched else [],
    )
    def downstream(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not watched:
            return dg.SkipReason("no extract depends on another")
        cursor = DownstreamCursor.model_validate_json(context.cursor or "{}")
        observed = observe(context.instance, with_all_upstream(watched, extracts))
        evaluation = evaluate(Readiness(extracts, observed), watched, cursor, datetime.now(UTC))
        return dg.SensorResult(
            run_requests=evaluation.requests,
            skip_reason=None if evaluation.requests else evaluation.reason,
            cursor=evaluation.cursor.model_dump_json(),
        )

    return downstream


@dataclass
class Evaluation:
    """What one evaluation came to."""

    cursor: DownstreamCursor
    requests: list[dg.RunRequest] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        if not self.held:
            return "nothing is due"
        more = f"; and {len(self.held) - _SHOWN} more" if len(self.held) > _SHOWN else ""
        return "; ".join(self.held[:_SHOWN]) + more


def evaluate(
    readiness: Readiness, watched: Sequence[Extract], cursor: DownstreamCursor, now: datetime
) -> Evaluation:
    """Decide for each extract; those that wait are in the cursor again."""
    evaluation = Evaluation(DownstreamCursor())
    for extract in watched:
        if waits_at_ticks(extract, readiness.extracts):
            known = cursor.waiting.get(extract.path, Waiting(seen=now))
            evaluation.cursor.waiting[extract.path] = _at_ticks(
                readiness, extract, known, now, evaluation
            )
        elif not extract.header.crons:
            _on_new_data(readiness, extract, evaluation)
    return evaluation


def _at_ticks(
    readiness: Readiness, extract: Extract, known: Waiting, now: datetime, evaluation: Evaluation
) -> Waiting:
    ticks = [*known.ticks, *ticks_between(extract.header, known.seen, now)]
    keep = _CATCH_UP if partitions_of(extract.header) else 1
    for late in ticks[:-keep]:
        evaluation.held.append(f"{extract.path}: the tick of {late:%F %H:%M} UTC was overtaken")
    waiting = []
    for tick in ticks[-keep:]:
        lacking = [
            each for each in readiness.upstream(extract) if not readiness.settled(each, tick)
        ]
        if lacking:
            waiting.append(tick)
            names = ", ".join(each.path for each in lacking)
            evaluation.held.append(f"{extract.path} ({tick:%F %H:%M} UTC) waits for {names}")
            continue
        for partition in due_partitions(extract.header, tick):
            key = f"{extract.path} {tick.isoformat()}"
            request = run_request(key, [extract], partition, tick=tick.isoformat())
            evaluation.requests.append(request)
    return Waiting(seen=now, ticks=tuple(waiting))


def _on_new_data(readiness: Readiness, extract: Extract, evaluation: Evaluation) -> None:
    running = [each for each in readiness.upstream(extract) if each.path in readiness.running]
    if running or extract.path in readiness.running:
        if running:
            names = ", ".join(each.path for each in running)
            evaluation.held.append(f"{extract.path} waits for {names}")
        return
    for partition, occasion in readiness.new_data(extract):
        key = f"{extract.path} after {occasion}"
        evaluation.requests.append(run_request(key, [extract], partition, cause="upstream"))

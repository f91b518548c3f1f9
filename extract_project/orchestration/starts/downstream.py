"""Start the extracts that depend on others (`depends_on`).

An extract with a schedule waits, at each tick, until every upstream extract has materialized since
*its own* newest tick. An extract without a schedule runs as soon as an upstream extract has new
data: another data version than the one that its latest materialization was made from. Neither
starts while an upstream extract is running. One sensor decides; its ticks say which extract waits
for which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from pydantic import BaseModel

from extract_project.manifest.extract import Extract
from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.latest import Materializations, read_latest
from extract_project.orchestration.names.partitions import due_partitions, partitions_of
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.names.ticks import ticks_between
from extract_project.orchestration.starts.first_ticks import NEW
from extract_project.orchestration.starts.observed import observe
from extract_project.orchestration.starts.readiness import (
    Extracts,
    Readiness,
    upstream_of,
)
from extract_project.wording import some

DOWNSTREAM_SENSOR = "following"
"""Do not rename it: Dagster stores the cursor and whether it is on under this name."""

_INTERVAL_SECONDS = 10
_CATCH_UP = 5
"""The most missed ticks of a partitioned extract that are caught up, as in Dagster's schedules."""
_SHOWN = 10


class Waiting(BaseModel):
    """The ticks for which one extract still has to run."""

    seen: datetime
    """Ticks after this time have not been looked at yet."""
    ticks: tuple[datetime, ...] = ()


class DownstreamCursor(BaseModel):
    """The state that the sensor keeps between evaluations."""

    waiting: dict[str, Waiting] = {}


def waits_at_ticks(extract: Extract, extracts: Extracts) -> bool:
    """Whether an extract's schedule waits for upstream extracts, and so belongs to this sensor."""
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


def downstream_sensor(
    extracts: Extracts, known: Extracts, before: Materializations
) -> dg.SensorDefinition:
    """The sensor that launches those of some extracts that are downstream of others.

    `known` are these and those of other code locations; `before` is what others have read, too.
    """
    watched = downstream_extracts(extracts)

    @dg.sensor(
        name=DOWNSTREAM_SENSOR,
        description="runs extracts that depend on others: at their ticks, or on new data",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(each.path) for each in watched] or None,
        jobs=None if watched else [],
    )
    def downstream(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not watched:
            return dg.SkipReason("no extract has depends_on")
        cursor = DownstreamCursor.model_validate_json(context.cursor or "{}")
        concerned = with_all_upstream(watched, known)
        latest = read_latest(context.instance, concerned, before)
        observed = observe(context.instance, concerned, latest)
        evaluation = evaluate(Readiness(known, observed), watched, cursor, datetime.now(UTC))
        return dg.SensorResult(
            run_requests=evaluation.requests,
            skip_reason=None if evaluation.requests else evaluation.reason,
            cursor=evaluation.cursor.model_dump_json(),
        )

    return downstream


@dataclass
class Evaluation:
    """The outcome of one evaluation."""

    cursor: DownstreamCursor
    requests: list[dg.RunRequest] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return some(self.held, _SHOWN, "; ") or "nothing is due"


def evaluate(
    readiness: Readiness, watched: Sequence[Extract], cursor: DownstreamCursor, now: datetime
) -> Evaluation:
    """Decide for each extract. Ticks that still wait are kept in the new cursor."""
    evaluation = Evaluation(DownstreamCursor())
    for extract in watched:
        if waits_at_ticks(extract, readiness.extracts):
            known = cursor.waiting.get(extract.path, Waiting(seen=_came_at(extract, now)))
            evaluation.cursor.waiting[extract.path] = _at_ticks(
                readiness, extract, known, now, evaluation
            )
        elif not extract.header.crons:
            _on_new_data(readiness, extract, evaluation)
    return evaluation


def _came_at(extract: Extract, now: datetime) -> datetime:
    """When an extract that is seen for the first time came: it runs at ticks since then."""
    modified = extract.modified
    return modified if modified and now - NEW < modified < now else now


def _at_ticks(
    readiness: Readiness, extract: Extract, known: Waiting, now: datetime, evaluation: Evaluation
) -> Waiting:
    ticks = [*known.ticks, *ticks_between(extract.header, known.seen, now)]
    keep = _CATCH_UP if partitions_of(extract.header) else 1
    for late in ticks[:-keep]:
        evaluation.held.append(f"{extract.path}: a later tick replaces {late:%F %H:%M} UTC")
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
            request = run_request(
                key, [extract], partition, cause="schedule", tick=tick.isoformat()
            )
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

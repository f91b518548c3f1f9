"""Read the facts about extracts from the Dagster instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from extract_project.errors import Cause
from extract_project.manifest.elsewhere import Elsewhere, extracts_elsewhere, manifests_by_path
from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.header.model import Header
from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.dagster_internals import CODE_VERSION_TAG
from extract_project.orchestration.failed.attempts import (
    Explanations,
    LatestAttempt,
    State,
    unfinished_business,
)
from extract_project.orchestration.names.keys import group_name
from extract_project.orchestration.names.latest import Latest, Materialization, read_latest
from extract_project.orchestration.names.partitions import are_over, due_partitions
from extract_project.orchestration.names.schedule_names import schedule_name
from extract_project.orchestration.names.ticks import last_tick, next_tick, ticks_between
from extract_project.orchestration.starts.downstream import (
    DOWNSTREAM_SENSOR,
    DownstreamCursor,
    waits_at_ticks,
)
from extract_project.orchestration.starts.observed import observe
from extract_project.orchestration.starts.readiness import Extracts, Readiness, upstream_of
from extract_project.orchestration.starts.sources import source_sensor_name
from extract_project.orchestration.status.before import ReadBefore
from extract_project.outcome import Outcome
from extract_project.status.facts import Attempt, ExtractFacts, Success, Trigger

_MOST_EXPLAINED = 200
"""Failure reports to read at most: each takes a request or two of the instance's storage."""
_BATCH = 500


def extract_facts(
    instance: dg.DagsterInstance,
    extracts: Extracts,
    invalid: Iterable[InvalidExtract],
    waiting: DownstreamCursor,
    now: datetime,
    *,
    before: ReadBefore,
    elsewhere: Sequence[Elsewhere] = (),
) -> tuple[dict[str, ExtractFacts], dict[str, ExtractFacts]]:
    """The facts about each extract, by path, and about those upstream of them that are elsewhere.

    `waiting` is the cursor of the downstream sensor.
    """
    broken = list(invalid)
    involved = with_all_upstream(extracts.values(), extracts_elsewhere(elsewhere) | dict(extracts))
    paths = [*involved, *(each.path for each in broken)]
    latest = read_latest(instance, paths, before.materializations)
    attempts = unfinished_business(instance, involved.values(), latest)
    told = _explained(instance, attempts, before.explanations)
    by_path: dict[str, list[Attempt]] = {}
    for each in told:
        by_path.setdefault(each.extract.path, []).append(_attempt(each))
    for path, cancelled in _cancelled(instance, involved, latest, by_path):
        by_path.setdefault(path, []).append(cancelled)
    readiness = Readiness(involved, observe(instance, involved, latest, attempts))
    known = _Known(latest, by_path, readiness, waiting, manifests_by_path(elsewhere), now)
    facts = {path: _facts(extract, known) for path, extract in involved.items()}
    return (
        {
            **{path: facts[path] for path in extracts},
            **{each.path: _invalid_facts(each, latest.get(each.path)) for each in broken},
        },
        {path: _elsewhere(each) for path, each in facts.items() if path not in extracts},
    )


@dataclass(frozen=True)
class _Known:
    """What was read for all extracts at once."""

    latest: Mapping[str, Latest]
    attempts: Mapping[str, Sequence[Attempt]]
    readiness: Readiness
    waiting: DownstreamCursor
    elsewhere: Mapping[str, str]
    """The extracts of other manifests, and the URIs of these."""
    now: datetime
    _ticks: dict[tuple[object, ...], tuple[datetime | None, datetime | None]] = field(
        default_factory=dict
    )
    """Results of `ticks`: thousands of extracts share some dozens of schedules."""

    def ticks(self, header: Header) -> tuple[datetime | None, datetime | None]:
        """The newest tick of its schedule, and the next one, of those that run something."""
        key = header.schedule, header.timezone, header.partitions
        if key not in self._ticks:
            last, coming = last_tick(header, self.now), next_tick(header, self.now)
            self._ticks[key] = (
                last if last and due_partitions(header, last) else None,
                coming if coming and not are_over(header, coming) else None,
            )
        return self._ticks[key]


def _facts(extract: Extract, known: _Known) -> ExtractFacts:
    header = extract.header
    trigger, starter = started_by(extract, known.readiness.extracts)
    since, waits_for = _waits(extract, trigger, known)
    latest = known.latest.get(extract.path)
    made = latest.materialized if latest else None
    last, coming = known.ticks(header) if header.enabled else (None, None)
    return ExtractFacts(
        extract=extract.path,
        group=group_name(extract),
        owners=tuple(header.owners),
        enabled=header.enabled,
        trigger=trigger,
        starter=starter,
        schedule=f"{'; '.join(header.schedule)} ({header.timezone})" if header.crons else "",
        freshness_seconds=header.freshness.total_seconds() if header.freshness else None,
        pool=header.pool or extract.warehouse,
        depends_on=tuple(header.depends_on),
        elsewhere={
            path: known.elsewhere[path] for path in header.depends_on if path in known.elsewhere
        },
        tables=extract.tables,
        success=_success(made, extract.code_version) if made else None,
        attempts=tuple(known.attempts.get(extract.path, ())),
        last_tick=last,
        next_tick=coming,
        waiting_since=since,
        waits_for=waits_for,
        does_not_count=_does_not_count(extract, known.readiness),
        new_upstream=trigger is Trigger.UPSTREAM and any(known.readiness.new_data(extract)),
    )


def _invalid_facts(extract: InvalidExtract, latest: Latest | None) -> ExtractFacts:
    """Readers keep what was published when the file was valid."""
    made = latest.materialized if latest else None
    return ExtractFacts(
        extract=extract.path,
        group=group_name(extract),
        invalid=tuple(extract.reasons),
        success=_success(made, None) if made else None,
    )


def _elsewhere(extract: ExtractFacts) -> ExtractFacts:
    """Without what only its own code location knows: its schedules and sensors, its SQL."""
    success = extract.success
    return extract.model_copy(
        update={
            "starter": None,
            "pool": None,
            "success": success and success.model_copy(update={"by_other_sql": False}),
        }
    )


def started_by(extract: Extract, extracts: Extracts) -> tuple[Trigger, str | None]:
    """What starts an extract, and the name of the schedule or sensor."""
    header = extract.header
    if not header.enabled:
        return Trigger.DEMAND, None
    if header.on_source_change:
        return Trigger.SOURCE, source_sensor_name(extract.warehouse)
    if waits_at_ticks(extract, extracts):
        return Trigger.TICK_AFTER_UPSTREAM, DOWNSTREAM_SENSOR
    if header.crons:
        return Trigger.SCHEDULE, schedule_name(extract)
    if header.depends_on:
        return Trigger.UPSTREAM, DOWNSTREAM_SENSOR
    return Trigger.DEMAND, None


def _waits(
    extract: Extract, trigger: Trigger, known: _Known
) -> tuple[datetime | None, tuple[str, ...]]:
    """The tick for which it waits, and the upstream extracts that it waits for."""
    if trigger is Trigger.TICK_AFTER_UPSTREAM:
        waiting = known.waiting.waiting.get(extract.path)
        if waiting is None:
            return None, ()
        ticks = [*waiting.ticks, *ticks_between(extract.header, waiting.seen, known.now)]
        if not ticks:
            return None, ()
        behind = tuple(
            each.path
            for each in known.readiness.upstream(extract)
            if not known.readiness.settled(each, ticks[-1])
        )
        return (ticks[-1], behind) if behind else (None, ())
    if trigger is Trigger.UPSTREAM:
        upstream = upstream_of(extract, known.readiness.extracts)
        return None, tuple(each.path for each in upstream if known.attempts.get(each.path))
    return None, ()


def _does_not_count(extract: Extract, readiness: Readiness) -> dict[str, str]:
    """The upstream extracts that nothing waits for, and why."""
    counting = {each.path for each in readiness.upstream(extract)}
    return {
        path: "disabled" if path in readiness.extracts else "invalid"
        for path in extract.header.depends_on
        if path not in counting
    }


def _success(made: Materialization, code_version: str | None) -> Success:
    """`code_version`: of the loaded SQL, if it is valid."""
    entries, by = made.metadata, made.tags.get(CODE_VERSION_TAG)
    return Success(
        at=made.at,
        run_id=made.run_id,
        partition=made.partition,
        outcome=str(entries.get("outcome") or ""),
        rows=entries.get("dagster/row_count"),
        rows_change=entries.get("rows_change"),
        seconds=entries.get("seconds"),
        usual_seconds=entries.get("seconds_usual"),
        uri=entries.get("dagster/uri"),
        version_id=entries.get("s3_version_id"),
        by_other_sql=None not in (by, code_version) and by != code_version,
    )


def _attempt(attempt: LatestAttempt) -> Attempt:
    outcomes = {State.FAILED: Outcome.FAILED, State.SKIPPED: Outcome.SKIPPED}
    outcome = outcomes.get(attempt.state, Outcome.QUEUED if attempt.queued else Outcome.RUNNING)
    if attempt.cause is Cause.AUDIT:
        outcome = Outcome.REFUSED
    return Attempt(
        outcome=outcome,
        run_id=attempt.run_id,
        at=attempt.at,
        partition=attempt.partition,
        cause=attempt.cause.value if attempt.cause else None,
        report=attempt.failure_report,
    )


def _explained(
    instance: dg.DagsterInstance, attempts: Iterable[LatestAttempt], explanations: Explanations
) -> Iterator[LatestAttempt]:
    """The attempts, each of the newest failures with its cause and its failure report."""
    newest = sorted(attempts, key=lambda each: each.at, reverse=True)
    failed = 0
    for each in newest:
        failed += each.state is State.FAILED
        yield explanations.explained(instance, each) if failed <= _MOST_EXPLAINED else each


def _cancelled(
    instance: dg.DagsterInstance,
    extracts: Extracts,
    latest: Mapping[str, Latest],
    attempts: Mapping[str, Sequence[Attempt]],
) -> Iterator[tuple[str, Attempt]]:
    """The newest runs of extracts that were cancelled; they say nothing about the data."""
    runs = {
        found.run_id: path
        for path, found in latest.items()
        if found.run_id
        and path in extracts
        and path not in attempts
        and not extracts[path].header.partitions
        and (found.materialized is None or found.materialized.run_id != found.run_id)
    }
    wanted = list(runs)
    for start in range(0, len(wanted), _BATCH):
        for record in instance.get_run_records(
            dg.RunsFilter(
                run_ids=wanted[start : start + _BATCH],
                statuses=[dg.DagsterRunStatus.CANCELED],
            )
        ):
            run_id = record.dagster_run.run_id
            at = record.create_timestamp.replace(tzinfo=UTC)
            yield runs[run_id], Attempt(outcome=Outcome.CANCELLED, run_id=run_id, at=at)

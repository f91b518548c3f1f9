"""Keeps the page for whoever is on call up to date: what is wrong, the last day, the last month.

It is built anew when a run or a state has changed, and every ten minutes, because ages grow. Like
the catalogue's sensor, this one is busy for at most a twentieth of the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import dagster as dg
from pydantic import AwareDatetime, BaseModel

from extract_project.layout import OPERATIONS_PAGE
from extract_project.manifest.extract import InvalidExtract
from extract_project.operations.activity import HOURS, Activity
from extract_project.operations.keeping import keep, kept_activity
from extract_project.operations.line import lines_of
from extract_project.operations.part import Part
from extract_project.orchestration.load.loading import RefusedManifest
from extract_project.orchestration.names.instigators import location_of
from extract_project.orchestration.reports.ran import changed_runs, month_of
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.readiness import Extracts
from extract_project.orchestration.status.answering import read_facts
from extract_project.orchestration.status.before import ReadBefore
from extract_project.status.facts import Facts
from extract_project.status.reason import State

_INTERVAL_SECONDS = 60
_IDLE_SHARE = 20
_AT_LEAST_EVERY = timedelta(minutes=10)
_OVERLAP = timedelta(minutes=1)
"""Run records are dated by the clocks of several machines."""
_READING = timedelta(seconds=20)
"""How long an evaluation, which may take a minute, reads the last 30 days of extracts that are new
to the page. The next ones go on."""


class OperationsCursor(BaseModel):
    """The state from which the page was last built."""

    states: str = ""
    """Digest of the states of all extracts and of the deployment."""
    built_at: AwareDatetime | None = None
    not_before: AwareDatetime | None = None


def operations_sensor(
    extracts: Extracts,
    invalid: Sequence[InvalidExtract],
    location: CodeLocation,
    refused: RefusedManifest | None,
    before: ReadBefore,
) -> dg.SensorDefinition:
    """Keeps a code location's part of the page, which it shares with those that publish there."""
    place = f"{location.settings.data.uri}/{OPERATIONS_PAGE}"

    @dg.sensor(
        name="operations",
        description=f"keeps the page for whoever is on call: {place}; extract operations opens it",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        jobs=[],
    )
    def operations(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        cursor = OperationsCursor.model_validate_json(context.cursor or "{}")
        if cursor.not_before and now < cursor.not_before:
            return dg.SkipReason(f"the next page is built at {cursor.not_before:%H:%M:%S} UTC")
        facts = read_facts(
            context.instance,
            extracts,
            invalid,
            location,
            location_name=location_of(context, location.settings),
            refused=refused,
            before=before,
        )
        data, manifest = location.connect().data, location.settings.manifest.uri
        known = kept_activity(data, manifest)
        activity, is_news = _brought_up_to(context.instance, known, facts, now)
        part = Part(manifest=manifest, facts=facts, activity=activity)
        states = _states(part)
        is_due = cursor.built_at is None or now - cursor.built_at >= _AT_LEAST_EVERY
        if not is_news and states == cursor.states and not is_due:
            return dg.SkipReason("nothing has changed since the page was built")
        keep(data, part)
        took = datetime.now(UTC) - now
        built = OperationsCursor(states=states, built_at=now, not_before=now + _IDLE_SHARE * took)
        context.update_cursor(built.model_dump_json())
        return dg.SkipReason(f"{place}: {_counts(part)}; in {took.total_seconds():.1f} s")

    return operations


def _brought_up_to(
    instance: dg.DagsterInstance, known: Activity, facts: Facts, now: datetime
) -> tuple[Activity, bool]:
    """The activity with what has happened since it was kept, and whether that is anything."""
    paths = facts.extracts.keys()
    since = known.looked_at - _OVERLAP if known.looked_at else now - HOURS
    look = changed_runs(instance, paths, since, now)
    results, read = list(look.results), set[str]()
    for path in sorted(paths - known.read):
        if datetime.now(UTC) - now > _READING:
            break
        results += month_of(instance, path, now)
        read.add(path)
    activity = known.with_runs(look.bars).with_results(results)
    activity = activity.model_copy(update={"read": known.read | read}).without(paths, now)
    is_news = bool(read) or activity.bars != known.bars or activity.days != known.days
    return activity.model_copy(update={"looked_at": look.until}), is_news


def _states(part: Part) -> str:
    lines = sorted((line.path, line.state, line.reason.kind) for line in lines_of(part))
    found = part.facts.deployment
    around = (
        [each.name for each in found.silent_daemons],
        [each.name for each in found.switched_off],
        found.manifest.refused,
    )
    return sha256(repr((lines, around)).encode()).hexdigest()[:16]


def _counts(part: Part) -> str:
    """`2 failed, 1 late, 40 fine`."""
    counts = Counter(line.state for line in lines_of(part))
    return ", ".join(f"{counts[state]:,} {state}" for state in State if counts[state])

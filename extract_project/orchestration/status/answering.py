"""The sensor that answers `extract status` and `extract why`, in one request.

It never launches anything. A dry run of it, with a question as its cursor, returns the facts as its
new cursor: what is known is read beside the instance's storage, and the command line needs no
rights but access to the webserver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import dagster as dg

from extract_project.deployment.questions import as_cursor, question_in
from extract_project.manifest.extract import InvalidExtract
from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.load.loading import RefusedManifest
from extract_project.orchestration.names.instigators import instigator_states, location_of
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.downstream import DOWNSTREAM_SENSOR, DownstreamCursor
from extract_project.orchestration.starts.readiness import Extracts
from extract_project.orchestration.status import surroundings
from extract_project.orchestration.status.before import ReadBefore
from extract_project.orchestration.status.extracts import extract_facts
from extract_project.outcome import Outcome
from extract_project.status.facts import DeploymentFacts, ExtractFacts, Facts, Manifest
from extract_project.status.question import SENSOR, StatusQuestion

WATCHERS = ("manifest", "invalid_sql_files")
"""Sensors that start no extract, and without which nothing new becomes live."""


def status_sensor(
    extracts: Extracts,
    invalid: Sequence[InvalidExtract],
    location: CodeLocation,
    refused: RefusedManifest | None,
    before: ReadBefore,
) -> dg.SensorDefinition:
    """The sensor; off by default, since it has nothing to do by itself."""

    @dg.sensor(
        name=SENSOR,
        description="answers the commands extract status and extract why; nothing to switch on",
        default_status=dg.DefaultSensorStatus.STOPPED,
    )
    def status(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        question = question_in(context.cursor, StatusQuestion)
        if question is None:
            return dg.SkipReason("nothing was asked")
        facts = read_facts(
            context.instance,
            _asked(question, extracts),
            [each for each in invalid if question.extract in (None, each.path)],
            location,
            location_name=location_of(context, location.settings),
            refused=refused,
            before=before,
        )
        return dg.SensorResult(cursor=as_cursor(facts))

    return status


def _asked(question: StatusQuestion, extracts: Extracts) -> Extracts:
    if question.extract is None:
        return extracts
    one = extracts.get(question.extract)
    return with_all_upstream([one], extracts) if one else {}


def read_facts(
    instance: dg.DagsterInstance,
    extracts: Extracts,
    invalid: Iterable[InvalidExtract],
    location: CodeLocation,
    *,
    location_name: str,
    refused: RefusedManifest | None = None,
    before: ReadBefore | None = None,
) -> Facts:
    """All facts about these extracts, at this moment.

    `before`: what was read for earlier answers.
    """
    now = datetime.now(UTC)
    states = instigator_states(instance, location_name)
    waiting = surroundings.cursor_of(states, DOWNSTREAM_SENSOR)
    found, elsewhere = extract_facts(
        instance,
        extracts,
        invalid,
        DownstreamCursor.model_validate_json(waiting or "{}"),
        now,
        before=before or ReadBefore(),
        elsewhere=location.elsewhere,
    )
    queued, running, most = surroundings.queue(instance)
    deployment = DeploymentFacts(
        at=now,
        url=location.settings.dagster_url,
        manifest=Manifest(
            snapshot=location.snapshot_id,
            extracts=len(found),
            refused=refused.reason if refused else None,
        ),
        daemons=surroundings.daemons(instance),
        starters=surroundings.starters(
            instance, states, [*WATCHERS, *_starter_names(found.values())]
        ),
        pools=surroundings.pools(instance, _running_by_pool(found.values())),
        queued=queued,
        running=running,
        most_running=most,
    )
    return Facts(deployment=deployment, extracts=found, elsewhere=elsewhere)


def _starter_names(extracts: Iterable[ExtractFacts]) -> list[str]:
    return sorted({each.starter for each in extracts if each.starter})


def _running_by_pool(extracts: Iterable[ExtractFacts]) -> Counter[str]:
    """How many extracts of each pool are running; pools without any count 0."""
    found: Counter[str] = Counter()
    for extract in extracts:
        if extract.pool:
            found[extract.pool] += sum(
                attempt.outcome is Outcome.RUNNING for attempt in extract.attempts
            )
    return found

"""Rerun exactly what failed: from the command line, from the UI, or automatically.

The sensor serves two purposes. If it is on, it reruns transient failures automatically, within
limits. On or off, it answers the command line: evaluated with a question as its cursor (a dry run,
through the GraphQL API), it returns the answer as the new cursor.

(Without postponed annotations, since Dagster inspects the type of an op's `context`.)
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from extract_project.deployment import questions
from extract_project.deployment.client import Deployment
from extract_project.deployment.failed import SENSOR, Question, ago, launch
from extract_project.deployment.tags import RERUN_NUMBER_TAG
from extract_project.errors import Cause
from extract_project.manifest.extract import Extract
from extract_project.orchestration.failed.attempts import LatestAttempt
from extract_project.orchestration.failed.failed import answer, failures
from extract_project.orchestration.names.keys import RERUN_JOB, RERUN_OP, asset_key
from extract_project.orchestration.names.requests import run_request, wants_full_refresh
from extract_project.settings import Settings

_INTERVAL_SECONDS = 60
_PASSING = {Cause.NETWORK, Cause.BUSY, Cause.S3, Cause.KILLED}
_MOST_IN_A_ROW = 2
"""The most automatic reruns of an extract in a row. After that, a person has to look at it."""
_MOST_AT_A_TIME = 20
_PAUSE = timedelta(minutes=2)
_LOOK_BACK = timedelta(days=1)


def rerun_sensor(extracts: Iterable[Extract]) -> dg.SensorDefinition:
    """A sensor that reruns transient failures automatically; off by default."""
    known = list(extracts)

    @dg.sensor(
        name=SENSOR,
        description=(
            "reruns transient failures (network, busy warehouse, S3, killed), each extract up to "
            f"{_MOST_IN_A_ROW} times in a row; off by default"
        ),
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        asset_selection=[asset_key(each.path) for each in known] or None,
        jobs=None if known else [],
    )
    def rerun_failed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        question = questions.question_in(context.cursor, Question)
        if question:
            answered = answer(context.instance, known, question)
            return dg.SensorResult(cursor=questions.as_cursor(answered))
        now = datetime.now(UTC)
        found = failures(context.instance, known, Question(since=now - _LOOK_BACK))
        requests = list(_by_itself(context.instance, found, now))[:_MOST_AT_A_TIME]
        reason = f"{len(found)} failures, none to rerun automatically now"
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else reason)

    return rerun_failed


def rerun_job(extracts: Iterable[Extract], settings: Settings) -> dg.JobDefinition:
    """A job for the UI that launches a run for each failure."""
    known = list(extracts)

    @dg.op(
        name=RERUN_OP,
        config_schema={
            "group": dg.Field(str, is_required=False, description="only extracts of this group"),
            "since": dg.Field(
                str, is_required=False, description="only failures within this time, as in 6h"
            ),
        },
    )
    def launch_reruns(context: dg.OpExecutionContext) -> None:
        config = context.op_config
        question = Question(group=config.get("group"), since=ago(config.get("since")))
        answered = answer(context.instance, known, question)
        if not answered.reruns:
            context.log.info("no extract's latest attempt failed: nothing to rerun")
        origin = context.run.remote_job_origin
        location = origin.location_name if origin else settings.location
        deployment = Deployment(settings.dagster_url, location)
        for run_id, members in launch(deployment, answered):
            names = ", ".join(each.name for each in members)
            context.log.info("run %s of %s", run_id, names)

    @dg.job(
        name=RERUN_JOB,
        description="launches a run for each extract and partition whose latest attempt failed",
        executor_def=dg.in_process_executor,
    )
    def rerun_failed_extracts() -> None:
        launch_reruns()

    return rerun_failed_extracts


def _by_itself(
    instance: dg.DagsterInstance, found: Sequence[Sequence[LatestAttempt]], now: datetime
) -> Iterator[dg.RunRequest]:
    for run in found:
        first = run[0]
        failed = instance.get_run_record_by_id(first.run_id)
        if failed is None or first.cause not in _PASSING:
            continue
        ended = datetime.fromtimestamp(failed.end_time or now.timestamp(), UTC)
        full = {"full_refresh": "true"} if wants_full_refresh(failed.dagster_run) else {}
        number = int(failed.dagster_run.tags.get(RERUN_NUMBER_TAG, "0")) + 1
        if number > _MOST_IN_A_ROW or now - ended < _PAUSE * number:
            continue
        yield run_request(
            f"{first.name} after {first.run_id}",
            [each.extract for each in run],
            first.partition,
            cause="rerun",
            rerun_of=first.run_id,
            rerun_number=str(number),
            **full,
        )

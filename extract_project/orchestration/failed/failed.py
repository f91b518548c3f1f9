"""The failures, grouped into the runs that would fix them, for the command line, UI and sensor.

Each failed extract or partition gets its own run. Extracts skipped because of it follow in the same
run, in dependency order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from extract_project.deployment.failed import Answer, FailedExtract, Question, Rerun
from extract_project.deployment.tags import FULL_REFRESH_TAG, RERUN_OF_TAG
from extract_project.manifest.extract import Extract
from extract_project.orchestration.failed.attempts import (
    LatestAttempt,
    State,
    explained,
    unfinished_business,
)
from extract_project.orchestration.names.keys import group_name
from extract_project.orchestration.names.requests import run_tags, wants_full_refresh


def answer(instance: dg.DagsterInstance, extracts: Sequence[Extract], question: Question) -> Answer:
    """The answer to a question about failures."""
    attempts = _asked_for(unfinished_business(instance, extracts), question)
    return Answer(
        reruns=tuple(
            Rerun(
                members=tuple(_plain(each) for each in run),
                tags=run_tags([each.extract for each in run])
                | {RERUN_OF_TAG: run[0].run_id}
                | carried_on(instance, run[0].run_id),
            )
            for run in _grouped(instance, extracts, attempts)
        ),
        running=tuple(each.name for each in attempts if each.state is State.RUNNING),
    )


def carried_on(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """The tags of a failed run to repeat in its rerun: what to do, but not why it was launched."""
    run = instance.get_run_by_id(run_id)
    return {FULL_REFRESH_TAG: "true"} if run and wants_full_refresh(run) else {}


def failures(
    instance: dg.DagsterInstance, extracts: Sequence[Extract], question: Question
) -> list[list[LatestAttempt]]:
    """Failed attempts with their causes. Each list belongs into one run, the failed one first."""
    attempts = _asked_for(unfinished_business(instance, extracts), question)
    return _grouped(instance, extracts, attempts)


def _asked_for(attempts: Iterable[LatestAttempt], question: Question) -> list[LatestAttempt]:
    return [
        each
        for each in attempts
        if (question.group is None or group_name(each.extract) == question.group)
        and (question.since is None or each.at >= question.since)
    ]


def _grouped(
    instance: dg.DagsterInstance, extracts: Iterable[Extract], attempts: Sequence[LatestAttempt]
) -> list[list[LatestAttempt]]:
    known = {extract.path: extract for extract in extracts}
    runs = [[explained(instance, each)] for each in attempts if each.state is State.FAILED]
    for skipped in (each for each in attempts if each.state is State.SKIPPED):
        # An extract that was skipped because of two failures goes with the first of them.
        for run in runs:
            if _held_up(skipped, run[0], known):
                run.append(skipped)
                break
        else:
            runs.append([skipped])
    return runs


def _held_up(skipped: LatestAttempt, failed: LatestAttempt, known: Mapping[str, Extract]) -> bool:
    if (skipped.run_id, skipped.partition) != (failed.run_id, failed.partition):
        return False
    coming, before = [skipped.extract.path], set()
    while coming:
        extract = known.get(coming.pop())
        for path in extract.header.depends_on if extract else ():
            if path not in before:
                before.add(path)
                coming.append(path)
    return failed.extract.path in before


def _plain(attempt: LatestAttempt) -> FailedExtract:
    return FailedExtract(
        extract=attempt.extract.path,
        partition=attempt.partition,
        group=group_name(attempt.extract),
        state=attempt.state.value,
        cause=attempt.cause.value if attempt.cause else None,
        run_id=attempt.run_id,
        at=attempt.at,
        failure_report=attempt.failure_report,
    )

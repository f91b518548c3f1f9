"""Say what became of a run: as text for people, or as the answer of `--json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from extract_project.cli.console import NO, OK, Terminal, out
from extract_project.cli.outcomes import RanExtract, RunAnswer
from extract_project.cli.running.launching import Interrupted
from extract_project.deployment.client import Deployment
from extract_project.deployment.outcome import outcome_of
from extract_project.deployment.run import Run, Step
from extract_project.errors import Cause
from extract_project.outcome import Outcome

_OUTCOMES: Mapping[str, Outcome] = {
    "SUCCESS": Outcome.SUCCEEDED,
    "FAILURE": Outcome.FAILED,
    "SKIPPED": Outcome.SKIPPED,
    "IN_PROGRESS": Outcome.RUNNING,
}


def report(run: Run, told: Terminal) -> None:
    """Print the result or the failure report of each extract of a finished run."""
    for step in run.steps:
        if step.result:
            told.print(f"{step.path}: {step.result}")
        if step.error:
            told.print(step.error)


def say_and_exit(
    watched: Callable[[], Run], now: Callable[[str], Run], answer: Callable[[Run], None] | None
) -> NoReturn:
    """Watch a run to its end, say what became of it, and exit with 0 or 1.

    `answer` prints a run with --json, also as it is `now` when the watching is interrupted: that
    still raises Interrupted. Without `answer`, its end is told as text.
    """
    try:
        ended = watched()
    except Interrupted as interrupted:
        if answer:
            answer(now(interrupted.run_id))
        raise
    if answer:
        answer(ended)
    else:
        report(ended, out)
    raise SystemExit(OK if ended.status == "SUCCESS" else NO)


def run_answer(
    deployment: Deployment, run: Run, sql_versions: Mapping[str, str | None]
) -> RunAnswer:
    """A run as it is now; `sql_versions` are what it was launched with, as far as is known."""
    return RunAnswer(
        run_id=run.run_id,
        url=deployment.page(run.run_id),
        outcome=outcome_of(run.status, run.failure),
        partition=run.partition,
        extracts=tuple(_extract(run, step, sql_versions.get(step.path)) for step in run.steps),
    )


def _extract(run: Run, step: Step, sql_version: str | None) -> RanExtract:
    result = step.result
    return RanExtract(
        extract=step.path,
        outcome=_outcome(run, step),
        result=result and result.outcome,
        rows=result and result.rows,
        bytes=result and result.bytes,
        uri=result and result.uri,
        version_id=result and result.version_id,
        sql_version=(result and result.sql_version) or sql_version,
        cause=step.cause,
        failure_report=step.error or None,
    )


def _outcome(run: Run, step: Step) -> Outcome:
    if step.cause == Cause.AUDIT:
        return Outcome.REFUSED
    if step.cause == Cause.CANCELLED:
        return Outcome.CANCELLED
    if run.finished and step.status in ("WAITING", "IN_PROGRESS", ""):
        return Outcome.CANCELLED if run.status == "CANCELED" else Outcome.FAILED
    return _OUTCOMES.get(step.status, Outcome.QUEUED)

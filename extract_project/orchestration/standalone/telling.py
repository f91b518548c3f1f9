"""Tell people what failed, and a Dagster instance what was materialized.

No sensor is there to do it later, so the process itself sends a message before it ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg

from extract_project.alerts.message import Alert, Kind, compose
from extract_project.errors import AlertError, Cause, ExtractError
from extract_project.orchestration.run.failures import cause_of
from extract_project.orchestration.standalone.chosen import Chosen
from extract_project.orchestration.standalone.materializing import STOPPED, Materialized
from extract_project.settings import Settings

_RELEASE = re.compile(r"; to publish this one: extract release .*")
_SHOWN = 5
_COMMAND = "extract materialize"


def without_deployment(done: Materialized) -> Materialized:
    """The same, with commands in its failure report that need no deployment."""
    chosen, path = done.chosen, done.chosen.extract.path
    report = _RELEASE.sub("", done.failure_report)
    report = report.replace(f"extract run {path}", f"{_COMMAND} {path}")
    report = report.replace("extract rerun --failed", _again(chosen))
    return replace(done, failure_report=report)


def _again(chosen: Chosen) -> str:
    """The command that materializes it again."""
    partition = f" --partition {chosen.partition}" if chosen.partition else ""
    return f"{_COMMAND} {chosen.extract.path}{partition}"


def alert_failures(settings: Settings, everything: Iterable[Materialized]) -> list[str]:
    """Send one message about everything that has failed; returns why it was not sent.

    A run that was superseded is none of it: readers have newer data than its own.
    """
    failed = _failed(everything)
    return _send(settings, _alerts(failed), [_again(each.chosen) for each in failed])


def _failed(everything: Iterable[Materialized]) -> list[Materialized]:
    return [
        each for each in everything if each.failure_report and each.cause is not Cause.SUPERSEDED
    ]


def _alerts(failed: Iterable[Materialized]) -> list[Alert]:
    return [
        Alert(
            kind=Kind.REFUSED if each.cause is Cause.AUDIT else Kind.FAILED,
            extract=each.chosen.extract.path,
            partition=each.chosen.partition,
            cause=each.cause.value if each.cause else "",
            failure_report=each.failure_report,
            run_url=None,
            run_id=each.run_id,
        )
        for each in failed
    ]


def alert_error(
    settings: Settings,
    names: Sequence[str],
    error: Exception | KeyboardInterrupt,
    before: Iterable[Materialized],
) -> list[str]:
    """The same about an error that ended the command, and about what had failed before it."""
    if isinstance(error, KeyboardInterrupt):
        report, cause = STOPPED, Cause.CANCELLED
    else:
        known = isinstance(error, ExtractError)
        report = str(error) if known else f"an unexpected {type(error).__name__}: {error}"
        cause = cause_of(error)
    alerts = [Alert(Kind.FAILED, name, None, cause.value, report, None, None) for name in names]
    everything = [*_alerts(_failed(before)), *alerts]
    return _send(settings, everything, [f"{_COMMAND} {' '.join(names)}"])


def _send(settings: Settings, alerts: Sequence[Alert], commands: Sequence[str]) -> list[str]:
    if not alerts:
        return []
    message = compose(alerts, settings.data.uri, commands[:_SHOWN])
    unsent = []
    for channel in settings.alerts.channels:
        try:
            channel.send(message)
        except AlertError as error:
            unsent.append(f"{channel.name}: {error}")
    return unsent


def report_events(home: Path | None, done: Materialized) -> str | None:
    """Report what was recorded about the asset to the Dagster instance in DAGSTER_HOME.

    They are events without a run: the daemon of a deployment would take a run that it has not
    launched for one whose process is gone. Returns why they were not reported; None if they were,
    or if there is no instance.
    """
    if home is None or not (home / "dagster.yaml").is_file():
        return None
    try:
        with dg.DagsterInstance.get() as instance:
            for event in done.events:
                instance.report_runless_asset_event(event)
    except Exception as error:  # of its storage, whichever that is; the version is published
        return f"{done.chosen.name} is not in Dagster's history: {error}"
    return None

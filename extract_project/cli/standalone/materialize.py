"""`extract materialize`: materialize extracts in this process, without a Dagster deployment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    BAD,
    CANNOT,
    GOOD,
    INTERRUPTED,
    NO,
    OK,
    err,
    explains_itself,
    json_option,
    marked,
    moment,
    out,
    partition_option,
)
from extract_project.cli.outcomes import MaterializeAnswer, MaterializedExtract
from extract_project.errors import Cause
from extract_project.outcome import Outcome
from extract_project.process import without_collection
from extract_project.settings import Settings, load_settings

if TYPE_CHECKING:
    from extract_project.orchestration.standalone.materializing import Materialized
    from extract_project.orchestration.standalone.signals import Signals


@click.command()
@click.argument("extracts", nargs=-1, required=True, shell_complete=extract_names)
@partition_option
@click.option(
    "--tick",
    callback=moment,
    help="The partitions that are due at a time of the schedule, as in 2026-01-01T06:00 (UTC).",
)
@click.option(
    "--full-refresh", is_flag=True, help="Query everything again, also for incremental extracts."
)
@json_option
@explains_itself
def materialize(
    *,
    extracts: tuple[str, ...],
    partition: str | None,
    tick: datetime | None,
    full_refresh: bool,
    as_json: bool,
) -> None:
    """Materialize EXTRACTS (folder/name) in this process, without a Dagster deployment.

    It does what a run does, with the newest SQL in the bucket: one extract after the other,
    upstream first. It waits for no upstream extract that is not named. A failure is sent to the
    channels of EXTRACT_ALERTS__… at once. Ctrl-C and SIGTERM cancel the query. Exit code 1 when one
    fails, 2 when that could not be sent, 130 when it was interrupted.

    \b
    extract materialize sales/orders
    extract materialize sales/order_lines --partition 2026-01-01
    extract materialize sales/order_lines --tick 2026-01-02T06:00:00Z
    """
    with without_collection():
        from extract_project.orchestration.standalone.signals import watching_signals
        from extract_project.orchestration.standalone.telling import alert_error, alert_failures

    if partition is not None and tick is not None:
        raise click.UsageError("--partition and --tick are two ways to say it: give one of them")
    settings = load_settings()
    done: list[Materialized] = []
    with watching_signals() as signals:
        try:
            snapshot_id, running = _begun(
                settings, extracts, partition, tick, full_refresh=full_refresh, signals=signals
            )
            for each in running:
                done.append(each)
                if not as_json:
                    _say(each)
        except (Exception, KeyboardInterrupt) as error:  # nobody reads the standard error of a task
            if signals.from_outside or not isinstance(error, KeyboardInterrupt):
                _warn(alert_error(settings, extracts, error, done))
            raise
        interrupted = signals.arrived and any(each.stopped for each in done)
        unsent: Sequence[str] = ()
        if signals.from_outside or not interrupted:
            unsent = alert_failures(settings, done)
            _warn(unsent)
    if as_json:
        answer = {"snapshot": snapshot_id, "extracts": [_plain(each) for each in done]}
        print_answer(MaterializeAnswer, answer)
    well = all(each.result for each in done)
    raise SystemExit(INTERRUPTED if interrupted else CANNOT if unsent else OK if well else NO)


def _begun(
    settings: Settings,
    names: Sequence[str],
    partition: str | None,
    tick: datetime | None,
    *,
    full_refresh: bool,
    signals: Signals,
) -> tuple[str, Iterator[Materialized]]:
    """Take a snapshot, and begin; returns its id, and what becomes of each extract."""
    from extract_project.deployment.tags import FULL_REFRESH_TAG
    from extract_project.manifest.snapshot import marked_snapshot
    from extract_project.orchestration.load.loading import current_snapshot
    from extract_project.orchestration.run.code_location import CodeLocation
    from extract_project.orchestration.standalone.chosen import choose
    from extract_project.orchestration.standalone.materializing import materialize as run
    from extract_project.orchestration.standalone.telling import report_events, without_deployment

    folders = settings.connect()
    folders.data.store.require_versioning()
    known = marked_snapshot(folders.state, folders.manifest.uri)
    snapshot_id, snapshot = current_snapshot(
        folders, settings.dialects, known[1] if known else None
    )
    work = choose(snapshot, names, partition, tick)
    if not work:
        err.print("nothing is due: it is not enabled, or its first partition is not over yet")
    location = CodeLocation(settings, settings.connect, snapshot_id)
    tags = {FULL_REFRESH_TAG: "true"} if full_refresh else {}

    def running() -> Iterator[Materialized]:
        for each in run(work, location, snapshot.paths, tags, signals):
            unreported = report_events(settings.dagster_home, each)
            if unreported:
                _warn([unreported])
            yield without_deployment(each)

    return snapshot_id, running()


def _say(done: Materialized) -> None:
    """Print what became of it; where nobody reads that, the work goes on."""
    with suppress(OSError, SystemExit):  # rich ends the process when its pipe is closed
        if done.result:
            out.print(marked(GOOD, f"{done.chosen.name}: {done.result}"))
        else:
            out.print(marked(BAD, done.chosen.name))
            out.print(done.failure_report)


def _warn(messages: Sequence[str]) -> None:
    for message in messages:
        err.print(marked(Text("!", "yellow"), message))


def _plain(done: Materialized) -> MaterializedExtract:
    result = done.result
    return MaterializedExtract(
        extract=done.chosen.extract.path,
        partition=done.chosen.partition,
        run_id=done.run_id,
        outcome=_outcome(done),
        result=result and result.outcome,
        rows=result and result.rows,
        bytes=result and result.bytes,
        uri=result and result.uri,
        version_id=result and result.version_id,
        sql_version=done.chosen.extract.source.version_id,
        cause=done.cause,
        failure_report=done.failure_report or None,
    )


def _outcome(done: Materialized) -> Outcome:
    if done.result:
        return Outcome.SUCCEEDED
    if done.run_id is None:
        return Outcome.SKIPPED
    if done.stopped or done.cause is Cause.CANCELLED:
        return Outcome.CANCELLED
    return Outcome.REFUSED if done.cause is Cause.AUDIT else Outcome.FAILED

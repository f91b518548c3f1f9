"""`extract backfill`: run many partitions of an extract, a run each."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    BAD,
    GOOD,
    INTERRUPTED,
    NO,
    OK,
    Description,
    err,
    explains_itself,
    json_option,
    marked,
    out,
)
from extract_project.cli.outcomes import BackfillAnswer, BackfilledPartition
from extract_project.cli.running.launching import again, cancel_option
from extract_project.cli.running.newest import (
    as_loaded_option,
    known_extracts,
    newest,
    require_valid,
    say_versions,
)
from extract_project.errors import ExtractError
from extract_project.manifest.names import no_extract
from extract_project.outcome import Outcome
from extract_project.settings import load_settings
from extract_project.wording import some

if TYPE_CHECKING:
    from extract_project.deployment.backfill import Backfill
    from extract_project.deployment.client import Deployment

_POLL_SECONDS = 1.0
_SHARE = 5
"""The pause is so many times as long as an answer took: of thousands of runs it takes seconds."""
_ENDED = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.REFUSED, Outcome.CANCELLED)


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.option("--from", "first", metavar="PARTITION", help="The first partition.")
@click.option("--to", "last", metavar="PARTITION", help="The last partition, included.")
@click.option("--missing", is_flag=True, help="Only partitions that were never published.")
@click.option("--all", "everything", is_flag=True, help="All partitions.")
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
@click.option("--no-wait", is_flag=True, help="Launch the backfill, but do not wait for its end.")
@as_loaded_option
@cancel_option
@json_option
@explains_itself
def backfill(
    *,
    extract: str,
    first: str | None,
    last: str | None,
    missing: bool,
    everything: bool,
    yes: bool,
    no_wait: bool,
    as_loaded: bool,
    cancel_on_interrupt: bool,
    as_json: bool,
) -> None:
    """Run many partitions of EXTRACT, each in a run of its own, and wait.

    Dagster launches as many at once as the pool of the extract and the limits of the deployment
    allow. Ctrl-C ends only the waiting: a second one cancels the backfill. Exit code 1 when a
    partition fails, 130 after Ctrl-C.

    \b
    extract backfill sales/order_lines --from 2026-01-01 --to 2026-01-31
    extract backfill sales/order_lines --missing
    """
    from extract_project.deployment.backfill import (
        cancel_backfill,
        chosen,
        launch_backfill,
        page,
        read_backfill,
        read_partitions,
    )
    from extract_project.deployment.having import location_having

    if not (first or last or missing or everything):
        raise click.UsageError("no partitions: give --from and --to, --missing, or --all")
    if everything and (first or last or missing):
        raise click.UsageError("--all is every partition: leave out --from, --to and --missing")
    deployment = location_having(load_settings(), [extract])
    loaded = newest(deployment, [extract], as_loaded=as_loaded)
    require_valid(loaded, [extract])
    known = known_extracts(deployment, loaded)
    if extract not in known:
        raise ExtractError(no_extract(extract, known))
    say_versions(loaded, [extract])
    partitions = chosen(extract, read_partitions(deployment, extract), first, last, missing=missing)
    if not partitions:
        (err if as_json else out).print(marked(GOOD, "no partition is missing: nothing to run"))
        if as_json:
            print_answer(BackfillAnswer, _nothing(extract))
        raise SystemExit(OK)
    if not yes and err.is_terminal:
        question = f"run {_told(partitions)} of {extract}?"
        click.confirm(question, default=True, abort=True, err=True)
    backfill_id = launch_backfill(deployment, extract, partitions)
    err.print(f"backfill {backfill_id}, {_told(partitions)}: {page(deployment, backfill_id)}")

    code = OK
    if not no_wait:
        try:
            _watch(deployment, extract, backfill_id, partitions)
        except KeyboardInterrupt:
            if cancel_on_interrupt or again(
                f"backfill {backfill_id}", page(deployment, backfill_id)
            ):
                cancel_backfill(deployment, backfill_id)
                err.print(f"backfill {backfill_id} is cancelled: its runs are being terminated")
            code = INTERRUPTED
    ended = read_backfill(deployment, backfill_id, partitions)
    if as_json:
        print_answer(BackfillAnswer, _answer(extract, ended, page(deployment, backfill_id)))
    elif ended.finished:
        _report(extract, ended)
    if ended.finished and ended.outcome is not Outcome.SUCCEEDED:
        code = code or NO
    raise SystemExit(code)


def _told(partitions: tuple[str, ...]) -> str:
    if len(partitions) == 1:
        return f"partition {partitions[0]}"
    return f"{len(partitions):,} partitions, {partitions[0]} to {partitions[-1]}"


def _watch(
    deployment: Deployment, extract: str, backfill_id: str, partitions: tuple[str, ...]
) -> None:
    """Show how many partitions have ended, until all have."""
    from extract_project.deployment.backfill import read_backfill

    columns = (Description(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(extract, total=len(partitions), mark="  ")
        while True:
            asked = time.monotonic()
            now = read_backfill(deployment, backfill_id, partitions)
            took = time.monotonic() - asked
            ended = sum(run.outcome in _ENDED for run in now.runs.values())
            progress.update(task, completed=ended)
            if now.finished:
                return
            time.sleep(max(_POLL_SECONDS, _SHARE * took))


def _report(extract: str, ended: Backfill) -> None:
    counts = Counter(run.outcome for run in ended.runs.values())
    told = ", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(counts.items()))
    well = ended.outcome is Outcome.SUCCEEDED
    out.print(marked(GOOD if well else BAD, f"{extract}: {told or 'nothing was run'}"))
    if ended.error:
        out.print(ended.error)
    not_run = [key for key in ended.partitions if key not in ended.runs]
    if not_run:
        out.print(f"not run: {some(not_run)}")
    bad = [
        key
        for key in ended.partitions
        if key in ended.runs and ended.runs[key].outcome in (Outcome.FAILED, Outcome.REFUSED)
    ]
    if bad:
        out.print(f"failed: {some(bad)}")
        out.print(f"For the reasons: extract failed {extract}; then: extract rerun {extract}")


def _nothing(extract: str) -> BackfillAnswer:
    return BackfillAnswer(
        extract=extract,
        backfill_id=None,
        url=None,
        outcome=Outcome.SUCCEEDED,
        error=None,
        partitions=(),
    )


def _answer(extract: str, found: Backfill, url: str) -> BackfillAnswer:
    return BackfillAnswer(
        extract=extract,
        backfill_id=found.backfill_id,
        url=url,
        outcome=found.outcome,
        error=found.error or None,
        partitions=tuple(
            BackfilledPartition(
                partition=key,
                outcome=found.runs[key].outcome if key in found.runs else Outcome.QUEUED,
                run_id=found.runs[key].run_id if key in found.runs else None,
            )
            for key in found.partitions
        ),
    )

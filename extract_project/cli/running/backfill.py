"""`extract backfill`: run many partitions of an extract, a run each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
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
    ready_to_run,
    say_versions,
)
from extract_project.errors import ExtractError
from extract_project.manifest.names import no_extract
from extract_project.outcome import Outcome
from extract_project.settings import load_settings
from extract_project.wording import some

if TYPE_CHECKING:
    from extract_project.deployment.backfill import Backfill

_POLL_SECONDS = 1.0
_SHARE = 5
"""The pause is so many times as long as an answer took: of thousands of runs it takes seconds."""
_BAD = (Outcome.FAILED, Outcome.REFUSED)
_ENDED = (Outcome.SUCCEEDED, Outcome.CANCELLED, *_BAD)


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

    if not (first or last or missing or everything):
        raise click.UsageError("no partitions: give --from and --to, --missing, or --all")
    if everything and (first or last or missing):
        raise click.UsageError("--all is every partition: leave out --from, --to and --missing")
    deployment, loaded, known = ready_to_run(load_settings(), [extract], as_loaded=as_loaded)
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
    url = page(deployment, backfill_id)
    err.print(f"backfill {backfill_id}, {_told(partitions)}: {url}")

    def now() -> Backfill:
        return read_backfill(deployment, backfill_id, partitions)

    code = OK
    try:
        found = now() if no_wait else _watched(extract, now)
    except KeyboardInterrupt:
        if cancel_on_interrupt or again(f"backfill {backfill_id}", url):
            cancel_backfill(deployment, backfill_id)
            err.print(f"backfill {backfill_id} is cancelled: its runs are being terminated")
        found, code = now(), INTERRUPTED
    if as_json:
        print_answer(BackfillAnswer, _answer(extract, found, url))
    elif found.finished:
        _report(extract, found)
    if found.finished and found.outcome is not Outcome.SUCCEEDED:
        code = code or NO
    raise SystemExit(code)


def _told(partitions: tuple[str, ...]) -> str:
    if len(partitions) == 1:
        return f"partition {partitions[0]}"
    return f"{len(partitions):,} partitions, {partitions[0]} to {partitions[-1]}"


def _watched(extract: str, now: Callable[[], Backfill]) -> Backfill:
    """Show how many partitions have ended, until all have; returns the end."""
    columns = (Description(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(extract, total=None, mark="  ")
        while True:
            asked = time.monotonic()
            found = now()
            took = time.monotonic() - asked
            ended = sum(run.outcome in _ENDED for run in found.runs)
            progress.update(task, total=len(found.runs), completed=ended)
            if found.finished:
                return found
            time.sleep(max(_POLL_SECONDS, _SHARE * took))


def _report(extract: str, ended: Backfill) -> None:
    counts = Counter(run.outcome for run in ended.runs if run.run_id)
    told = ", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(counts.items()))
    well = ended.outcome is Outcome.SUCCEEDED
    out.print(marked(GOOD if well else BAD, f"{extract}: {told or 'nothing was run'}"))
    if ended.error:
        out.print(ended.error)
    not_run = [run.partition for run in ended.runs if not run.run_id]
    if not_run:
        out.print(f"not run: {some(not_run)}")
    bad = [run.partition for run in ended.runs if run.outcome in _BAD]
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
            BackfilledPartition(partition=run.partition, outcome=run.outcome, run_id=run.run_id)
            for run in found.runs
        ),
    )

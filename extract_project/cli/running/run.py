"""`extract run`: materialize extracts through the running deployment, and wait."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from rich.text import Text

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    BAD,
    GOOD,
    Description,
    err,
    explains_itself,
    json_option,
    partition_option,
)
from extract_project.cli.outcomes import RunAnswer
from extract_project.cli.running.launching import cancel_option, launch_and_watch
from extract_project.cli.running.newest import (
    as_loaded_option,
    ready_to_run,
    say_versions,
)
from extract_project.errors import ExtractError, UnknownExtract
from extract_project.manifest.example_partition import require_partition
from extract_project.manifest.names import expanded, no_extract
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.run import Run

_POLL_SECONDS = 0.2
_MARKS = {"SUCCESS": GOOD, "FAILURE": BAD, "SKIPPED": Text("-", "yellow")}


@click.command()
@click.argument("extracts", nargs=-1, required=True, shell_complete=extract_names)
@partition_option
@click.option(
    "--full-refresh", is_flag=True, help="Query everything again, also for incremental extracts."
)
@as_loaded_option
@cancel_option
@json_option
@explains_itself
def run(
    *,
    extracts: tuple[str, ...],
    partition: str | None,
    full_refresh: bool,
    as_loaded: bool,
    cancel_on_interrupt: bool,
    as_json: bool,
) -> None:
    """Materialize EXTRACTS (folder/name) in one run, and wait.

    It runs the newest SQL: where the bucket has newer SQL than the deployment has loaded, it has
    the deployment reload first. Ctrl-C ends only the waiting: a second one terminates the run.
    Exit code 1 when one fails, 130 after Ctrl-C.

    \b
    extract run sales/orders finance/revenue
    extract run 'sales/*'
    extract run sales/order_lines --partition 2026-01-01
    """
    from extract_project.cli.running.ran import run_answer, say_and_exit

    settings = load_settings()
    deployment, loaded, known = ready_to_run(settings, extracts, as_loaded=as_loaded)
    paths = expanded(extracts, known)
    say_versions(loaded, paths)
    if partition is not None:
        from extract_project.cli.published.versions import resolve

        for path in paths:
            with suppress(UnknownExtract):  # in the manifest of another code location
                require_partition(resolve(settings, path), partition)

    def answer(run: Run) -> None:
        print_answer(RunAnswer, run_answer(deployment, run, loaded.versions))

    say_and_exit(
        lambda: run_and_watch(
            deployment,
            paths,
            partition,
            full_refresh=full_refresh,
            cancel_on_interrupt=cancel_on_interrupt,
        ),
        lambda run_id: deployment.run(run_id, known),
        answer if as_json else None,
    )


def run_and_watch(
    deployment: Deployment,
    paths: list[str],
    partition: str | None = None,
    *,
    full_refresh: bool = False,
    cancel_on_interrupt: bool = False,
) -> Run:
    """Launch one run of these extracts, or of one partition of them; show each one's progress.

    Returns the finished run.
    """
    from extract_project.deployment.tags import FULL_REFRESH_TAG

    known = deployment.extracts()
    for path in paths:
        if path not in known:
            raise ExtractError(no_extract(path, known))
    _require_partition(deployment.partitioned(), paths, partition)
    tags = {FULL_REFRESH_TAG: "true"} if full_refresh else {}
    return launch_and_watch(
        deployment,
        lambda: deployment.launch(paths, partition, tags),
        lambda run_id: watch(deployment, run_id, known, paths),
        cancel_on_interrupt=cancel_on_interrupt,
    )


def watch(deployment: Deployment, run_id: str, known: dict[str, str], paths: list[str]) -> Run:
    """Show each extract's progress in a run; returns the finished run.

    `known` is what `Deployment.extracts` gave.
    """
    columns = (
        SpinnerColumn(finished_text=" "),
        Description(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        tasks = {path: progress.add_task(path, total=1, start=False, mark="  ") for path in paths}
        while True:
            run = deployment.run(run_id, known)
            for step in run.steps:
                task = progress.tasks[tasks[step.path]]
                if step.status != "WAITING" and not task.started:
                    progress.start_task(task.id)
                if step.status in _MARKS and not task.finished:
                    mark = Text.assemble(_MARKS[step.status], " ")
                    progress.update(task.id, completed=1, mark=mark)
            if run.finished:
                return run
            time.sleep(_POLL_SECONDS)


def _require_partition(partitioned: set[str], paths: list[str], partition: str | None) -> None:
    """Require that --partition is given exactly if the extracts have partitions.

    One run cannot mix extracts with partitions and extracts without.
    """
    having, not_having = partitioned.intersection(paths), set(paths) - partitioned
    if having and partition is None:
        raise ExtractError(
            f"{', '.join(sorted(having))} has partitions: choose one with --partition, "
            f"or run many with extract backfill"
        )
    if not_having and partition is not None:
        raise ExtractError(
            f"{', '.join(sorted(not_having))} has no partitions: leave --partition out"
        )

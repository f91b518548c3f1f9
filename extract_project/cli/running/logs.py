"""`extract logs`: what the newest run of an extract has said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.text import Text

from extract_project.cli.completion import extract_names
from extract_project.cli.console import explains_itself, json_option, out
from extract_project.errors import ExtractError
from extract_project.manifest.names import no_extract
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.logs import LogLine

_POLL_SECONDS = 1.0
_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "dim"}


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.option("--run", "run_id", help="This run, by its id, instead of the newest.")
@click.option("--follow", is_flag=True, help="Wait for more until the run ends.")
@json_option
@explains_itself
def logs(*, extract: str, run_id: str | None, follow: bool, as_json: bool) -> None:
    """Print what the newest run of EXTRACT has said. Times are local.

    With --json, each event is one line of JSON.

    \b
    extract logs sales/orders --follow
    """
    from extract_project.deployment.having import location_having
    from extract_project.deployment.logs import RunLog

    path = extract.strip("/").removesuffix(".sql")
    deployment = location_having(load_settings(), [path])
    known = deployment.extracts()
    if path not in known:
        raise ExtractError(no_extract(path, known))
    log = RunLog(deployment, run_id or _newest_run(deployment, path), known[path])
    while True:
        for line in log.new():
            click.echo(line.model_dump_json()) if as_json else out.print(_text(line))
        if log.over or not follow:
            return
        time.sleep(_POLL_SECONDS)


def _newest_run(deployment: Deployment, path: str) -> str:
    from extract_project.deployment.status import ask_status

    facts = ask_status(deployment, path).extracts[path]
    runs = [(each.at, each.run_id) for each in facts.attempts]
    if facts.success is not None:
        runs.append((facts.success.at, facts.success.run_id))
    if not runs:
        raise ExtractError(f"{path} has never run: to run it now: extract run {path}")
    return max(runs)[1]


def _text(line: LogLine) -> Text:
    return Text.assemble(
        (f"{line.at.astimezone():%H:%M:%S} ", "dim"),
        (f"{line.level:<8} ", _COLOURS.get(line.level, "")),
        line.message or line.event or "",
    )

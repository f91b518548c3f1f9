"""`extract why`: why an extract does not run, is late, or waits; and what would make it run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    NO,
    explains_itself,
    json_option,
    out,
)
from extract_project.errors import DeploymentError, ExtractError
from extract_project.manifest.names import no_extract
from extract_project.settings import load_settings
from extract_project.status import words
from extract_project.status.explanation import Explanation, explain, not_loaded
from extract_project.status.reason import State

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment

_FINE = (State.FINE, State.RUNNING, State.DISABLED)


@click.command()
@click.argument("extract", shell_complete=extract_names)
@json_option
@explains_itself
def why(extract: str, as_json: bool) -> None:
    """Say why EXTRACT did not run, is late, or waits.

    The reasons come in order, each with its evidence and what to do. The last line says what makes
    it run next. Exit code 1 unless it is fine, running or disabled.

    \b
    extract why sales/orders
    extract why sales/orders --json
    """
    from extract_project.deployment.having import location_having

    path = extract.strip("/").removesuffix(".sql")
    explanation = _explanation(location_having(load_settings(), [path]), path)
    if as_json:
        click.echo(explanation.model_dump_json(indent=2))
    else:
        _show(explanation)
    raise SystemExit(0 if explanation.state in _FINE else NO)


def _explanation(deployment: Deployment, path: str) -> Explanation:
    from extract_project.deployment.loaded import ask_loaded
    from extract_project.deployment.status import ask_status

    try:
        facts = ask_status(deployment, path)
    except DeploymentError:
        health = deployment.health()
        if health.loaded:
            raise
        return not_loaded(path, health.load_error, datetime.now(UTC))
    if path not in facts.extracts:
        known = ask_status(deployment).extracts
        behind = ask_loaded(deployment, [path]).behind([path])
        hint = "; the bucket has it, and it is not loaded yet" if behind else ""
        raise ExtractError(f"{no_extract(path, known)}{hint}")
    newer = ask_loaded(deployment, [path]).behind([path])
    return explain(facts, path, tuple(newer))


def _show(explanation: Explanation) -> None:
    out.print(Text.assemble((explanation.extract, "bold"), f" is {explanation.state.value}"))
    for number, reason in enumerate(explanation.reasons, start=1):
        out.print(f"\n{number}. {reason.what}")
        if reason.evidence:
            out.print(Text(f"   {reason.evidence}", "dim"))
        if reason.remedy:
            out.print(f"   → {reason.remedy}")
    out.print(f"\nnext start: {_next(explanation)}")
    if explanation.run_now:
        out.print(f"to run it now: {explanation.run_now}")


def _next(explanation: Explanation) -> str:
    at = explanation.next_start_at
    if at is None or explanation.next_start.startswith("never"):
        return explanation.next_start
    return f"{words.at(at, explanation.at)}, {explanation.next_start}"

"""`extract schema`: the JSON Schema of the header, of defaults, and of what commands print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from pydantic import BaseModel

from extract_project.cli.console import explains_itself
from extract_project.problem import suggestion

_ANSWERS: Mapping[str, tuple[str, str]] = {
    "backfill": ("cli.outcomes", "BackfillAnswer"),
    "check": ("cli.answers", "CheckAnswer"),
    "deploy-schedules": ("cli.standalone.deploy_schedules", "DeploySchedulesAnswer"),
    "diff": ("cli.answers", "DiffAnswer"),
    "doctor": ("cli.answers", "DoctorAnswer"),
    "error": ("cli.answers", "ErrorAnswer"),
    "failed": ("status.failures", "FailedReport"),
    "get": ("cli.outcomes", "GetAnswer"),
    "logs": ("deployment.logs", "LogLine"),
    "materialize": ("cli.outcomes", "MaterializeAnswer"),
    "pin": ("cli.outcomes", "PinAnswer"),
    "plan": ("cli.answers", "PlanAnswer"),
    "preview": ("cli.answers", "PreviewAnswer"),
    "prune": ("cli.answers", "PruneAnswer"),
    "pull": ("cli.outcomes", "PullAnswer"),
    "push": ("cli.outcomes", "PushAnswer"),
    "release": ("cli.outcomes", "ReleaseAnswer"),
    "rerun": ("cli.outcomes", "RerunAnswer"),
    "rollback": ("cli.outcomes", "RollbackAnswer"),
    "run": ("cli.outcomes", "RunAnswer"),
    "runs": ("deployment.runs", "RunReport"),
    "show": ("cli.answers", "ShowAnswer"),
    "status": ("status.table", "StatusReport"),
    "trace": ("cli.published.trace", "TraceAnswer"),
    "unpin": ("cli.outcomes", "PinAnswer"),
    "versions": ("cli.answers", "VersionsAnswer"),
    "why": ("status.explanation", "Explanation"),
}
"""The commands with --json, and the module and name of the model of what each prints; `error` is
what all of them print where they cannot answer.
"""


def _commands(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _ANSWERS if name.startswith(incomplete)]


@click.command()
@click.argument("command", required=False, shell_complete=_commands)
@click.option("--defaults", is_flag=True, help="The schema of _defaults.yaml instead.")
@explains_itself
def schema(command: str | None, defaults: bool) -> None:
    """Print a JSON Schema: of the header of SQL files, for editors.

    With COMMAND, of what that command prints with --json; with `error`, of what each command prints
    where it cannot answer.

    \b
    extract schema
    extract schema status
    """
    from extract_project.manifest.header.schema import defaults_schema, header_schema

    if command is not None:
        if command not in _ANSWERS:
            raise click.UsageError(
                f"no command {command!r} with --json: {suggestion(command, _ANSWERS)}"
            )
        chosen = answer_schema(command)
    else:
        chosen = defaults_schema() if defaults else header_schema()
    click.echo(json.dumps(chosen, indent=2, sort_keys=True))


def answer_schema(command: str) -> dict[str, Any]:
    """The JSON Schema of what a command prints with --json; of each line, for `logs`."""
    module, name = _ANSWERS[command]
    model: type[BaseModel] = getattr(import_module(f"extract_project.{module}"), name)
    return model.model_json_schema(mode="serialization", by_alias=True)

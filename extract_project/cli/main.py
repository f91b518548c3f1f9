"""The `extract` command, for all work on SQL files and their versions; `dg` is Dagster's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from extract_project.cli.console import INTERRUPTED, err, print_error
from extract_project.problem import suggestion
from extract_project.process import (
    open_closed_streams,
    quiet_sqlglot,
    without_collection,
    without_pandas,
)

_COMMANDS: Mapping[str, str] = {
    "backfill": "running.backfill",
    "catalog": "published.catalog",
    "check": "files.check",
    "code-server": "code_server",
    "completion": "completion",
    "ddl": "published.ddl",
    "demo": "demo",
    "deploy-schedules": "standalone.deploy_schedules",
    "diff": "published.diff",
    "doctor": "doctor",
    "failed": "running.failed",
    "get": "published.get",
    "init": "files.init",
    "logs": "running.logs",
    "materialize": "standalone.materialize",
    "mcp": "mcp",
    "new": "files.new",
    "operations": "running.operations",
    "pin": "published.pin",
    "plan": "files.plan",
    "preview": "files.preview",
    "prune": "published.prune",
    "pull": "files.pull",
    "push": "files.push",
    "release": "running.release",
    "rerun": "running.rerun",
    "rollback": "published.rollback",
    "run": "running.run",
    "runs": "running.runs",
    "schema": "schema",
    "show": "published.show",
    "status": "running.status",
    "trace": "published.trace",
    "unpin": "published.pin",
    "up": "demo",
    "versions": "published.versions",
    "why": "running.why",
    "workspace": "workspace",
}
"""Each command, and the module here that has it under its name."""
_SENTENCE = 100
"""In characters: more than any has."""


class Commands(click.Group):
    """Commands that are imported when they are called: all of them take a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = f"extract_project.cli.{_COMMANDS[cmd_name]}"
        if module not in sys.modules:  # a process may call many commands, as that of assistants
            with without_collection():
                import_module(module)
        command: click.Command = getattr(sys.modules[module], cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each with its whole first sentence: click cuts what does not fit into its line."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, each.get_short_help_str(_SENTENCE)) for name, each in found if each]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in _COMMANDS:
            ctx.fail(f"no command {name!r}: {suggestion(name, _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Tell programs too, by --json, that a command was called wrongly or interrupted, or that
        its user declined.
        """
        is_for_programs = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if is_for_programs:
                print_error(error.format_message())
            raise
        except click.Abort:
            if is_for_programs:
                print_error("aborted: nothing was done")
            raise
        except KeyboardInterrupt:
            err.print("interrupted")
            if is_for_programs:
                print_error("interrupted")
            raise SystemExit(INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="extract-project")
@click.pass_context
def main(context: click.Context) -> None:
    """SQL files in S3 to audited, versioned S3 objects: check, push, run, compare, restore."""
    context.with_resource(without_pandas())
    open_closed_streams()
    quiet_sqlglot()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # do not fail on characters that it cannot encode
            stream.reconfigure(errors="backslashreplace")

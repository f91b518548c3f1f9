"""`extract mcp`: the read-only commands as tools for assistants."""

from __future__ import annotations

from pathlib import Path

import click

from extract_project.cli.console import explains_itself
from extract_project.errors import SettingsError


@click.command()
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current one",
    help="The folder whose SQL files may be checked, planned and previewed.",
)
@click.option(
    "--no-preview", is_flag=True, help="Without the tool that runs queries on the warehouse."
)
@explains_itself
def mcp(*, folder: Path, no_preview: bool) -> None:
    """Serve the read-only commands to an assistant, over stdio.

    The tools are status, why, failed, show, versions, diff, trace, check, plan and preview. Nothing
    that writes is among them. An assistant starts this command itself; docs/assistants.md says how.
    """
    try:
        from extract_project.assistants.server import build
    except ImportError:
        raise SettingsError(
            "the SDK for assistants is not installed: pip install 'extract-project[mcp]'"
        ) from None
    build(folder.resolve(), with_preview=not no_preview).run("stdio")

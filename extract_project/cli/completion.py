"""`extract completion`: the script that has a shell complete commands, options and names."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from extract_project.errors import DeploymentError, ExtractError

if TYPE_CHECKING:
    from extract_project.settings import Settings

_VARIABLE = "_EXTRACT_COMPLETE"
"""How click is asked for completions: it looks for this variable, named after the command."""
_PATIENCE = 3
"""Seconds that somebody who has pressed Tab waits for a deployment."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    It completes commands, options, and the names of extracts: those of the running deployment, or
    of the bucket where none answers.

    \b
    extract completion bash >> ~/.bashrc
    extract completion zsh >> ~/.zshrc
    extract completion fish > ~/.config/fish/completions/extract.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "extract", _VARIABLE).source())


def extract_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The extracts that begin so: those of the deployment, or of the bucket if none answers."""
    from extract_project.settings import load_settings

    try:
        settings = load_settings()
        known = _known(settings)
    except ExtractError:
        return []
    return [CompletionItem(path) for path in sorted(known) if path.startswith(incomplete)]


def _known(settings: Settings) -> Collection[str]:
    from extract_project.deployment.client import Deployment
    from extract_project.manifest.bucket import list_files
    from extract_project.manifest.extract import SUFFIX, is_sql

    try:
        return Deployment(settings.dagster_url, settings.location, patience=_PATIENCE).extracts()
    except DeploymentError:
        manifest = settings.connect().manifest
        names = (manifest.relative(file.key) for file in list_files(manifest))
        return [name.removesuffix(SUFFIX) for name in names if is_sql(name)]

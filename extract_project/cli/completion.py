"""`extract completion`: the script that has a shell complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from extract_project.errors import ExtractError

_VARIABLE = "_EXTRACT_COMPLETE"
"""How click is asked for completions: it looks for this variable, named after the command."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    It completes commands, options, and the names of extracts of the running deployment.

    \b
    extract completion bash >> ~/.bashrc
    extract completion zsh >> ~/.zshrc
    extract completion fish > ~/.config/fish/completions/extract.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "extract", _VARIABLE).source())


def extract_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The extracts of the deployment that begin so; none if no deployment answers."""
    from extract_project.deployment.client import Deployment
    from extract_project.settings import load_settings

    try:
        settings = load_settings()
        known = Deployment(settings.dagster_url, settings.location).extracts()
    except ExtractError:
        return []
    return [CompletionItem(path) for path in sorted(known) if path.startswith(incomplete)]

"""Have the deployment load what was pushed, and say what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from extract_project.cli.console import BAD, GOOD, Terminal, err, marked
from extract_project.cli.outcomes import InvalidExtract, LoadedFiles
from extract_project.errors import DeploymentError
from extract_project.manifest.extract import SUFFIX, is_sql
from extract_project.settings import Settings
from extract_project.wording import some


def announce(settings: Settings) -> None:
    """Tell the deployment that a push begins, so that it does not load half of it, or all twice."""
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.loaded import announce_reload

    with suppress(DeploymentError):  # whoever cannot reach it is told so after the push
        announce_reload(Deployment(settings.dagster_url, settings.location))


def make_live(settings: Settings, names: Sequence[str]) -> LoadedFiles | None:
    """Reload; returns what of these files is live, invalid or refused.

    None for who has no access to the webserver, who is told so: Dagster reloads by itself, too.
    """
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.loaded import ask_loaded

    deployment = Deployment(settings.dagster_url, settings.location)
    try:
        with err.status("Dagster loads what was pushed"):
            deployment.reload()
            loaded = ask_loaded(deployment, [_asked(name) for name in names])
    except DeploymentError as error:
        err.print(f"pushed, but whether it is live is not known: {error}")
        return None
    bad = {f"{path}{SUFFIX}" for path in loaded.invalid}
    refused = loaded.refused if loaded.newer else ""
    return LoadedFiles(
        live=()
        if refused
        else tuple(sorted(name for name in names if name not in {*loaded.newer, *bad})),
        not_live=tuple(sorted(loaded.newer)),
        refused=refused or None,
        invalid=tuple(
            InvalidExtract(extract=path, problems=reasons)
            for path, reasons in sorted(loaded.invalid.items())
        ),
    )


def show_loaded(loaded: LoadedFiles, told: Terminal) -> None:
    """Print it: what is refused, or what is invalid and what is live."""
    if loaded.refused:
        reason = f"{some(loaded.not_live)} is refused, and not live: {loaded.refused}"
        told.print(marked(BAD, reason))
        return
    for each in loaded.invalid:
        told.print(marked(BAD, f"{each.extract} is invalid", "\n".join(each.problems)))
    if loaded.live:
        told.print(marked(GOOD, f"live: {some(loaded.live)}"))


def _asked(name: str) -> str:
    """The extracts that a file of the manifest makes valid or invalid."""
    if is_sql(name):
        return name[: -len(SUFFIX)]
    folder = name.rpartition("/")[0]
    return f"{folder}/*" if folder else "*"

"""Have the deployment load what was pushed, and say what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from extract_project.cli.console import BAD, GOOD, err, marked, out
from extract_project.cli.newest import some
from extract_project.errors import DeploymentError
from extract_project.manifest.extract import SUFFIX, is_sql
from extract_project.settings import Settings


def announce(settings: Settings) -> None:
    """Tell the deployment that a push begins, so that it does not load half of it, or all twice."""
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.loaded import announce_reload

    with suppress(DeploymentError):  # whoever cannot reach it is told so after the push
        announce_reload(Deployment(settings.dagster_url, settings.location))


def make_live(settings: Settings, names: Sequence[str]) -> bool:
    """Reload, and print what of these files is live, invalid or refused; returns whether all is.

    Who has no access to the webserver is told so, since Dagster reloads by itself, too.
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
        return True
    not_loaded = set(loaded.newer)
    if loaded.refused and not_loaded:
        reason = f"{some(sorted(not_loaded))} is refused, and not live: {loaded.refused}"
        out.print(marked(BAD, reason))
        return False
    for path, reasons in sorted(loaded.invalid.items()):
        out.print(marked(BAD, f"{path} is invalid", "\n".join(reasons)))
    bad = {f"{path}{SUFFIX}" for path in loaded.invalid}
    live = [name for name in names if name not in not_loaded and name not in bad]
    if live:
        out.print(marked(GOOD, f"live: {some(sorted(live))}"))
    return not loaded.invalid


def _asked(name: str) -> str:
    """The extracts that a file of the manifest makes valid or invalid."""
    if is_sql(name):
        return name[: -len(SUFFIX)]
    folder = name.rpartition("/")[0]
    return f"{folder}/*" if folder else "*"

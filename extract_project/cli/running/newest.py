"""Run the newest SQL: have the deployment load what is newer in the bucket, before a launch."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from extract_project.cli.console import err
from extract_project.errors import DeploymentError, ManifestError
from extract_project.manifest.names import cannot_run
from extract_project.settings import Settings
from extract_project.wording import some

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.loaded import Loaded

_SHOWN = 10
_POLL_SECONDS = 0.5
_VISIBLE_SECONDS = 60
"""A webserver that did not reload itself hears of it within seconds."""

as_loaded_option = click.option(
    "--as-loaded",
    is_flag=True,
    help="Run the SQL that the deployment has loaded, even if the bucket has newer SQL.",
)


def newest(deployment: Deployment, extracts: Collection[str], *, as_loaded: bool) -> Loaded:
    """Return these extracts (paths or patterns) as loaded, after a reload if one was needed.

    Raises ManifestError if the newest SQL does not load.
    """
    from extract_project.deployment.loaded import announce_reload, ask_loaded

    loaded = ask_loaded(deployment, extracts)
    if as_loaded:
        return loaded
    if loaded.behind(extracts) and not loaded.refused:
        with err.status("the bucket has newer SQL: loading it"):
            announce_reload(deployment)
            deployment.reload()
        loaded = ask_loaded(deployment, extracts)
    behind = loaded.behind(extracts)
    if behind:
        reason = loaded.refused or "it changed again just now"
        raise ManifestError(
            f"the deployment has not loaded the newest {some(behind)}: {reason}; fix this, or run "
            f"the SQL that it has loaded, with --as-loaded"
        )
    return loaded


def ready_to_run(
    settings: Settings, extracts: Collection[str], *, as_loaded: bool
) -> tuple[Deployment, Loaded, dict[str, str]]:
    """Return the deployment with these extracts, what it has loaded of them, and all that it knows.

    It has loaded the newest SQL then, which is valid, and knows it: see the functions below. Raises
    ManifestError, ExtractError or DeploymentError if not.
    """
    from extract_project.deployment.having import location_having

    deployment = location_having(settings, extracts)
    loaded = newest(deployment, extracts, as_loaded=as_loaded)
    require_valid(loaded, extracts)
    return deployment, loaded, known_extracts(deployment, loaded)


def require_valid(loaded: Loaded, paths: Collection[str]) -> None:
    """Raise ManifestError with the reasons if one of the extracts is invalid."""
    for path in paths:
        if path in loaded.invalid:
            raise ManifestError(cannot_run(path, loaded.invalid[path]))


def known_extracts(deployment: Deployment, loaded: Loaded) -> dict[str, str]:
    """`Deployment.extracts`, once the webserver knows everything that the code server has loaded.

    Of several webservers, only the one that was asked for a reload knows of it at once.
    """
    until = time.monotonic() + _VISIBLE_SECONDS
    while True:
        known = deployment.extracts()
        lacking = [path for path in loaded.versions if path not in known]
        if not lacking:
            return known
        if time.monotonic() > until:
            raise DeploymentError(
                f"the code server has loaded {some(lacking)}, but the webserver does not show it "
                f"after {_VISIBLE_SECONDS} s: reload the code location in the UI"
            )
        time.sleep(_POLL_SECONDS)


def say_versions(loaded: Loaded, paths: Sequence[str]) -> None:
    """Print which version of its SQL each extract is about to run."""
    for path in paths[:_SHOWN]:
        if path not in loaded.versions:
            continue
        version = loaded.versions[path] or "(the bucket keeps no versions)"
        is_behind = bool(loaded.behind([path]))
        newer = "; the bucket has newer SQL, which is not loaded" if is_behind else ""
        err.print(f"{path}: SQL version {version}{newer}")
    if len(paths) > _SHOWN:
        err.print(f"… and {len(paths) - _SHOWN:,} more")

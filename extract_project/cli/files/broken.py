"""Whom each planned change breaks, with the assets that a running Dagster knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from extract_project.cli.console import err
from extract_project.errors import DeploymentError
from extract_project.planning.breaking import Breaking, Downstream, breaking, changes
from extract_project.planning.describe import Described
from extract_project.planning.plan import Planned
from extract_project.settings import Settings
from extract_project.wording import some

_PATIENCE = 10
"""In seconds: the plan is right without Dagster, only less complete."""


def broken_readers(
    settings: Settings, planned: Sequence[Planned], schemas: Mapping[str, Described]
) -> dict[str, Breaking]:
    """Path of each extract whose change breaks somebody, and whom.

    If Dagster does not answer, its assets are left out, and a line on standard error says so.
    """
    changed = [each.path for each in planned if changes(each, schemas.get(each.path))]
    downstream = _downstream(settings, changed) if changed else {}
    found = {}
    for each in planned:
        known = downstream.get(each.path, Downstream())
        with_others = replace(each, dependents=(*each.dependents, *known.extracts))
        found[each.path] = breaking(with_others, schemas.get(each.path), known.assets)
    return {path: broken for path, broken in found.items() if broken}


def _downstream(settings: Settings, paths: Sequence[str]) -> Mapping[str, Downstream]:
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.downstream import downstream_assets

    deployment = Deployment(settings.dagster_url, settings.location, patience=_PATIENCE)
    try:
        with err.status("asking Dagster which assets depend on what changes"):
            found = downstream_assets(deployment, paths)
    except DeploymentError as error:
        _say_not_asked(paths, str(error))
        return {}
    unknown = [path for path in paths if path not in found]
    if unknown:
        _say_not_asked(unknown, f"the Dagster at {settings.dagster_url} has no such asset")
    return found


def _say_not_asked(paths: Sequence[str], reason: str) -> None:
    err.print(f"which assets of Dagster depend on {some(sorted(paths))} is not known: {reason}")

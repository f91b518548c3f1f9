"""Which code location has an extract."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from extract_project.deployment.client import Deployment
from extract_project.deployment.loaded import Loaded, ask_loaded
from extract_project.deployment.locations import Locations, find_locations
from extract_project.errors import ExtractError
from extract_project.manifest.extract import SUFFIX, is_sql
from extract_project.manifest.names import is_meant, no_extract
from extract_project.settings import Settings
from extract_project.wording import some

_SHOWN = 3


def location_having(settings: Settings, extracts: Collection[str]) -> Deployment:
    """The code location with these extracts (paths or patterns), loaded or in its bucket.

    It is the one that EXTRACT_LOCATION names, or the only one, without a question. Raises
    ExtractError when none or several have them.
    """
    locations = find_locations(settings)
    if not locations.several:
        return next(iter(locations.deployments.values()))
    asked = locations.ask(lambda each: ask_loaded(each, extracts))
    having = {name: _those(loaded, extracts) for name, loaded in asked.answered.items()}
    found = {name: paths for name, paths in having.items() if paths}
    if not found:
        raise ExtractError(_not_found(locations, extracts, asked.unknown))
    if len(found) > 1:
        each = "; ".join(f"{name} has {some(has, _SHOWN)}" for name, has in sorted(found.items()))
        raise ExtractError(
            f"several code locations have these extracts: {each}; this command works on one "
            f"location: choose it with EXTRACT_LOCATION"
        )
    return locations.deployments[next(iter(found))]


def _those(loaded: Loaded, extracts: Collection[str]) -> list[str]:
    not_loaded = (name.removesuffix(SUFFIX) for name in loaded.newer if is_sql(name))
    here = {*loaded.versions, *loaded.invalid, *not_loaded}
    return sorted(path for path in here if is_meant(path, extracts))


def _not_found(locations: Locations, extracts: Collection[str], unknown: Mapping[str, str]) -> str:
    known = next(iter(locations.deployments.values())).extracts()
    unsure = (
        f"\nthe code location {name} gives no answer, and may have the extract: {reason}"
        for name, reason in sorted(unknown.items())
    )
    return "".join([no_extract(next(iter(extracts)), known), *unsure])

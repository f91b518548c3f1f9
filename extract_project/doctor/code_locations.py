"""Checks of the Dagster that the settings name, and of its code locations with extracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from extract_project.doctor.finding import Finding
from extract_project.errors import ExtractError
from extract_project.settings import Settings
from extract_project.status.facts import Facts
from extract_project.status.table import in_several
from extract_project.wording import some

if TYPE_CHECKING:
    from extract_project.deployment.client import Deployment

_STARTERS = "schedules and sensors"


def code_locations(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, what is switched off, and which extracts two locations have."""
    from extract_project.deployment.client import Deployment
    from extract_project.deployment.locations import Locations, find_locations
    from extract_project.deployment.status import ask_status

    url = settings.dagster_url
    try:
        locations = find_locations(settings)
    except ExtractError:  # told by the first check
        locations = Locations({settings.location: Deployment(url, settings.location)})
    for name in sorted({*locations.deployments, *locations.not_loaded}):
        yield _loaded(url, name, locations.deployments.get(name) or Deployment(url, name))
    try:
        asked = locations.ask(ask_status)
    except ExtractError as error:
        yield Finding(_STARTERS, False, f"not looked at: {error}", "see the line above")
        return
    for name, facts in asked.answered.items():
        yield _switched_off(facts, f"{_STARTERS} of {name}" if locations.several else _STARTERS)
    for name, reason in asked.unknown.items():
        detail = f"not looked at: {reason}"
        yield Finding(f"{_STARTERS} of {name}", False, detail, "see the lines above")
    if locations.several:
        yield _apart(asked.answered)


def _apart(answered: Mapping[str, Facts]) -> Finding:
    """No extract is in two code locations, where one replaces what the other publishes."""
    found = in_several({name: tuple(facts.extracts) for name, facts in answered.items()})
    if not found:
        return Finding("code locations", True, f"{', '.join(answered)}: no extract is in two")
    shown = some([f"{path} is in {' and '.join(n)}" for path, n in found.items()], separator="; ")
    fix = "rename one of each: they are one asset, and one replaces what the other publishes"
    return Finding("code locations", False, shown, fix)


def _loaded(url: str, location: str, deployment: Deployment) -> Finding:
    """A webserver answers, has loaded the code location, and gets heartbeats from its daemon."""
    try:
        health = deployment.health()
    except ExtractError as error:
        happened, _, fix = str(error).partition(": ")
        return Finding("dagster", False, happened, fix)
    if not health.loaded:
        detail = f"{health.version} at {url} has no code location {location}: {health.load_error}"
        return Finding("dagster", False, detail, "see the code server's log, then reload")
    if health.sick_daemons:
        detail = f"{health.version} at {url} has no heartbeat from {', '.join(health.sick_daemons)}"
        fix = "start dagster-daemon, or see its log: without it no schedule or sensor runs"
        return Finding("dagster", False, detail, fix)
    return Finding("dagster", True, f"{health.version} at {url}, {location} loaded, daemon alive")


def _switched_off(facts: Facts, subject: str) -> Finding:
    """Schedules and sensors that somebody has switched off: what they start does not run."""
    off = facts.deployment.switched_off
    if not off:
        return Finding(subject, True, f"{len(facts.deployment.starters)}, none is switched off")
    names = ", ".join(each.name for each in off)
    detail = f"{len(off)} of {len(facts.deployment.starters)} are switched off: {names}"
    return Finding(subject, False, detail, "switch them on: Automation in the UI")

"""The health of a deployment, as its webserver reports it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from extract_project.status.facts import Daemon
from extract_project.units import moment_of

QUERY = """
query Health {
  version
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message } }
      }
    }
    ... on PythonError { message }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } }
}
"""


@dataclass(frozen=True)
class Health:
    """The state of a webserver, of one code location, and of the daemon."""

    version: str
    loaded: bool
    """Whether the code location exists and has loaded its definitions."""
    load_error: str
    sick_daemons: tuple[str, ...]
    """Required daemons without a recent heartbeat."""


def read_health(reply: dict[str, Any], location: str, now: datetime) -> Health:
    """Parse the answer to QUERY.

    A daemon that Dagster calls healthy may have been silent for half an hour.
    """
    workspace = reply["workspaceOrError"]
    entries = {each["name"]: each for each in workspace.get("locationEntries", ())}
    found = (entries.get(location) or {}).get("locationOrLoadError") or {}
    error = found.get("message") or workspace.get("message")
    if location not in entries:
        error = error or f"it has only {', '.join(sorted(entries)) or 'none'}"
    daemons = reply["instance"]["daemonHealth"]["allDaemonStatuses"]
    return Health(
        str(reply["version"]),
        found.get("__typename") == "RepositoryLocation",
        str(error or "it is still loading"),
        tuple(d["daemonType"].lower() for d in daemons if d["required"] and not _lives(d, now)),
    )


def _lives(daemon: dict[str, Any], now: datetime) -> bool:
    heard = moment_of(daemon["lastHeartbeatTime"])
    found = Daemon(name=daemon["daemonType"], last_heartbeat=heard)
    return (heard is None or bool(daemon["healthy"])) and not found.silent(now)

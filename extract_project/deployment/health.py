"""Whether a deployment is well, as its webserver tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gql import gql

QUERY = gql("""
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
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}
""")


@dataclass(frozen=True)
class Health:
    """What a webserver says of itself, of a code location, and of the daemon."""

    version: str
    loaded: bool
    """Whether the code location is there, with definitions."""
    load_error: str
    sick_daemons: tuple[str, ...]
    """Parts of the daemon that should run, and have not been heard of lately."""


def read_health(reply: dict[str, Any], location: str) -> Health:
    """Understand the answer to QUERY."""
    workspace = reply["workspaceOrError"]
    entries = {each["name"]: each for each in workspace.get("locationEntries", ())}
    found = (entries.get(location) or {}).get("locationOrLoadError") or {}
    error = found.get("message") or workspace.get("message")
    if location not in entries:
        error = error or f"there are only {', '.join(sorted(entries)) or 'none'}"
    daemons = reply["instance"]["daemonHealth"]["allDaemonStatuses"]
    return Health(
        str(reply["version"]),
        found.get("__typename") == "RepositoryLocation",
        str(error or "it is still loading"),
        tuple(d["daemonType"].lower() for d in daemons if d["required"] and not d["healthy"]),
    )

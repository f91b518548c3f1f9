"""Ask a webserver what the project's own client does not ask."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

_SCHEDULES = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name scheduleState { id } } } } } }"""
_STOP = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"


def graphql(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """The data of an answer."""
    request = urllib.request.Request(
        f"{url}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: dict[str, Any] = json.load(reply)["data"]
    return found


def switch_off(url: str, start: str) -> None:
    """Switch off the schedule whose name begins so, as a person does in the UI."""
    (schedule,) = (
        each
        for repository in graphql(url, _SCHEDULES)["repositoriesOrError"]["nodes"]
        for each in repository["schedules"]
        if each["name"].startswith(start)
    )
    stopped = graphql(url, _STOP, id=schedule["scheduleState"]["id"])
    assert stopped["stopRunningSchedule"]["__typename"] == "ScheduleStateResult"

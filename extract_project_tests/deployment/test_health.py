"""What a webserver says of itself, read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extract_project.deployment.health import read_health

LOADED = {
    "name": "extract_project",
    "loadStatus": "LOADED",
    "locationOrLoadError": {"__typename": "RepositoryLocation"},
}
BROKEN = {**LOADED, "locationOrLoadError": {"__typename": "PythonError", "message": "no bucket"}}
NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)


def heard(**ago: float) -> dict[str, Any]:
    return {"lastHeartbeatTime": (NOW - timedelta(**ago)).timestamp()}


ALIVE = {"daemonType": "SENSOR", "required": True, "healthy": True, **heard(seconds=20)}
BUSY = {**ALIVE, "daemonType": "FRESHNESS_DAEMON"}


@pytest.mark.parametrize(
    ("entries", "daemons", "expected"),
    [
        ([LOADED], [ALIVE], (True, ())),
        ([BROKEN], [ALIVE], (False, ())),
        ([{**LOADED, "locationOrLoadError": None}], [ALIVE], (False, ())),
        ([], [ALIVE], (False, ())),
        ([LOADED], [ALIVE, {**ALIVE, "healthy": None}], (True, ("sensor",))),
        ([LOADED], [ALIVE, {**ALIVE, **heard(minutes=4)}], (True, ("sensor",))),
        ([LOADED], [ALIVE, {**ALIVE, "lastHeartbeatTime": None}], (True, ("sensor",))),
        ([LOADED], [{**ALIVE, "required": False, "healthy": False}], (True, ())),
        ([LOADED], [{**BUSY, "healthy": False, "lastHeartbeatTime": None}], (True, ())),
        ([LOADED], [{**BUSY, **heard(minutes=29)}], (True, ())),
        ([LOADED], [{**BUSY, **heard(minutes=31)}], (True, ("freshness_daemon",))),
        ([LOADED], [{**BUSY, "healthy": False}], (True, ("freshness_daemon",))),
    ],
)
def test_loaded_and_alive(entries: list[Any], daemons: list[Any], expected: Any) -> None:
    reply = {
        "version": "1.13.27",
        "workspaceOrError": {"locationEntries": entries},
        "instance": {"daemonHealth": {"allDaemonStatuses": daemons}},
    }
    found = read_health(reply, "extract_project", NOW)
    assert (found.loaded, found.sick_daemons) == expected
    assert found.load_error == ("no bucket" if entries == [BROKEN] else found.load_error)

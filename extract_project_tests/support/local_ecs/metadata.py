"""The task metadata endpoint: what a process in a task can ask about itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PREFIX = "/v4/"
_PULL = timedelta(seconds=20)
"""How long before its process the pull of a task's image, and its billing, began."""
_FARGATES_OWN_MIB = 16


@contextmanager
def metadata_endpoint(task: Callable[[str], tuple[Any, datetime] | None]) -> Iterator[str]:
    """Serve what `task` knows of an id: the task, and when its process started.

    Gives the URL that task ids are appended to.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            task_id, _, rest = self.path.removeprefix(_PREFIX).partition("/")
            found = task(task_id)
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = json.dumps(_body(*found, rest)).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Write nothing to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, args=[0.02], name="ecs-metadata", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{_PREFIX}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(task: Any, started: datetime, what: str) -> dict[str, Any]:
    """The reply of Fargate, reduced to the fields that a process can use."""
    limits = {"CPU": int(task.cpu) / 1024, "Memory": int(task.memory)}
    container = {
        "Name": task.containers[0].name,
        "Image": task.containers[0].image,
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "CreatedAt": _time(started),
        "StartedAt": _time(started),
        "Type": "NORMAL",
    }
    if what != "task":
        return container
    family, _, revision = task.task_definition_arn.rpartition("/")[2].partition(":")
    disk = int(task.ephemeral_storage["sizeInGiB"]) * 1024 + _FARGATES_OWN_MIB
    return {
        "Cluster": task.cluster_arn,
        "TaskARN": task.task_arn,
        "Family": family,
        "Revision": revision,
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": limits,
        "PullStartedAt": _time(started - _PULL),
        "PullStoppedAt": _time(started),
        "AvailabilityZone": "us-east-1a",
        "LaunchType": "FARGATE",
        "EphemeralStorageMetrics": {"Utilized": 100, "Reserved": disk},
        "Containers": [container],
    }


def _time(moment: datetime) -> str:
    """A time with nanoseconds, as Go writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}789Z"

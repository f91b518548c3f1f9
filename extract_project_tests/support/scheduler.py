"""What moto leaves out of EventBridge Scheduler: at a tick it calls the target, and rights end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from extract_project_tests.support.local_ecs import LocalEcs

_CONTEXT = "<aws.scheduler.scheduled-time>"


def schedules(ecs: LocalEcs, group: str = "extracts") -> dict[str, dict[str, Any]]:
    """The schedules of a group, by name."""
    scheduler = ecs.client("scheduler")
    names = [each["Name"] for each in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return {name: dict(scheduler.get_schedule(GroupName=group, Name=name)) for name in names}


def tick(ecs: LocalEcs, schedule: dict[str, Any], at: datetime) -> str:
    """Start the task of a schedule, as at this time; returns its ARN."""
    target = schedule["Target"]
    parameters = target["EcsParameters"]
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    overrides = json.loads(target["Input"].replace(_CONTEXT, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    reply = ecs.client("ecs").run_task(
        cluster=target["Arn"],
        taskDefinition=parameters["TaskDefinitionArn"],
        launchType=parameters["LaunchType"],
        count=parameters["TaskCount"],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network["Subnets"],
                "securityGroups": network["SecurityGroups"],
                "assignPublicIp": network["AssignPublicIp"],
            }
        },
        overrides=overrides,
    )
    return str(reply["tasks"][0]["taskArn"])


@contextmanager
def denying(endpoint: str, *, after: int) -> Iterator[tuple[str, list[str]]]:
    """An endpoint before this one that denies making schedules, after the first ones.

    Gives its address, and the paths at which schedules were to be made.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            if len(asked) > after:
                self._answer(403, b'{"Message": "not authorized"}', "AccessDeniedException")
            else:
                self._forward()

        def do_GET(self) -> None:
            self._forward()

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            request = Request(endpoint + self.path, body, dict(self.headers), method=self.command)
            try:
                with urlopen(request) as reply:
                    self._answer(reply.status, reply.read())
            except HTTPError as error:
                self._answer(error.code, error.read(), error.headers.get("x-amzn-errortype", ""))

        def _answer(self, status: int, body: bytes, error: str = "") -> None:
            self.send_response(status)
            if error:
                self.send_header("x-amzn-errortype", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()

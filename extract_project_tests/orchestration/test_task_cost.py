"""What a task costs, as the endpoint of ECS has it; and an endpoint that fails costs nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from extract_project.orchestration.names.task_cost import Task, current_task
from extract_project.prices import X86

PULLED = datetime(2026, 11, 25, 6, 0, 0, 532811, UTC)
# The shape of the developer guide's example of a task on Fargate, shortened.
REPLY: dict[str, Any] = {
    "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/extracts",
    "Limits": {"CPU": 0.5, "Memory": 1024},
    "PullStartedAt": "2026-11-25T06:00:00.532811081Z",
    "PullStoppedAt": "2026-11-25T06:00:05.541068435Z",
    "Containers": [{"Name": "run", "Limits": {"CPU": 2}, "StartedAt": "2026-11-25T06:00:09Z"}],
    "LaunchType": "FARGATE",
    "EphemeralStorageMetrics": {"Utilized": 261, "Reserved": 30 * 1024 + 16},
}


@contextmanager
def endpoint(body: bytes, status: int = 200, slow: bool = False) -> Iterator[str]:
    """A metadata endpoint that gives this answer; slowly, so that its end never comes."""
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v4/id/task" else 404)
            self.send_header("content-length", str(len(body) + 1000 * slow))
            self.end_headers()
            self.wfile.write(body)
            while slow and not over.wait(0.1):
                with suppress(OSError):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v4/id"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_billed_from_the_pull_by_size_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with endpoint(json.dumps(REPLY).encode()) as url:
        task = current_task(url)
    assert task is not None
    cost = task.cost(X86, PULLED + timedelta(minutes=30))
    assert (cost.task_vcpu, cost.task_memory_mib, cost.task_seconds) == (0.5, 1024, 1800.0)
    assert cost.estimated_fargate_usd == round(0.5 * (0.5 * 0.04048 + 0.004445 + 0.00111), 6)
    assert task.cost(X86, PULLED + timedelta(seconds=9)).task_seconds == 60


def test_an_instance_is_not_billed_by_the_task() -> None:
    task = Task.model_validate({**REPLY, "LaunchType": "EC2"})
    facts = task.cost(X86, PULLED + timedelta(minutes=30)).facts()
    assert facts == {"task_vcpu": 0.5, "task_memory_mib": 1024, "task_seconds": 1800.0}


@pytest.mark.parametrize(
    ("body", "status", "slow"),
    [
        (b"", 500, False),
        (b"<html>", 200, False),
        (json.dumps({**REPLY, "Limits": None}).encode(), 200, False),
        (json.dumps({**REPLY, "PullStartedAt": "yesterday"}).encode(), 200, False),
        (json.dumps(REPLY).encode(), 200, True),
    ],
)
def test_an_endpoint_that_fails_leaves_the_cost_unknown(
    body: bytes, status: int, slow: bool
) -> None:
    with endpoint(body, status, slow) as url:
        assert current_task(url) is None


def test_elsewhere_than_on_ecs_there_is_no_task() -> None:
    assert current_task(None) is None
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    assert current_task(f"http://127.0.0.1:{port}/v4/id") is None

"""The part of Fargate that runs containers: starts, stops and removes the tasks of the API."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from extract_project_tests.support.local_ecs.faults import Faults
from extract_project_tests.support.local_ecs.tasks import HOST_LOST, End, Process

_TICK_SECONDS = 0.1
_SECRET = re.compile(r"(arn(?::[^:]+){6}|[^:]+)(?::([^:]+)::)?")
_INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")


class Runtime:
    """Every task that the API has accepted, and its process."""

    def __init__(
        self,
        directory: Path,
        client: Callable[[str], Any],
        faults: Faults,
        environment: Mapping[str, str],
        stop_timeout: float,
    ) -> None:
        self._directory = directory
        self._client = client
        self._faults = faults
        self._environment = environment
        self._stop_timeout = stop_timeout
        self._tasks: dict[str, Any] = {}
        self._unstarted: set[str] = set()
        self._processes: dict[str, Process] = {}
        self._started: dict[str, datetime] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()

    def accept(self, task: Any, tags: Mapping[str, str]) -> None:
        with self._lock:
            if self._faults.holds_back(tags):
                self._unstarted.add(task.task_arn)
            self._tasks[task.task_arn] = task

    def started(self, task_id: str) -> tuple[Any, datetime] | None:
        """The task with this id, and when its process started; None if there is none."""
        found = (arn for arn in list(self._started) if arn.endswith(f"/{task_id}"))
        arn = next(found, None)
        return None if arn is None else (self._tasks[arn], self._started[arn])

    def pid(self, arn: str) -> int | None:
        process = self._processes.get(arn)
        return process.pid if process else None

    def alive(self, arn: str) -> bool:
        """Whether the process of a task is running."""
        process = self._processes.get(arn)
        return process is not None and process.exit_code is None

    def kill(self, arn: str, end: End) -> bool:
        """Send SIGKILL to every process of a task, for this reason; False if it had already
        ended.
        """
        with self._lock:
            process = self._processes[arn]
            if process.exit_code is not None:
                return False
            process.end = end
            process.kill()
            return True

    def fail_to_start(self, arn: str, end: End) -> None:
        """End a task that waits for its process."""
        with self._lock:
            self._bury(self._tasks[arn], end)

    @contextmanager
    def running(self, metadata_url: str) -> Iterator[None]:
        """Run tasks within the block; afterwards no process of a task is left."""
        thread = threading.Thread(target=self._work, args=(metadata_url,), name="ecs-runtime")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            for process in self._processes.values():
                process.end = process.end or HOST_LOST
                process.kill()

    def _work(self, metadata_url: str) -> None:
        while not self._over.wait(_TICK_SECONDS):
            with self._lock:
                for task in list(self._tasks.values()):
                    if task.last_status != "STOPPED":
                        self._attend(task, metadata_url)

    def _attend(self, task: Any, metadata_url: str) -> None:
        process = self._processes.get(task.task_arn)
        if process is None:
            if task.desired_status == "STOPPED":
                self._bury(task, End(task.stop_code, task.stopped_reason))
            elif task.task_arn not in self._unstarted:
                self._start(task, metadata_url)
            return
        if process.exit_code is not None:
            self._finish(task, process)
        elif task.desired_status == "STOPPED":
            process.end = process.end or End(task.stop_code, task.stopped_reason)
            process.stop(self._stop_timeout)

    def _start(self, task: Any, metadata_url: str) -> None:
        definition, override = _container(task)
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= self._environment
        for each in (*definition.get("environment", ()), *override.get("environment", ())):
            environment[each["name"]] = each["value"]
        for secret in definition.get("secrets", ()):
            environment[secret["name"]] = self._secret(secret["valueFrom"])
        environment["ECS_CONTAINER_METADATA_URI_V4"] = f"{metadata_url}{task.id}"
        self._started[task.task_arn] = datetime.now(UTC)
        command = override.get("command") or definition.get("command") or ()
        self._processes[task.task_arn] = Process(
            [*definition.get("entryPoint", ()), *command],
            environment,
            self._directory / f"{task.id}.log",
            definition["name"],
        )
        task.last_status = task.containers[0].last_status = "RUNNING"

    def _secret(self, value_from: str) -> str:
        """The value of a secret, or of one key of its JSON: `<arn>:<key>::`."""
        found = _SECRET.fullmatch(value_from)
        assert found, value_from
        reply = self._client("secretsmanager").get_secret_value(SecretId=found[1])
        secret = reply["SecretString"]
        return str(json.loads(secret)[found[2]] if found[2] else secret)

    def _finish(self, task: Any, process: Process) -> None:
        self._send_log(task, process)
        task.containers[0].exitCode = process.exit_code
        self._bury(task, process.ended())

    def _bury(self, task: Any, end: End) -> None:
        task.stop_code, task.stopped_reason = end.stop_code, end.reason
        task.containers[0].reason = end.container_reason
        task.containers[0].last_status = "STOPPED"
        task.desired_status = task.last_status = "STOPPED"

    def _send_log(self, task: Any, process: Process) -> None:
        definition, _ = _container(task)
        options = (definition.get("logConfiguration") or {}).get("options", {})
        lines = process.lines()
        if not options.get("awslogs-group") or not lines:
            return
        logs, group = self._client("logs"), options["awslogs-group"]
        stream = f"{options['awslogs-stream-prefix']}/{process.container}/{task.id}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + at, "message": line} for at, line in enumerate(lines)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _container(task: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The definition of a task's container, and what the request overrides of it."""
    definition = task._backend.describe_task_definition(task.task_definition_arn)
    overrides = (task.overrides or {}).get("containerOverrides", [])
    named = {each["name"]: each for each in overrides}
    container = definition.container_definitions[0]
    return container, named.get(container["name"], {})

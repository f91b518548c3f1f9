"""moto's ECS API with ECS's own behaviour in front of it.

Measured on moto 5.2.5: a task moves to STOPPED by being described; StopTask marks it STOPPED at
once; a container without memory of its own, which Fargate allows, makes RunTask fail with HTTP 500;
`clientToken` is ignored; nothing about sizes, overrides or tags is checked. The patches, and what
moto remembers, hold for this process, in which the API is served: one ECS at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api import state_manager
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from extract_project_tests.support.local_ecs.checks import override_characters, require_acceptable
from extract_project_tests.support.local_ecs.faults import Faults
from extract_project_tests.support.local_ecs.tasks import Launched

_NEVER = {"progression": "manual", "times": 10**9}


@contextmanager
def moto_api(faults: Faults, accepted: Callable[[Any, Launched], None]) -> Iterator[str]:
    """Serve AWS over HTTP; `accepted` gets every task that RunTask makes. Gives the endpoint."""
    real_run_task = EC2ContainerServiceResponse.run_task
    replies: dict[str, Any] = {}
    one_at_a_time = threading.Lock()

    def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
        with one_at_a_time:
            refusal = faults.next_refusal()
            if isinstance(refusal, JsonRESTError):
                raise refusal
            if refusal is not None:
                return ActionResult({"tasks": [], "failures": [{"reason": refusal}]})
            token = self._get_param("clientToken")
            if token in replies:  # the same request again, whose first reply was lost
                return ActionResult({"tasks": replies[token], "failures": []})
            tasks = _run(self)
            if token:
                replies[token] = tasks
            return ActionResult({"tasks": tasks, "failures": []})

    def _run(self: EC2ContainerServiceResponse) -> list[Any]:
        overrides, tags = self._get_param("overrides") or {}, self._get_param("tags") or []
        definition = self.ecs_backend.describe_task_definition(self._get_param("taskDefinition"))
        size = require_acceptable(overrides, tags, definition)
        assert size.cpu is not None
        assert size.memory is not None
        tasks = list(_tasks_of(real_run_task(self)))
        for task in tasks:
            task.last_status, task.stop_code = "PROVISIONING", None
            task.cpu, task.memory = str(size.cpu), str(size.memory)
            task.ephemeral_storage = {"sizeInGiB": size.disk or 20}
            task.containers[0].exitCode = None
            launched = Launched(
                task.task_arn,
                size.cpu,
                size.memory,
                size.disk,
                override_characters(overrides),
                {tag["key"]: tag["value"] for tag in tags},
            )
            accepted(task, launched)
        return tasks

    def stop_task(backend: EC2ContainerServiceBackend, cluster: str, task: str, reason: str) -> Any:
        found: Any
        (found,) = backend.describe_tasks(cluster, [task])
        found.desired_status = "STOPPED"
        if found.stop_code is None:
            found.stop_code, found.stopped_reason = (
                "UserInitiated",
                reason or "Task stopped by user",
            )
        return found

    api, backend = EC2ContainerServiceResponse, EC2ContainerServiceBackend
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with (
        mock.patch.object(api, "run_task", run_task),
        mock.patch.object(api, "describe_tasks", _slow_describe_tasks(faults)),
        mock.patch.object(backend, "stop_task", stop_task),
        mock.patch.object(
            backend, "_calculate_task_resource_requirements", staticmethod(_needs_nothing)
        ),
    ):
        server.start()
        try:
            host, port = server.get_host_and_port()
            moto_api_backend.reset()
            state_manager.set_transition("ecs::task", _NEVER)
            yield f"http://{host}:{port}"
        finally:
            server.stop()
            state_manager.unset_transition("ecs::task")


def _slow_describe_tasks(
    faults: Faults,
) -> Callable[[EC2ContainerServiceResponse], ActionResult]:
    real = EC2ContainerServiceResponse.describe_tasks

    def describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        reply = real(self)
        time.sleep(faults.slowness)  # what it says is as old as that when it arrives
        return reply

    return describe_tasks


def _needs_nothing(definition: Any) -> dict[str, Any]:
    return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}


def _tasks_of(reply: ActionResult) -> list[Any]:
    result: Any = reply.result
    return list(result["tasks"])

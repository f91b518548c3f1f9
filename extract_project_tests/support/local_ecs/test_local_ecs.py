"""The local ECS refuses, starts, stops and removes tasks as Fargate does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from extract_project_tests.support.local_ecs import LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.service import CLUSTER, CONTAINER, LOG_GROUP
from extract_project_tests.support.waiting import await_value

HELLO = "import os; print('hello', os.environ['WHO']); raise SystemExit(3)"
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    "\nwhile True: time.sleep(1)"
)
SLEEP = "import time; time.sleep(100)"
METADATA = (
    "import os, urllib.request; url = os.environ['ECS_CONTAINER_METADATA_URI_V4']\n"
    "print(urllib.request.urlopen(url + '/task').read().decode())"
)


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEcs]:
    with local_ecs(tmp_path_factory.mktemp("ecs"), stop_timeout=5) as running:
        running.define_task("python", {"WHO": "world"})
        yield running


def run(ecs: LocalEcs, code: str = SLEEP, more: Any = None, **arguments: Any) -> str:
    override = {"name": CONTAINER, "command": [sys.executable, "-c", code]}
    reply = ecs.client("ecs").run_task(
        cluster=CLUSTER,
        taskDefinition="python",
        launchType="FARGATE",
        networkConfiguration=ecs.network(),
        overrides={"containerOverrides": [override], **(more or {})},
        **arguments,
    )
    assert reply["tasks"], reply["failures"]
    return str(reply["tasks"][0]["taskArn"])


def await_status(ecs: LocalEcs, arn: str, status: str) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        task = ecs.task(arn)
        return task if task["lastStatus"] == status else None

    return await_value(f"the task to be {status}", probe)


def await_stopped(ecs: LocalEcs, arn: str) -> tuple[str, str, int | None]:
    task = await_status(ecs, arn, "STOPPED")
    return task["stopCode"], task["stoppedReason"], task["containers"][0].get("exitCode")


def test_a_task_is_a_process_whose_output_goes_to_cloudwatch(ecs: LocalEcs) -> None:
    arn = run(ecs, HELLO)
    code, reason, exit_code = await_stopped(ecs, arn)
    assert (code, exit_code) == ("EssentialContainerExited", 3)
    assert reason == "Essential container in task exited"
    stream = f"python/{CONTAINER}/{arn.rpartition('/')[2]}"
    reply = ecs.client("logs").get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)
    assert [each["message"] for each in reply["events"]] == ["hello world"]


def test_a_task_can_ask_who_it_is(ecs: LocalEcs) -> None:
    arn = run(ecs, METADATA)
    assert await_stopped(ecs, arn)[2] == 0
    stream = f"python/{CONTAINER}/{arn.rpartition('/')[2]}"
    reply = ecs.client("logs").get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)
    said = json.loads(reply["events"][0]["message"])
    assert said["TaskARN"] == arn
    assert said["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert said["PullStartedAt"] < said["Containers"][0]["StartedAt"]


def test_stopping_is_sigterm_and_then_sigkill(ecs: LocalEcs) -> None:
    polite, deaf = run(ecs), run(ecs, DEAF)
    for arn in (polite, deaf):
        await_status(ecs, arn, "RUNNING")
    log = ecs.directory / f"{deaf.rpartition('/')[2]}.log"
    await_value("its handler", lambda: "deaf" in log.read_text())
    for arn in (polite, deaf):
        ecs.client("ecs").stop_task(cluster=CLUSTER, task=arn, reason="enough")
    assert await_stopped(ecs, polite) == ("UserInitiated", "enough", 143)
    assert await_stopped(ecs, deaf) == ("UserInitiated", "enough", 137)


def test_what_ends_a_task_from_outside(ecs: LocalEcs) -> None:
    lost, full = run(ecs), run(ecs)
    for arn in (lost, full):
        await_status(ecs, arn, "RUNNING")
    pid = ecs.runtime.pid(lost)
    ecs.lose(lost)
    ecs.exhaust_memory(full)
    assert await_stopped(ecs, lost)[0] == "TerminationNotice"
    assert await_stopped(ecs, full)[2] == 137
    assert ecs.task(full)["containers"][0]["reason"].startswith("OutOfMemoryError")
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_task_that_never_starts(ecs: LocalEcs) -> None:
    ecs.faults.never_start()
    arn = run(ecs)
    assert ecs.task(arn)["lastStatus"] == "PROVISIONING"
    ecs.refuse_image(arn)
    code, reason, exit_code = await_stopped(ecs, arn)
    assert (code, exit_code) == ("TaskFailedToStart", None)
    assert reason.startswith("CannotPullContainerError")


@pytest.mark.parametrize(
    ("more", "arguments", "expected"),
    [
        ({"cpu": "300"}, {}, "No Fargate configuration exists for given values: 300 CPU"),
        ({"cpu": "256", "memory": "4096"}, {}, "No Fargate configuration exists"),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, {}, "between 21 and 200"),
        ({"containerOverrides": [{"name": "x"}]}, {}, "container named x is not a container"),
        ({"taskRoleArn": "x" * 8192}, {}, "must be at most 8192"),
        ({}, {"tags": [{"key": "a", "value": "*"}]}, "Invalid tag"),
    ],
)
def test_what_ecs_refuses(
    ecs: LocalEcs, more: Any, arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException") as refused:
        run(ecs, "pass", more, **arguments)
    assert expected in str(refused.value)


def test_a_repeated_request_is_one_task(ecs: LocalEcs) -> None:
    assert run(ecs, "pass", clientToken="t") == run(ecs, "pass", clientToken="t")


def test_a_secret_is_resolved_where_the_task_starts(ecs: LocalEcs) -> None:
    secret = ecs.client("secretsmanager").create_secret(Name="who", SecretString="anna")
    ecs.define_task("python", {}, secrets={"WHO": secret["ARN"]})
    assert (
        await_stopped(ecs, run(ecs, HELLO.replace("(3)", "(os.environ['WHO'] != 'anna')")))[2] == 0
    )

"""The launcher alone, with the local ECS and an instance in memory: sizes, and what it tells."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster_aws.ecs.container_context import EcsContainerContext

from extract_project.errors import Cause
from extract_project.manifest.fields.task_size import TaskSize
from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher, StepTask
from extract_project.orchestration.names.task_end import cause_of_end, last_words
from extract_project.settings import ExecutedRun, Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions
from extract_project_tests.support.local_ecs import LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.service import CLUSTER, CONTAINER, LOG_GROUP, REGION
from extract_project_tests.support.waiting import await_value

SIZED = {
    "a/plain": "select 1 as i",
    "a/small": "/*---\n{cpu: 0.25, memory: 512MB}\n---*/\nselect 1 as i",
    "a/large": "/*---\n{cpu: 1, memory: 9GB}\n---*/\nselect 1 as i",
    "a/roomy": "/*---\ndisk: 30\n---*/\nselect 1 as i",
}


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEcs]:
    with local_ecs(tmp_path_factory.mktemp("ecs")) as running:
        running.define_task("extract-run", {}, cpu="512", memory="2048")
        yield running


@dataclass(frozen=True)
class Rig:
    """A launcher, and a job of extracts that it may launch."""

    ecs: LocalEcs
    instance: dg.DagsterInstance
    job: dg.JobDefinition
    launcher: ExtractEcsRunLauncher

    def planned(self, *paths: str, tags: Mapping[str, str] | None = None) -> dg.DagsterRun:
        """A run of some of the extracts, that nobody has launched yet."""
        keys = {dg.AssetKey(path.split("/")) for path in paths}
        job = self.job.get_subset(asset_selection=keys)
        return self.instance.create_run_for_job(job, tags=tags, asset_selection=job.asset_selection)


@pytest.fixture
def rig(
    site: Site, settings: Settings, ecs: LocalEcs, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    for path, text in SIZED.items():
        site.put_sql(path, text)
    job = definitions(site, settings).resolve_implicit_global_asset_job_def()
    for name, value in ecs.environment.items():
        monkeypatch.setenv(name, value)
    launcher = ExtractEcsRunLauncher(
        task_definition="extract-run",
        container_name=CONTAINER,
        use_current_ecs_task_config=False,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        yield Rig(ecs, instance, job, launcher)


@pytest.mark.parametrize(
    ("paths", "tags", "expected"),
    [
        (["a/plain"], {}, {}),  # the task definition's own, and nothing is said about it
        (["a/small"], {}, {"cpu": "256", "memory": "512"}),
        (["a/large"], {}, {"cpu": "2048", "memory": "9216"}),
        (["a/roomy"], {}, {"cpu": "512", "memory": "2048", "disk": 30}),
        (["a/large", "a/roomy"], {"ecs/memory": "3000"}, {}),  # only coordinates
        (["a/large"], {"ecs/memory": "3000"}, {"cpu": "1024", "memory": "3072"}),
        (
            ["a/plain"],
            {"ecs/ephemeral_storage": "50"},
            {"cpu": "512", "memory": "2048", "disk": 50},
        ),
        (["a/small"], {"extract/too_small": "256/512"}, {"cpu": "256", "memory": "1024"}),
        (["a/large"], {"extract/too_small": "256/512"}, {"cpu": "2048", "memory": "9216"}),
    ],
)
def test_the_size_of_a_task(
    rig: Rig, paths: list[str], tags: dict[str, str], expected: dict[str, Any]
) -> None:
    run = rig.planned(*paths, tags=tags)
    context = EcsContainerContext.create_for_run(run, rig.launcher)
    found: dict[str, Any] = dict(rig.launcher.get_cpu_and_memory_overrides(context, run))
    disk = rig.launcher._get_task_overrides(context, run).get("ephemeralStorage")
    assert found | ({"disk": disk["sizeInGiB"]} if disk else {}) == expected


def test_a_tag_that_is_no_number_says_so(rig: Rig) -> None:
    run = rig.planned("a/plain", tags={"ecs/memory": "2 GB"})
    context = EcsContainerContext.create_for_run(run, rig.launcher)
    with pytest.raises(ValueError, match="the tag ecs/memory is '2 GB': expected a number of MiB"):
        rig.launcher.get_cpu_and_memory_overrides(context, run)


def test_a_task_is_told_what_it_executes(rig: Rig) -> None:
    run = rig.planned("a/small", "a/plain", tags={"ecs/container_overrides": '{"environment": []}'})
    (told,) = rig.launcher._get_container_overrides(run)["environment"]
    assert told["name"] == "EXTRACT_RUN"
    assert ExecutedRun.model_validate_json(told["value"]) == ExecutedRun(
        job="__ASSET_JOB", extracts=("a/plain", "a/small")
    )


def test_a_task_of_more_extracts_than_ecs_takes_characters_is_told_nothing(rig: Rig) -> None:
    keys = frozenset(dg.AssetKey(["folder", f"extract_{n}"]) for n in range(500))
    run = dg.DagsterRun(job_name="__ASSET_JOB", asset_selection=keys)
    assert rig.launcher._get_container_overrides(run)["environment"] == []


def test_a_run_that_does_not_start_says_what_its_task_waits_for(rig: Rig) -> None:
    rig.ecs.faults.never_start()
    reply = rig.ecs.client("ecs").run_task(
        cluster=CLUSTER,
        taskDefinition="extract-run",
        launchType="FARGATE",
        networkConfiguration=rig.ecs.network(),
    )
    arn = reply["tasks"][0]["taskArn"]
    tags = {"ecs/task_arn": arn, "ecs/cluster": CLUSTER}
    run = rig.planned("a/plain", tags=tags)
    assert rig.launcher.get_run_worker_debug_info(run) == f"Task {arn} is PROVISIONING."
    rig.ecs.refuse_image(arn)
    await_value("its end", lambda: rig.ecs.task(arn)["lastStatus"] == "STOPPED")
    told = rig.launcher.get_run_worker_debug_info(run) or ""
    assert told.startswith(f"Task {arn} is STOPPED.\nStop code: TaskFailedToStart.")
    assert "CannotPullContainerError" in told


def test_the_log_on_a_report_is_of_the_container_that_ran(rig: Rig) -> None:
    """Others, which write logs of their own, may stand before it in the task definition."""
    ecs, logs = rig.ecs.client("ecs"), rig.ecs.client("logs")
    names = ["envoy", CONTAINER, "agent"]
    options = {"awslogs-group": LOG_GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "x"}
    ecs.register_task_definition(
        family="accompanied",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[
            {
                "name": name,
                "image": name,
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }
            for name in names
        ],
    )
    rig.ecs.faults.never_start()
    reply = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition="accompanied",
        launchType="FARGATE",
        networkConfiguration=rig.ecs.network(),
    )
    arn = reply["tasks"][0]["taskArn"]
    for name in names:
        stream = f"x/{name}/{arn.rpartition('/')[2]}"
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": f"the words of {name}"}
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=[event])
    task = StepTask(arn, CLUSTER, TaskSize(), CONTAINER)
    assert last_words(rig.launcher.facts(task, rig.ecs.task(arn))).endswith(
        f"the end of its log:\n    the words of {CONTAINER}"
    )


MEMORY = "Stop code: EssentialContainerExited.\nContainer 'run' failed - exit code 137.\n"
QUOTED = "Stop code: UserInitiated.\nContainer 'run' failed - exit code 137.\nRun worker logs:\n"


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        (MEMORY, Cause.MEMORY),
        ("Container 'run': OutOfMemoryError: Container killed", Cause.MEMORY),
        (MEMORY.replace("EssentialContainerExited", "SpotInterruption"), Cause.KILLED),
        (MEMORY.replace("137", "1"), Cause.KILLED),
        (f"{QUOTED}select 'OutOfMemory'", Cause.KILLED),
        ("", Cause.KILLED),
    ],
)
def test_what_the_end_of_a_task_means(told: str, cause: Cause) -> None:
    assert cause_of_end(told) is cause


def test_last_words_are_what_the_launcher_found() -> None:
    found = "Stop code: X.\nRun worker logs:\none's\ntwo"
    message = f"Detected run worker status FAILED: '{found}'. Marking run 1-2 as failed."
    assert last_words(message) == "Stop code: X.\n\nthe end of its log:\n    one's\n    two"
    assert last_words("something else") == "something else"

"""Runs in ECS tasks: Dagster's processes, S3, and tasks that are processes, all of them real."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRun, RunsFilter
from dagster._core.events import DagsterEventType
from dagster_graphql import DagsterGraphQLClient
from playwright.sync_api import Page, expect

from extract_project.deployment.failed import FailedExtract, Question, ask
from extract_project.deployment.run import Run
from extract_project.embedded.s3_server import S3Server
from extract_project.prices import FargatePrices
from extract_project_tests.support.executing import materialization
from extract_project_tests.support.installation import Installation, installation
from extract_project_tests.support.local_ecs import Launched, LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.instance import on_ecs
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.slow

SECONDS = 120
LONG = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"
FILES = {
    "a/plain": "select 1 as i",
    "a/large": "/*---\n{cpu: 1, memory: 9GB}\n---*/\nselect 2 as i",
    "a/roomy": "/*---\n{memory: 1.5GB, disk: 30GB}\n---*/\nselect 3 as i",
    "b/lost": LONG,
    "b/hungry": f"/*---\nmemory: 600MB\n---*/\n{LONG}",
    "b/stopped": LONG,
    "c/first": "select 1 as i",
    "c/second": "/*---\n{depends_on: [c/first], memory: 2GB}\n---*/\nselect 2 as i",
    "c/lost": f"/*---\nretries: {{max: 1, delay: 1s}}\n---*/\n{LONG}",
    "c/hungry": f"/*---\n{{memory: 600MB, retries: {{max: 0}}}}\n---*/\n{LONG}",
    "c/unstarted": "/*---\nretries: {max: 0}\n---*/\nselect 1 as i",
}
STEPS = {path: path.replace("/", "__") for path in FILES}
STEP_TAG, KILLED = "dagster/step_key", 137
PRICES = FargatePrices(vcpu_hour=0.04, gb_hour=0.0044, disk_gb_hour=0.0001)
MANY, MOST_CHARACTERS = 2000, 6000


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEcs]:
    with local_ecs(tmp_path_factory.mktemp("ecs")) as running:
        yield running


@pytest.fixture(scope="module")
def running(
    module_aws: S3Server, ecs: LocalEcs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("dagster")
    prices = {f"EXTRACT_FARGATE__{k.upper()}": str(v) for k, v in vars(PRICES).items()}
    more = {**ecs.environment, **module_aws.environment, **prices}
    with installation(
        module_aws, home, "ecs", FILES, more, sections=lambda given: on_ecs(ecs, given)
    ) as running:
        yield running


def await_end(running: Installation, run_id: str) -> Run:
    def probe() -> Run | None:
        run = running.deployment.run(run_id, {})
        return run if run.finished else None

    return await_value(f"the end of run {run_id}", probe, SECONDS)


def await_query(
    running: Installation, ecs: LocalEcs, run_id: str, step: str | None = None, number: int = 1
) -> Launched:
    """The task of a run, or of a step in it, once its query has begun."""
    said = "warehouse shop"

    def probe() -> Launched | None:
        tasks = [each for each in ecs.of_run(run_id) if each.tags.get(STEP_TAG) == step]
        if len(tasks) < number:
            return None
        log = ecs.directory / f"{tasks[number - 1].id}.log"
        return tasks[number - 1] if log.exists() and said in log.read_text() else None

    return await_value(f"the query of run {run_id}", probe, SECONDS)


def by_step(ecs: LocalEcs, run_id: str) -> dict[str | None, list[Launched]]:
    """The tasks of a run of several: of each step, and None: the one that coordinates."""
    found: dict[str | None, list[Launched]] = {}
    for each in ecs.of_run(run_id):
        found.setdefault(each.tags.get(STEP_TAG), []).append(each)
    return found


def await_stopped(ecs: LocalEcs, tasks: list[Launched]) -> None:
    await_value(
        "every task to have stopped",
        lambda: all(ecs.task(each.arn)["lastStatus"] == "STOPPED" for each in tasks) or None,
        SECONDS,
    )


def terminate(running: Installation, run_id: str) -> None:
    port = int(running.server.url.rpartition(":")[2])
    DagsterGraphQLClient("127.0.0.1", port_number=port).terminate_run(run_id)


def failed(running: Installation, path: str) -> FailedExtract | None:
    members = ask(running.deployment, Question()).members
    return next((each for each in members if each.extract == path), None)


def stored_run(running: Installation, run_id: str) -> DagsterRun:
    with DagsterInstance.from_config(str(running.server.home)) as instance:
        (run,) = instance.get_runs(RunsFilter(run_ids=[run_id]))
        return run


def recorded(running: Installation, path: str) -> dict[str, Any]:
    """The metadata of the latest materialization."""
    with DagsterInstance.from_config(str(running.server.home)) as instance:
        metadata = materialization(instance, path).metadata
    return {name: value.value for name, value in metadata.items()}


def messages(running: Installation, run_id: str) -> str:
    with DagsterInstance.from_config(str(running.server.home)) as instance:
        return "\n".join(entry.user_message or entry.message for entry in instance.all_logs(run_id))


def test_each_run_is_a_task_as_large_as_its_header_says(
    running: Installation, ecs: LocalEcs
) -> None:
    run_ids = {path: running.deployment.launch([path]) for path in FILES if path.startswith("a/")}
    assert {await_end(running, each).status for each in run_ids.values()} == {"SUCCESS"}
    tasks = {path: ecs.of_run(run_id) for path, run_id in run_ids.items()}
    assert {
        path: [(each.cpu, each.memory, each.disk) for each in launched]
        for path, launched in tasks.items()
    } == {
        "a/plain": [(256, 512, None)],
        "a/large": [(2048, 9 * 1024, None)],
        "a/roomy": [(256, 2048, 30)],
    }
    for path in run_ids:
        assert len(running.site.version_ids(f"extracts/{path}.parquet")) == 1
    assert len({ecs.runtime.pid(each.arn) for (each,) in tasks.values()}) == 3
    assert "The task of this run has 2 vCPU, 9GB" in messages(running, run_ids["a/large"])
    plain, roomy = recorded(running, "a/plain"), recorded(running, "a/roomy")
    assert (plain["task_vcpu"], plain["task_memory_mib"]) == (0.25, 512)
    assert roomy["task_memory_mib"] == 2048
    assert plain["task_seconds"] >= 60
    hours = roomy["task_seconds"] / 3600
    hourly = 0.25 * PRICES.vcpu_hour + 2 * PRICES.gb_hour + 10 * PRICES.disk_gb_hour
    assert roomy["estimated_fargate_usd"] == pytest.approx(hours * hourly, rel=0.01)
    assert "2 GB at $0.0044" in roomy["cost_basis"]


def test_a_new_file_goes_all_the_way_from_the_bucket_to_the_page_of_its_asset(
    running: Installation, ecs: LocalEcs, page: Page
) -> None:
    """Bucket, sensor, schedule, queue, task, version, browser: all but AWS itself is real."""
    header = "/*---\n{{schedule: '* * * * *', memory: 1GB, enabled: {enabled}}}\n---*/\n"
    running.site.put_sql("d/scheduled", header.format(enabled="true") + "select 1 as i")
    version_ids = running.await_versions("d/scheduled", 1)
    running.site.put_sql("d/scheduled", header.format(enabled="false") + "select 1 as i")
    run = running.runs("d/scheduled")[-1]
    (task,) = ecs.of_run(run.run_id)
    assert (task.cpu, task.memory) == (256, 1024)
    assert "extract/tick" in run.tags
    with DagsterInstance.from_config(str(running.server.home)) as instance:
        assert instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_ENQUEUED)
    page.goto(f"{running.server.url}/assets/d/scheduled?view=events")
    expect(page.get_by_text(version_ids[-1]).first).to_be_visible()
    await_end(running, run.run_id)


def test_of_several_in_one_run_each_has_a_task_of_its_own(
    running: Installation, ecs: LocalEcs
) -> None:
    paths = ["a/plain", "a/large", "a/roomy", "c/first", "c/second"]
    run_id = running.deployment.launch(paths)
    assert await_end(running, run_id).status == "SUCCESS"
    tasks = by_step(ecs, run_id)
    assert {
        step: [(each.cpu, each.memory, each.disk) for each in launched]
        for step, launched in tasks.items()
    } == {
        None: [(256, 512, None)],  # only coordinates
        "a__plain": [(256, 512, None)],
        "a__large": [(2048, 9 * 1024, None)],
        "a__roomy": [(256, 2048, 30)],
        "c__first": [(256, 512, None)],
        "c__second": [(256, 2048, None)],
    }
    pids = {ecs.runtime.pid(each.arn) for launched in tasks.values() for each in launched}
    assert len(pids) == len(tasks)
    assert max(each.override_characters for (each,) in tasks.values()) < MOST_CHARACTERS
    names = [each.tags.get(STEP_TAG) for each in ecs.of_run(run_id)]
    assert names.index("c__first") < names.index("c__second")
    assert "a/large.sql gets a task with 2 vCPU, 9GB" in messages(running, run_id)
    sizes = [recorded(running, path)["task_memory_mib"] for path in paths]
    assert sizes == [512, 9 * 1024, 2048, 512, 2048]  # each its own, not the coordinator's


@pytest.mark.soak
def test_in_a_run_of_several_what_happens_to_one_task_is_no_business_of_the_others(
    running: Installation, ecs: LocalEcs
) -> None:
    ecs.faults.never_start_step("c__unstarted")
    run_id = running.deployment.launch(["c/first", "c/lost", "c/hungry", "c/unstarted"])
    lost = await_query(running, ecs, run_id, "c__lost")
    ecs.lose(lost.arn)
    hungry = await_query(running, ecs, run_id, "c__hungry")
    ecs.exhaust_memory(hungry.arn)
    again = await_query(running, ecs, run_id, "c__hungry", 2)
    assert (hungry.memory, again.memory) == (1024, 2048)
    ecs.exhaust_memory(again.arn)
    ecs.lose(await_query(running, ecs, run_id, "c__lost", 2).arn)
    unstarted = await_value("it to wait", lambda: by_step(ecs, run_id).get("c__unstarted"), SECONDS)
    ecs.refuse_image(unstarted[0].arn)

    assert await_end(running, run_id).status == "FAILURE"
    counted = {step: len(tasks) for step, tasks in by_step(ecs, run_id).items()}
    assert counted == {None: 1, "c__first": 1, "c__lost": 2, "c__hungry": 2, "c__unstarted": 1}
    steps = {step.path: step for step in running.deployment.run(run_id, STEPS).steps}
    assert {path: step.status for path, step in steps.items()} == {
        "c/first": "SUCCESS",
        "c/lost": "FAILURE",
        "c/hungry": "FAILURE",
        "c/unstarted": "FAILURE",
    }
    reports = {path: each for path in steps if (each := failed(running, path))}
    assert {path: each.cause for path, each in reports.items()} == {
        "c/lost": "killed",
        "c/hungry": "out of memory",
        "c/unstarted": "killed",
    }
    assert (
        "Stop reason: ECS is performing maintenance on the underlying"
        in reports["c/lost"].failure_report
    )
    assert "the end of its log:\n    " in reports["c/lost"].failure_report
    assert "it had 0.25 vCPU, 2GB" in reports["c/hungry"].failure_report
    assert "write 'memory: 4GB' in c/hungry.sql" in reports["c/hungry"].failure_report
    assert "CannotPullContainerError" in reports["c/unstarted"].failure_report
    assert steps["c/lost"].error.startswith("c/lost.sql: the run's process died")
    assert "because 0.25 vCPU, 1GB was too small" in messages(running, run_id)


@pytest.mark.soak
def test_a_slow_ecs_makes_no_task_of_a_run_of_several_look_dead(
    running: Installation, ecs: LocalEcs
) -> None:
    """Each round of looks takes longer than any of the extracts."""
    paths = ["a/plain", "c/first", "c/second"]
    ecs.faults.slowness = 4.0
    run_id = running.deployment.launch(paths)
    try:
        assert await_end(running, run_id).status == "SUCCESS"
    finally:
        ecs.faults.none()
    assert {len(tasks) for tasks in by_step(ecs, run_id).values()} == {1}


@pytest.mark.parametrize("end", ["terminated", "coordinator lost"])
def test_when_a_run_of_several_ends_so_do_its_tasks(
    running: Installation, ecs: LocalEcs, end: str
) -> None:
    run_id = running.deployment.launch(["b/lost", "b/stopped"])
    for step in ("b__lost", "b__stopped"):
        await_query(running, ecs, run_id, step)
    tasks = by_step(ecs, run_id)
    if end == "terminated":
        terminate(running, run_id)
    else:
        ecs.lose(tasks[None][0].arn)
    run = await_end(running, run_id)
    assert run.status == ("CANCELED" if end == "terminated" else "FAILURE")
    await_stopped(ecs, ecs.of_run(run_id))
    assert running.site.open_uploads() == 0
    for step in ("b__lost", "b__stopped"):
        (task,) = tasks[step]
        assert ecs.task(task.arn)["containers"][0]["exitCode"] != KILLED


def test_a_throttled_run_task_is_tried_again_and_tags_of_the_run_win(
    running: Installation, ecs: LocalEcs
) -> None:
    ecs.faults.throttle(3)  # as often as the SDK would try by itself
    ecs.faults.starve(1)
    before = ecs.faults.seen
    run_id = running.deployment.launch(["a/large"], tags={"ecs/memory": "4096"})
    assert await_end(running, run_id).status == "SUCCESS"
    assert ecs.faults.seen == before + 4
    (task,) = ecs.of_run(run_id)
    assert (task.cpu, task.memory) == (1024, 4096)


def test_a_lost_task_is_a_failed_run_with_the_reason(running: Installation, ecs: LocalEcs) -> None:
    run_id = running.deployment.launch(["b/lost"])
    task = await_query(running, ecs, run_id)
    ecs.lose(task.arn)
    assert await_end(running, run_id).status == "FAILURE"
    found = failed(running, "b/lost")
    assert found is not None
    assert found.cause == "killed"
    assert found.failure_report.startswith(
        "b/lost.sql: the run's process died without reporting why"
    )
    assert "Stop reason: ECS is performing maintenance on the underlying" in found.failure_report
    assert "Container 'run' failed - exit code 137" in found.failure_report
    assert "the end of its log:\n    " in found.failure_report
    assert stored_run(running, run_id).tags["extract/failure"] == "killed"
    assert running.site.version_ids("extracts/b/lost.parquet") == []


def test_a_task_out_of_memory_is_launched_once_more_with_twice_as_much(
    running: Installation, ecs: LocalEcs
) -> None:
    run_id = running.deployment.launch(["b/hungry"])
    task = await_query(running, ecs, run_id)
    assert (task.cpu, task.memory) == (256, 1024)
    ecs.exhaust_memory(task.arn)
    assert await_end(running, run_id).status == "FAILURE"
    advice = "write 'memory: 2GB' in b/hungry.sql"
    assert advice in messages(running, run_id)

    again_id = await_value(
        "the run that Dagster launches",
        lambda: stored_run(running, run_id).tags.get("dagster/auto_retry_run_id"),
    )
    again = await_query(running, ecs, again_id)
    assert (again.cpu, again.memory) == (256, 2048)
    assert "because 0.25 vCPU, 1GB was too small" in messages(running, again_id)
    ecs.exhaust_memory(again.arn)
    assert await_end(running, again_id).status == "FAILURE"
    found = failed(running, "b/hungry")
    assert found is not None
    assert found.cause == "out of memory"
    assert "The task ran out of memory; it had 0.25 vCPU, 2GB" in found.failure_report
    assert "to give it more, write 'memory: 4GB' in b/hungry.sql" in found.failure_report
    assert stored_run(running, again_id).tags["dagster/will_retry"] == "false"


def test_terminating_a_run_stops_its_task(running: Installation, ecs: LocalEcs) -> None:
    run_id = running.deployment.launch(["b/stopped"])
    task = await_query(running, ecs, run_id)
    terminate(running, run_id)
    assert await_end(running, run_id).status == "CANCELED"
    stopped = await_value(
        "the task to stop",
        lambda: found if (found := ecs.task(task.arn))["lastStatus"] == "STOPPED" else None,
    )
    assert stopped["stopCode"] == "UserInitiated"
    assert running.site.open_uploads() == 0


@pytest.mark.soak
@pytest.mark.soak
def test_the_request_stays_small_however_many_extracts_there_are(
    running: Installation, ecs: LocalEcs
) -> None:
    def put(number: int) -> str:
        return running.site.put_sql(f"many/extract_{number}", f"select {number} as i")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(MANY)))
    running.deployment.reload()
    run_id = running.deployment.launch(["many/extract_7"])
    (task,) = await_value("its task", lambda: ecs.of_run(run_id) or None, SECONDS)
    assert task.override_characters < MOST_CHARACTERS
    ecs.lose(await_query(running, ecs, run_id).arn)

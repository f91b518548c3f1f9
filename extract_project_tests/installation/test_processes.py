"""Code server, webserver, daemon, run workers and a browser, all of them real."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterEventType, DagsterInstance
from dagster_graphql import DagsterGraphQLClient
from playwright.sync_api import Page, expect

from extract_project.embedded.process import free_port
from extract_project_tests.support.cloudformation.template import Evaluation
from extract_project_tests.support.executing import materialization
from extract_project_tests.support.installation import Installation
from extract_project_tests.support.snowflake_server import (
    Service,
    SnowflakeServer,
)
from extract_project_tests.support.snowflake_server.service import Query as ServerQuery
from extract_project_tests.support.waiting import await_value

SNOW = "/*---\n{warehouse: snow}\n---*/\n"
NEVER_ENDING = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"


FILES = {
    "sales/orders": "/*---\nchecks: [{unique: i}]\n---*/\nselect 1 as i",
    "sales/clicked": "select 42 as answer",
    "sales/broken": "delete from somewhere",
    "sales/refused": "/*---\nchecks: [{max_rows: 0}]\n---*/\nselect 1 as i",
    "snow/orders": f"{SNOW}select id from shop.orders",
    "snow/stuck": f"{SNOW}{NEVER_ENDING}",
    "snow/too": f"{SNOW}{NEVER_ENDING}",
    "snow/late": f"{SNOW.replace('snow', 'snow, timeout: 10s')}{NEVER_ENDING}",
}


def test_a_run_of_one_extract_publishes_one_version(installed: Installation) -> None:
    assert installed.run("sales/orders").status == "SUCCESS"
    assert len(installed.site.version_ids("extracts/sales/orders.parquet")) == 1


@pytest.mark.slow
def test_g6_a_run_of_several_publishes_all_but_the_refused(installed: Installation) -> None:
    finished = installed.run("sales/orders", "sales/refused")
    assert finished.status == "FAILURE"
    assert {step.path: step.status for step in finished.steps} == {
        "sales/orders": "SUCCESS",
        "sales/refused": "FAILURE",
    }
    (report,) = [step.error for step in finished.steps if step.error]
    assert report.startswith("sales/refused.sql:2:10: 1 rows; the rule is at most 0 rows")
    assert installed.site.version_ids("extracts/sales/refused.parquet") == []


@pytest.mark.slow
def test_g3_a_run_executes_the_sql_that_it_was_launched_with(installed: Installation) -> None:
    """The bucket changes after the definitions were loaded and before the run worker starts."""
    site = installed.site
    launched_with = site.put_sql("sales/pinned", "select 'old' as sql_text")
    installed.deployment.reload()
    await_value("the new asset", lambda: "sales/pinned" in installed.deployment.extracts())
    changed_to = site.put_sql("sales/pinned", "select 'new' as sql_text")
    assert changed_to != launched_with

    run_id, finished = installed.launch("sales/pinned")
    assert finished.status == "SUCCESS"
    head = site.s3.head_object(Bucket=site.data.bucket, Key="extracts/sales/pinned.parquet")
    assert head["Metadata"]["extract-sql-version"] == launched_with
    assert b"old" in site.body("extracts/sales/pinned.parquet")
    assert stored_snapshot_id(installed.server.home, run_id)

    installed.deployment.reload()
    assert installed.run("sales/pinned").status == "SUCCESS"
    assert b"new" in site.body("extracts/sales/pinned.parquet")


@pytest.mark.slow
def test_g3_a_run_executes_the_defaults_that_it_was_launched_with(
    installed: Installation,
) -> None:
    site = installed.site
    site.put_defaults("inherits", "params: {word: old}")
    site.put_sql("inherits/pinned", "select :word as word")
    installed.deployment.reload()
    await_value("the new asset", lambda: "inherits/pinned" in installed.deployment.extracts())
    site.put_defaults("inherits", "params: {word: new}")
    assert installed.launch("inherits/pinned")[1].status == "SUCCESS"
    assert b"old" in site.body("extracts/inherits/pinned.parquet")


@pytest.mark.slow
def test_g10_a_snowflake_run_leads_to_its_query(
    installed: Installation, snowflake: SnowflakeServer
) -> None:
    snowflake.service.monitored = {
        "warehouseExternalSize": "Small",
        "warehouseServerType": "STANDARD",
        "totalDuration": 36_000,
    }
    assert installed.run("snow/orders").status == "SUCCESS"
    (query,) = [each for each in snowflake.service.queries if "snow/orders" in each.tag]
    site, key = installed.site, "extracts/snow/orders.parquet"
    head = site.s3.head_object(Bucket=site.data.bucket, Key=key)
    assert head["Metadata"]["extract-query-id"] == query.id
    assert json.loads(query.tag)["run_id"] == head["Metadata"]["extract-run-id"]
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        recorded = materialization(instance, "snow/orders").metadata
    assert recorded["warehouse_seconds"].value == 36.0
    assert recorded["estimated_credits"].value == 0.02
    assert "at 2 credits an hour" in str(recorded["warehouse_cost_basis"].value)
    assert "task_seconds" not in recorded  # which is for ECS


def test_the_doctor_finds_nothing_wrong(installed: Installation) -> None:
    def told() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = json.loads(installed.call("doctor", "--json").stdout)
        return found if all(each["ok"] for each in found) else None

    (dagster,) = (each for each in await_value("health", told) if each["subject"] == "dagster")
    assert "extract_project loaded, daemon alive" in dagster["detail"]


@pytest.mark.parametrize(
    "paths",
    [["snow/stuck"], pytest.param(["snow/stuck", "snow/too"], marks=pytest.mark.slow)],
    ids=["one", "several"],
)
def test_g8_a_terminated_run_is_cancelled_and_so_is_its_query(
    installed: Installation, snowflake: SnowflakeServer, paths: list[str]
) -> None:
    """Cancelled, not failed; nothing runs on in the warehouse, nothing is published."""
    run_id = installed.deployment.launch(paths)
    queries = [await_query(snowflake.service, path) for path in paths]
    client = DagsterGraphQLClient(
        "127.0.0.1", port_number=int(installed.server.url.rpartition(":")[2])
    )
    client.terminate_run(run_id)
    await_value("the end of its queries", lambda: all(q.state == "ABORTED" for q in queries))
    status = await_value(
        "the end of the run",
        lambda: run.status if (run := installed.deployment.run(run_id, {})).finished else None,
    )
    assert status == "CANCELED"
    for path in paths:
        assert installed.site.version_ids(f"extracts/{path}.parquet") == []
    assert installed.site.open_uploads() == 0


@pytest.mark.soak
def test_g6_a_process_that_is_killed_takes_no_neighbour_along(
    installed: Installation, snowflake: SnowflakeServer
) -> None:
    run_id = installed.deployment.launch(["snow/stuck", "sales/refused"])
    first = await_query(snowflake.service, "snow/stuck")
    os.kill(step_process(installed, run_id, "snow__stuck"), signal.SIGKILL)
    snowflake.service.abort(first.id)  # which the warehouse does when the session is over
    await_value("the retry", lambda: running_query(snowflake.service, "snow/stuck"), 300)
    installed.deployment.terminate(run_id)
    finished = installed.await_end(run_id)
    (report,) = [step.error for step in finished.steps if step.path == "sales/refused"]
    assert "1 rows; the rule is at most 0 rows" in report


@pytest.mark.slow
def test_g8_a_timeout_cancels_the_query(
    installed: Installation, snowflake: SnowflakeServer
) -> None:
    finished = installed.run("snow/late")
    assert finished.status == "FAILURE"
    (step,) = finished.steps
    assert "not done after 10s, so the query was cancelled" in step.error
    queries = [each for each in snowflake.service.queries if "snow/late" in each.tag]
    assert [each.state for each in queries] == ["ABORTED"]


def await_query(service: Service, extract: str) -> ServerQuery:
    return await_value("its query", lambda: running_query(service, extract), 120)


def running_query(service: Service, extract: str) -> ServerQuery | None:
    found = [each for each in service.queries if extract in each.tag and each.state == "RUNNING"]
    return found[0] if found else None


def step_process(installed: Installation, run_id: str, step: str) -> int:
    """The process that a step of a run of several has told of."""
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        events = [each.dagster_event for each in instance.all_logs(run_id)]
    (started,) = [
        each
        for each in events
        if each is not None
        and each.event_type is DagsterEventType.STEP_WORKER_STARTED
        and each.step_key == step
    ]
    pid = started.engine_event_data.metadata["pid"].value
    return int(str(pid))


def stored_snapshot_id(home: Path, run_id: str) -> str:
    """The snapshot that the run's stored execution plan names."""
    with DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.execution_plan_snapshot_id is not None
        plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    load_data = plan.repository_load_data
    assert load_data is not None
    return str(json.loads(json.dumps(dict(load_data.reconstruction_metadata)))["extract_snapshot"])


def test_the_ui_materializes_an_extract_by_clicking(installed: Installation, page: Page) -> None:
    page.set_viewport_size({"width": 1500, "height": 3000})  # of a list, it has what is visible
    page.goto(f"{installed.server.url}/assets")
    page.get_by_role("link", name="sales / clicked").first.click()
    page.get_by_role("button", name="Materialize", exact=False).first.click()
    key = "extracts/sales/clicked.parquet"
    (version_id,) = await_value(
        "the published version", lambda: installed.site.version_ids(key) or None, 120
    )
    page.goto(f"{installed.server.url}/assets/sales/clicked?view=events")
    expect(page.get_by_text(version_id).first).to_be_visible()


def test_g6_the_ui_shows_an_invalid_file_red_with_its_reason(
    installed: Installation, page: Page
) -> None:
    page.goto(f"{installed.server.url}/assets/sales/broken")
    reason = page.get_by_text("sales/broken.sql:1:1").first
    expect(reason).to_be_visible()
    page.goto(f"{installed.server.url}/assets/sales/broken?view=checks")
    failed = page.get_by_text("Failed").first
    expect(failed).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("process", ["Code", "Webserver", "Daemon"])
def test_the_health_check_of_a_container_tells_well_from_ill(
    installed: Installation, process: str, tmp_path: Path
) -> None:
    """The commands of deploy/template.yaml, on running processes and where there are none."""
    (server,) = yaml.safe_load((installed.server.home / "workspace.yaml").read_text())["load_from"]
    ports = {"4000": server["grpc_server"]["port"], "3000": installed.server.url.rpartition(":")[2]}
    shell, *command = Evaluation().container(process)["HealthCheck"]["Command"]
    assert shell == "CMD"

    def status(ports: dict[str, Any], home: Path) -> int:
        words = [re.sub("4000|3000", lambda port: str(ports[port[0]]), word) for word in command]
        path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
        environment = {**installed.environment, "PATH": path, "DAGSTER_HOME": str(home)}
        return subprocess.run(words, env=environment, capture_output=True).returncode

    def well() -> bool:
        return status(ports, installed.server.home) == 0

    assert await_value("health", well, 60)
    assert status(dict.fromkeys(ports, free_port()), tmp_path) != 0

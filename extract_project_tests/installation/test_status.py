"""`extract status` and `extract why`, asked of Dagster's own processes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from dagster import DagsterInstance
from jsonschema import Draft202012Validator

from extract_project.cli.main import main
from extract_project.cli.schema import answer_schema
from extract_project.deployment.client import Deployment
from extract_project.errors import DeploymentError
from extract_project_tests.support.graphql import switch_off
from extract_project_tests.support.installation import Installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.slow

FILES = {
    "morning/bad": "/*---\nowners: team:sales\n---*/\nselect error('no such day') as a",
    "morning/after": "/*---\ndepends_on: morning/bad\n---*/\nselect 1 as a",
    "morning/fine": "select 1 as a",
    "morning/held": "/*---\npool: narrow\n---*/\nselect 1 as a",
    "morning/invalid": "selec 1",
    "morning/off": "/*---\nschedule: '7 3 1 1 *'\n---*/\nselect 1 as a",
}
_SECONDS = 120


def states(installed: Installation, *arguments: str) -> dict[str, str]:
    told = installed.call("status", "--group", "morning", "--json", *arguments)
    return {each["extract"]: each["state"] for each in json.loads(told.stdout)["extracts"]}


def test_status_and_why_say_what_is_true(installed: Installation) -> None:
    installed.run("morning/bad")
    installed.run("morning/fine")
    assert explained(installed, "morning/off")["next_start_at"] is not None
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("narrow", 1)
        storage.claim_concurrency_slot("narrow", "another-run", "step")
        held = installed.deployment.launch(["morning/held"])
        await_value("it to be held", lambda: states(installed)["morning/held"] == "held", _SECONDS)
        why = explained(installed, "morning/held")
        assert [each["kind"] for each in why["reasons"]] == ["pool_full"]
        assert "1 of 1 slots" in why["reasons"][0]["evidence"]
        storage.free_concurrency_slots_for_run("another-run")
    installed.await_end(held)

    assert "7 3 1 1 *" in explained(installed, "morning/off")["reasons"][0]["evidence"]
    switch_off(installed.server.url, "cron_7_3_1_1_any")
    assert states(installed) == {
        "morning/bad": "failed",
        "morning/invalid": "invalid",
        "morning/after": "waiting",
        "morning/off": "disabled",
        "morning/fine": "fine",
        "morning/held": "fine",
    }
    assert list(states(installed))[:2] == ["morning/bad", "morning/invalid"]
    assert states(installed, "--owner", "team:sales") == {"morning/bad": "failed"}
    assert states(installed, "--failed") == {"morning/bad": "failed", "morning/invalid": "invalid"}
    assert states(installed, "--late") == {}

    found = json.loads(installed.call("doctor", "--json").stdout)
    (starters,) = (each for each in found if each["subject"] == "schedules and sensors")
    assert not starters["ok"]
    assert "cron_7_3_1_1_any" in starters["detail"]
    assert "cron_7_3_1_1_any" in installed.call("status", "--group", "morning").stdout

    failed = json.loads(installed.call("failed", "--group", "morning", "--json").stdout)["failed"]
    assert [(each["extract"], each["state"]) for each in failed] == [
        ("morning/invalid", "invalid"),
        ("morning/bad", "failed"),
    ]
    assert failed[1]["owners"] == ["team:sales"]
    assert failed[1]["next_step"].startswith("fix the SQL and push it")
    assert failed[1]["url"] == f"{installed.server.url}/runs/{failed[1]['run_id']}"
    listed = installed.call("failed", "--group", "morning")
    assert (listed.exit_code, "1 invalid, 1 failed" in listed.stdout) == (1, True)
    whole = installed.call("failed", "morning/bad").stdout
    assert "readers have: nothing" in whole
    assert failed[1]["failure_report"] in whole

    off = explained(installed, "morning/off")
    assert off["reasons"][0]["kind"] == "starter_off"
    assert off["next_start"].startswith("never")
    after = explained(installed, "morning/after")
    assert after["reasons"][0]["kind"] == "upstream_failed"
    assert "no such day" in after["reasons"][0]["evidence"]
    told = installed.call("why", "morning/bad")
    assert told.exit_code == 1
    assert "morning/bad is failed" in told.stdout
    assert "to run it now: extract run morning/bad" in told.stdout
    assert installed.call("why", "morning/fine").exit_code == 0
    misspelt = installed.call("why", "morning/fien")
    assert (misspelt.exit_code, "did you mean 'morning/fine'?" in misspelt.stderr) == (2, True)


def test_runs_and_logs_say_what_ran(installed: Installation) -> None:
    run_id, _ = installed.launch("morning/fine")
    failed, _ = installed.launch("morning/bad")
    for arguments in (
        ("status",),
        ("why", "morning/bad"),
        ("failed",),
        ("runs", "--since", "10m"),
    ):
        answer = json.loads(installed.call(*arguments, "--json").stdout)
        Draft202012Validator(answer_schema(arguments[0])).validate(answer)
    told = installed.call("runs", "morning/*", "--since", "10m", "--json")
    rows = {each["run_id"]: each for each in json.loads(told.stdout)["runs"]}
    assert rows[run_id]["extracts"] == ["morning/fine"]
    assert (rows[run_id]["outcome"], rows[run_id]["cause"]) == ("succeeded", "manual")
    assert (rows[failed]["outcome"], rows[failed]["failure"]) == ("failed", "sql")
    assert rows[run_id]["created_at"] <= rows[run_id]["started_at"] <= rows[run_id]["ended_at"]
    assert "morning/fine" in installed.call("runs", "--since", "10m").stdout
    past = installed.call("runs", "morning/*", "--since", "2026-01-01T00:00Z", "--until", "20d")
    assert "nothing ran" in past.stdout
    assert "--since is not before" in installed.call("runs", "--until", "2d").stderr
    assert "no run says" in installed.call("runs", "morning/*", "--cost", "owner").stdout

    said = installed.call("logs", "morning/bad").stdout
    assert "no such day" in said
    lines = installed.call("logs", "morning/fine", "--json", "--follow").stdout.splitlines()
    assert {json.loads(each)["run_id"] for each in lines} == {run_id}
    for each in lines:
        Draft202012Validator(answer_schema("logs")).validate(json.loads(each))
    assert "ASSET_MATERIALIZATION" in {json.loads(each)["event"] for each in lines}
    assert "has never run" in installed.call("logs", "morning/after").stderr


def test_a_location_that_is_not_loaded_is_the_reason(installed: Installation) -> None:
    with pytest.raises(DeploymentError, match=r"could not be reloaded: .*nowhere"):
        Deployment(installed.server.url, "nowhere").reload()
    environment = {**installed.command_environment, "EXTRACT_LOCATION": "nowhere"}
    told = CliRunner().invoke(main, ["why", "morning/fine", "--json"], env=environment)
    (reason,) = json.loads(told.stdout)["reasons"]
    assert (told.exit_code, reason["kind"]) == (1, "not_loaded")
    assert "it has only" in reason["evidence"]


def explained(installed: Installation, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(installed.call("why", path, "--json").stdout)
    return found

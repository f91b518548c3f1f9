"""`extract deploy-schedules` against moto's EventBridge Scheduler, and tasks that are processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import PROGRAM, call, valid
from extract_project_tests.support.local_ecs import LocalEcs, local_ecs
from extract_project_tests.support.local_ecs.service import CLUSTER
from extract_project_tests.support.scheduler import denying, schedules, tick
from extract_project_tests.support.waiting import await_value

DAILY = "/*---\nschedule: {}\n---*/\nselect 1 as n"
ROLE = "arn:aws:iam::123456789012:role/scheduler"


@pytest.fixture(scope="module")
def ecs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEcs]:
    with local_ecs(tmp_path_factory.mktemp("ecs")) as running:
        yield running


@pytest.fixture
def account(site: Site, ecs: LocalEcs, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEcs]:
    """ECS with the task definition of runs, and the settings that name it; no schedules."""
    awsvpc = ecs.network()["awsvpcConfiguration"]
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    ecs.define_task("extracts-run", {**site.environment, "PATH": path}, cpu="512", memory="1024")
    settings = {
        "CLUSTER": CLUSTER,
        "TASK_DEFINITION": "extracts-run",
        "SUBNETS": ",".join(awsvpc["subnets"]),
        "SECURITY_GROUPS": ",".join(awsvpc["securityGroups"]),
        "ROLE_ARN": ROLE,
    }
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    for name, value in settings.items():
        monkeypatch.setenv(f"EXTRACT_SCHEDULER__{name}", value)
    for service in ("SCHEDULER", "ECS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", ecs.endpoint)
    yield ecs
    for name in schedules(ecs):
        ecs.client("scheduler").delete_schedule(GroupName="extracts", Name=name)


def deploy(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The answer of the command, with the change of each extract as `changes`."""
    ended = call("deploy-schedules", *arguments, "--json")
    assert ended.exit_code == code, ended.output
    told = valid("deploy-schedules", ended.stdout)
    changes = {each["extract"]: each["change"] for each in told["schedules"]}
    return {**told, "changes": changes}


def test_a_plan_changes_nothing_and_yes_applies_it(site: Site, account: LocalEcs) -> None:
    site.put_sql("a/b", DAILY.format("weekdays at 06:00\ntimezone: Europe/Berlin"))
    site.put_sql("a/on_demand", "select 1 as n")
    site.put_sql("a/off", DAILY.format("daily\nenabled: false"))
    assert deploy()["changes"] == {"a/b": "created"}
    assert schedules(account) == {}
    assert deploy("--yes")["applied"]
    (made,) = schedules(account).values()
    assert made["ScheduleExpression"] == "cron(0 6 ? * MON-FRI *)"
    assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["State"] == "ENABLED"
    assert made["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
    assert "DeadLetterConfig" not in made["Target"]
    assert deploy("--yes")["changes"] == {"a/b": "unchanged"}


def test_what_has_changed_is_changed_and_what_is_gone_removed(
    site: Site, account: LocalEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put_sql("a/b", DAILY.format("daily"))
    site.put_sql("a/c", DAILY.format("daily"))
    site.put_sql("a/d", DAILY.format("daily"))
    deploy("--yes")
    site.put_sql("a/b", DAILY.format("hourly"))
    site.put_sql("a/c", DAILY.format("daily\nmemory: 4GB"))
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/d.sql"))
    told = deploy("--yes")
    assert told["changes"] == {"a/b": "changed", "a/c": "changed", "a/d": "removed"}
    differences = {each["extract"]: each["differences"] for each in told["schedules"]}
    assert differences["a/b"][0] == "times: were cron(0 0 * * ? *)"
    assert differences["a/c"] == ["task"]
    monkeypatch.setenv("EXTRACT_SCHEDULER__DEAD_LETTER_ARN", "arn:aws:sqs:us-east-1:1:late")
    assert set(deploy("--yes")["changes"].values()) == {"changed"}
    monkeypatch.delenv("EXTRACT_SCHEDULER__DEAD_LETTER_ARN")
    assert set(deploy("--yes")["changes"].values()) == {"changed"}
    assert set(deploy()["changes"].values()) == {"unchanged"}


def test_one_refused_schedule_leaves_the_others_to_be_made(site: Site, account: LocalEcs) -> None:
    for name in "bcd":
        site.put_sql(f"a/{name}", DAILY.format("daily"))
    _, taken, _ = deploy()["schedules"]
    scheduler, taken = account.client("scheduler"), {"GroupName": "extracts", "Name": taken["name"]}
    scheduler.create_schedule_group(Name="extracts")
    scheduler.create_schedule(
        **taken,
        Description="somebody's own",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": ROLE, "RoleArn": ROLE},
    )
    refused = call("deploy-schedules", "--yes")
    assert refused.exit_code == 1
    assert "a/c: AWS refused CreateSchedule (ConflictException)" in refused.stderr
    assert "somebody else has made or changed it" in refused.stderr
    assert refused.stderr.endswith("2 created, 1 refused\n")
    errors = {each["extract"]: each["error"] for each in deploy("--yes", code=1)["schedules"]}
    assert errors["a/b"] is errors["a/d"] is None
    assert "ConflictException" in errors["a/c"]
    scheduler.delete_schedule(**taken)
    assert deploy("--yes")["changes"] == {
        "a/b": "unchanged",
        "a/c": "created",
        "a/d": "unchanged",
    }


def test_without_the_right_none_is_tried_after_the_first(
    site: Site, account: LocalEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "bcd":
        site.put_sql(f"a/{name}", DAILY.format("daily"))
    account.client("scheduler").create_schedule_group(Name="extracts")
    with denying(account.endpoint, after=1) as (endpoint, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SCHEDULER", endpoint)
        refused = call("deploy-schedules", "--yes")
    assert refused.exit_code == 2
    assert "AWS refused CreateSchedule (AccessDeniedException): not authorized" in refused.stderr
    assert "done before it: 1 created; the same command does the rest" in refused.stderr
    assert len(asked) == 2


def test_a_manifest_with_a_long_address_finds_its_schedules_again(
    site: Site, account: LocalEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description has no room for it."""
    folder = "/".join(["x" * 250] * 2)
    monkeypatch.setenv("EXTRACT_MANIFEST", f"{site.manifest.uri}/{folder}")
    site.put_sql(f"{folder}/a/b", DAILY.format("daily"))
    assert deploy("--yes")["changes"] == {"a/b": "created"}
    assert deploy("--yes")["changes"] == {"a/b": "unchanged"}


def test_what_it_did_not_make_is_not_touched(site: Site, account: LocalEcs) -> None:
    """Also what it made from another manifest."""
    site.put_sql("a/b", DAILY.format("daily"))
    deploy("--yes")
    (name, made), scheduler = *schedules(account).items(), account.client("scheduler")
    for other, described in (("mine", "backup"), (f"{name}x", made["Description"] + "x")):
        scheduler.create_schedule(
            GroupName="extracts",
            Name=other,
            Description=described.replace(site.manifest.uri, "s3://elsewhere/sql"),
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=made["Target"],
        )
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/b.sql"))
    assert deploy("--yes")["changes"] == {"a/b": "removed"}
    assert schedules(account).keys() == {"mine", f"{name}x"}


def test_a_file_that_is_invalid_or_refused_keeps_its_schedules(
    site: Site, account: LocalEcs
) -> None:
    site.put_sql("a/b", DAILY.format("daily"))
    site.put_sql("a/c", DAILY.format("daily"))
    deploy("--yes")
    site.put_sql("a/b", "/*---\nshedule: daily\n---*/\nselect 1 as n")
    site.put_sql("a/c", DAILY.format("0 6 1 * 1"))
    told = deploy("--yes", code=1)
    assert told["changes"] == {"a/b": "kept", "a/c": "kept"}
    invalid, refused = (each["reason"] for each in told["refused"])
    assert invalid.startswith("a/b.sql:2:1: ")
    assert refused.startswith("a/c.sql:2:")
    assert "write two" in refused
    assert len(schedules(account)) == 2


def test_what_needs_a_service_is_said(site: Site, account: LocalEcs) -> None:
    site.put_sql("a/first", DAILY.format("daily\nfreshness: 26h\non_change: materialize"))
    site.put_sql("a/later", DAILY.format("daily\ndepends_on: a/first\npool: small"))
    site.put_sql("a/never", "/*---\ndepends_on: a/first\n---*/\nselect 1 as n")
    watching = DAILY.format("on_source_change").replace("select 1", "select sum(n)")
    site.put_sql("a/watching", f"{watching} from shop.orders")
    told = deploy()
    assert [(each["extract"], each["key"]) for each in told["without_service"]] == [
        ("a/first", "on_change"),
        ("a/first", "freshness"),
        ("a/later", "depends_on"),
        ("a/later", "pool"),
        ("a/never", "depends_on"),
        ("a/watching", "schedule: on_source_change"),
    ]
    assert told["changes"].keys() == {"a/first", "a/later"}
    assert "not without a service" in call("deploy-schedules").stdout


def test_a_tick_starts_a_task_that_publishes_what_is_due(site: Site, account: LocalEcs) -> None:
    header = "schedule: daily\nmemory: 1.5GB\npartitions: {type: daily, start: 2026-01-01}"
    site.put_sql("a/b", f"/*---\n{header}\n---*/\nselect :partition_key as day")
    deploy("--yes")
    (made,) = schedules(account).values()
    arn = tick(account, made, datetime(2026, 1, 5, tzinfo=UTC))
    launched = next(each for each in account.launched if each.arn == arn)
    assert (launched.cpu, launched.memory) == (512, 2048)
    ended = await_value(
        "the task", lambda: (t := account.task(arn))["lastStatus"] == "STOPPED" and t
    )
    log = (account.directory / f"{arn.rpartition('/')[2]}.log").read_text()
    assert ended["containers"][0]["exitCode"] == 0, log
    assert site.version_ids("extracts/a/b/partition=2026-01-04/b.parquet")


def test_settings_that_are_missing_are_named(
    site: Site, account: LocalEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXTRACT_SCHEDULER__ROLE_ARN")
    ended = call("deploy-schedules")
    assert ended.exit_code == 2
    assert "EXTRACT_SCHEDULER__ROLE_ARN is not set: expected The role" in ended.stderr
    monkeypatch.setenv("EXTRACT_SCHEDULER__ROLE_ARN", ROLE)
    monkeypatch.setenv("EXTRACT_SCHEDULER__CLUSTER", "gone")
    ended = call("deploy-schedules")
    assert ended.exit_code == 2
    assert "no ECS cluster 'gone'" in ended.stderr

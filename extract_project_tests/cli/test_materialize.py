"""`extract materialize`: the pipeline of a run, in a process that needs no Dagster deployment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.settings import load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, Request, fault_proxy
from extract_project_tests.support.channels.sns_server import SnsServer, sns_server
from extract_project_tests.support.commands import PROGRAM, call, valid
from extract_project_tests.support.executing import definitions, execute
from extract_project_tests.support.waiting import await_value

KEY = "extracts/a/b.parquet"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
REFUSED = "/*---\nchecks: [{min_rows: 2}]\n---*/\nselect 1 as n"
DAILY = "/*---\npartitions: {type: daily, start: 2026-01-01}\n---*/\nselect :partition_key as day"
ENDLESS = "select sum(a.i * b.i) as n from range(10000000) a(i), range(10000000) b(i)"


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Iterator[SnsServer]:
    with sns_server() as server:
        server.topics.append(TOPIC)
        monkeypatch.setenv("EXTRACT_ALERTS__SNS_TOPIC", TOPIC)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", server.address)
        yield server


def materialize(*arguments: str, code: int = 0) -> Any:
    """The answer of the command, which must end with this exit code."""
    ended = call("materialize", *arguments, "--json")
    assert ended.exit_code == code, ended.output
    return valid("materialize", ended.stdout)["extracts"]


def test_it_publishes_with_a_receipt_and_leaves_nothing_behind(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sns: SnsServer
) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    temporary.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    configured.put_sql("a/b", "select 1 as n")
    (done,) = materialize("a/b")
    (version_id,) = configured.version_ids(KEY)
    assert (done["outcome"], done["rows"], done["version_id"]) == ("succeeded", 1, version_id)
    (listed,) = json.loads(call("versions", "a/b", "--json").stdout)
    assert (listed["run_id"], listed["receipt"] is None) == (done["run_id"], False)
    assert [*home.iterdir(), *temporary.iterdir(), *sns.published] == []


def test_g12_the_same_data_adds_no_version(configured: Site) -> None:
    configured.put_sql("a/b", "select 1 as n")
    materialize("a/b")
    (again,) = materialize("a/b")
    assert again["result"].startswith("unchanged")
    assert len(configured.version_ids(KEY)) == 1


def test_upstream_comes_first_and_what_is_downstream_of_a_failure_is_skipped(
    configured: Site, sns: SnsServer
) -> None:
    configured.put_sql("a/orders", REFUSED)
    configured.put_sql("a/between", "/*---\ndepends_on: a/orders\n---*/\nselect 1 as n")
    configured.put_sql("a/a_report", "/*---\ndepends_on: a/between\n---*/\nselect 1 as n")
    configured.put_sql("a/other", "select 1 as n")
    done = {each["extract"]: each["outcome"] for each in materialize("a/*", code=1)}
    assert done == {
        "a/orders": "refused",
        "a/between": "skipped",
        "a/a_report": "skipped",
        "a/other": "succeeded",
    }
    assert list(done).index("a/between") < list(done).index("a/a_report")
    ((topic, subject, text),) = sns.published
    assert topic == TOPIC
    assert "refused" in subject
    assert "a/orders.sql:2:" in text
    assert "a/a_report" in text


def test_a_failure_names_commands_that_need_no_deployment(configured: Site, sns: SnsServer) -> None:
    configured.put_sql("a/b", REFUSED)
    ended = call("materialize", "a/b")
    assert ended.exit_code == 1
    ((_, _, text),) = sns.published
    for told in (ended.stdout, text):
        assert "extract materialize a/b" in told
        assert not re.search(r"extract (rerun|run|release|failed)\b", told)


def test_an_alert_that_cannot_be_sent_is_said(configured: Site, sns: SnsServer) -> None:
    sns.topics.clear()
    configured.put_sql("a/b", REFUSED)
    ended = call("materialize", "a/b")
    assert ended.exit_code == 2  # the alarm for tasks does not look at 1
    assert f"! sns: topic {TOPIC} does not exist" in ended.stderr


def test_an_invalid_file_is_an_alert_too(configured: Site, sns: SnsServer) -> None:
    """Of a schedule's task nobody reads the standard error."""
    configured.put_sql("a/b", "/*---\nshedule: daily\n---*/\nselect 1 as n")
    ended = call("materialize", "a/b")
    assert ended.exit_code == 2
    assert "did you mean 'schedule'?" in ended.stderr
    ((_, subject, text),) = sns.published
    assert "a/b" in subject
    assert "did you mean 'schedule'?" in text


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        (("--partition", "2026-01-05"), ["2026-01-05"]),
        (("--tick", "2026-01-05T06:00:00Z"), ["2026-01-04"]),
        (("--tick", "2026-01-01T06:00:00Z"), []),
    ],
)
def test_a_partition_is_named_or_follows_from_the_tick(
    configured: Site, arguments: tuple[str, ...], days: list[str]
) -> None:
    configured.put_sql("a/b", DAILY)
    assert [each["partition"] for each in materialize("a/b", *arguments)] == days
    assert all(configured.version_ids(f"extracts/a/b/partition={day}/b.parquet") for day in days)


def test_a_tick_of_an_extract_that_is_not_enabled_publishes_nothing(configured: Site) -> None:
    """Its schedule is there until somebody runs deploy-schedules; by its name alone it can run."""
    configured.put_sql("a/b", "/*---\nschedule: daily\nenabled: false\n---*/\nselect 1 as n")
    assert materialize("a/b", "--tick", "2026-01-05T00:00:00Z") == []
    assert configured.version_ids(KEY) == []
    assert materialize("a/b")[0]["outcome"] == "succeeded"


def test_a_window_that_is_not_over_is_refused(configured: Site) -> None:
    """A deployment has no such partition, and half of its rows may be missing."""
    configured.put_sql("a/b", DAILY)
    ended = call("materialize", "a/b", "--partition", "2999-01-01")
    assert ended.exit_code == 2
    assert "has no partition '2999-01-01' yet, because its window is not over" in ended.stderr
    assert configured.version_ids("extracts/a/b/partition=2999-01-01/b.parquet") == []


def test_without_a_partition_the_error_says_how(configured: Site) -> None:
    configured.put_sql("a/b", DAILY)
    ended = call("materialize", "a/b")
    assert ended.exit_code == 2
    assert "--partition 2026-01-01" in ended.stderr
    assert "--tick" in ended.stderr


def test_a_transient_error_is_retried(configured: Site, server: S3Server) -> None:
    configured.put_sql("a/b", "/*---\nretries: {max: 1, delay: 1s}\n---*/\nselect 1 as n")
    refused: list[Request] = []

    def choose(request: Request) -> Fault | None:
        if request.publishes(KEY) and not refused:
            refused.append(request)
            return Fault.EXPIRED_TOKEN
        return None

    with fault_proxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        with proxy.choosing(choose):
            (done,) = materialize("a/b")
    assert refused
    assert done["outcome"] == "succeeded"


@pytest.mark.parametrize("first", ["the command", "a run of Dagster"])
def test_g4_of_a_command_and_a_run_the_later_one_wins(
    configured: Site, server: S3Server, first: str
) -> None:
    """The earlier one is held where it publishes, until the later one has published."""
    configured.put_sql("a/b", "/*---\nretries: {max: 0}\n---*/\nselect uuid() as n")
    later: list[str] = []
    held: list[Request] = []

    def run_later(request: Request) -> None:
        if not request.publishes(KEY) or held:
            return
        held.append(request)
        if first == "the command":
            loaded = definitions(configured, load_settings())
            with dg.DagsterInstance.ephemeral() as instance:
                later.append(execute(loaded, instance).run_id)
        else:
            command = [str(PROGRAM), "materialize", "a/b", "--json"]
            environment = {**os.environ, **configured.environment}
            told = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
            later.append(json.loads(told.stdout)["extracts"][0]["run_id"])

    with fault_proxy(server.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", proxy.endpoint)
        with proxy.choosing(run_later):
            if first == "the command":
                (done,) = materialize("a/b", code=1)
                assert done["cause"] == "superseded"
            else:
                with dg.DagsterInstance.ephemeral() as instance:
                    assert not execute(definitions(configured, load_settings()), instance).success
    (current,) = json.loads(call("versions", "a/b", "--json").stdout)
    assert [current["run_id"]] == later


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_g8_a_signal_cancels_the_query(
    configured: Site, sns: SnsServer, tmp_path: Path, number: signal.Signals
) -> None:
    """ECS stops a task with SIGTERM; nobody is at a terminal then, so that is an alert."""
    configured.put_sql("a/b", ENDLESS)
    log = tmp_path / "stderr"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [PROGRAM, "materialize", "a/b", "--json"],
            env={**os.environ},
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    await_value("the query", lambda: '"event": "started"' in log.read_text())
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130, log.read_text()
    (done,) = valid("materialize", stdout.decode())["extracts"]
    assert (done["outcome"], done["cause"]) == ("cancelled", "cancelled")
    assert configured.version_ids(KEY) == []
    assert configured.open_uploads() == 0
    assert len(sns.published) == (1 if number is signal.SIGTERM else 0)


def test_g8_sigterm_before_the_first_query_is_an_alert(
    configured: Site, server: S3Server, sns: SnsServer
) -> None:
    """It arrives while the manifest is listed."""
    configured.put_sql("a/b", "select 1 as n")
    stopped: list[subprocess.Popen[bytes]] = []

    def stop(request: Request) -> None:
        if request.bucket == configured.manifest.bucket and not stopped:
            stopped.append(process)
            process.send_signal(signal.SIGTERM)

    with fault_proxy(server.endpoint) as proxy, proxy.choosing(stop):
        environment = {**os.environ, "AWS_ENDPOINT_URL_S3": proxy.endpoint}
        command = [str(PROGRAM), "materialize", "a/b", "--json"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        stdout, _ = process.communicate(timeout=60)
    assert stopped
    assert process.returncode == 130
    assert json.loads(stdout) == {"error": "interrupted"}
    ((_, subject, text),) = sns.published
    assert "a/b" in subject
    assert "stopped from outside" in text


def test_a_closed_standard_output_ends_neither_the_work_nor_the_alert(
    configured: Site, sns: SnsServer
) -> None:
    configured.put_sql("a/a", REFUSED)
    configured.put_sql("a/b", "select 1 as n")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [PROGRAM, "materialize", "a/*"], stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert ended.returncode == 1, ended.stderr
    assert len(sns.published) == 1
    assert configured.version_ids(KEY)


@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_nobodys_file(configured: Site, closed: str) -> None:
    """Some schedulers start a command so: the next file opened would get the number of one."""
    configured.put_sql("a/b", "select 1 as n")
    command = ["sh", "-c", f'exec "$0" materialize a/b {closed}', str(PROGRAM)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0
    assert len(configured.version_ids(KEY)) == 1


def test_a_dagster_instance_learns_what_was_materialized(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    configured.put_sql("a/b", DAILY)
    (done,) = materialize("a/b", "--partition", "2026-01-05")
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["a", "b"]))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.partition == "2026-01-05"
        assert event.asset_materialization.metadata["s3_version_id"].value == done["version_id"]
        assert not instance.get_runs()

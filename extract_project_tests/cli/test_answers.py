"""What `--json` prints is what `extract schema COMMAND` says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from extract_project.cli.main import main
from extract_project.cli.schema import _ANSWERS, answer_schema
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import PROGRAM, call, valid, write
from extract_project_tests.support.publishing import publish

_ASKED_OF_A_DEPLOYMENT = {"failed", "logs", "runs", "status", "why"}
"""Their answers are compared in installation/test_status.py."""
_RUN_BY_A_DEPLOYMENT = {"backfill", "release", "rerun", "rollback", "run"}
"""And theirs in installation/test_commands.py."""
_OF_AWS = {"deploy-schedules"}
"""And this one's in eventbridge/test_deployed.py."""
_ELSEWHERE = {*_ASKED_OF_A_DEPLOYMENT, *_RUN_BY_A_DEPLOYMENT, *_OF_AWS, "error"}


@pytest.fixture
def published(configured: Site) -> Site:
    header = "/*---\nowners: team:sales\nschedule: hourly\n---*/\n"
    configured.s3.put_object_lock_configuration(
        Bucket=configured.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    for rows in (1, 2):
        publish(configured, "a/b", f"{header}select range as n from range({rows})")
    return configured


def test_every_answer_is_what_its_schema_says(published: Site, tmp_path: Path) -> None:
    file = write(tmp_path, "a/b", "/*---\nchecks: [unique: n]\n---*/\nselect 1.5 as n, true as t")
    invalid = write(tmp_path, "a/c", "/*---\nshedule: daily\n---*/\nselec 1")
    uri = f"s3://{published.data.bucket}/extracts/a/b.parquet"
    answers = {
        "check": call("check", invalid, "--dialect", "duckdb", "--json"),
        "diff": call("diff", "a/b", "previous", "current", "--json"),
        "doctor": call("doctor", "--json"),
        "get": call("get", "a/b", "-o", tmp_path / "got", "--json"),
        "materialize": call("materialize", "a/b", "--json"),
        "plan": call("plan", tmp_path, "--diff", "--json"),
        "preview": call("preview", file, "--json"),
        "prune": call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--json"),
        "pin": call("pin", "a/b", "previous", "--reason", "accounts", "--by", "ada", "--json"),
        "pull": call("pull", tmp_path / "pulled", "--json"),
        "push": call("push", tmp_path, "--json"),
        "show": call("show", "a/b", "--json"),
        "trace": call("trace", uri, "--json"),
        "unpin": call("unpin", "a/b", "previous", "--json"),
        "versions": call("versions", "a/b", "--json"),
    }
    assert {*answers, *_ELSEWHERE} == _ANSWERS.keys()
    silent = {n: (e.exit_code, e.exception) for n, e in answers.items() if not e.stdout.strip()}
    assert silent == {}
    told = {name: valid(name, each.stdout) for name, each in answers.items()}
    assert [name for name, answer in told.items() if not answer] == []
    (newest, oldest) = told["versions"]
    assert (newest["rows"], newest["rows_change"], oldest["current"]) == (2, 1, False)
    assert newest["run_id"] == told["trace"]["run_id"]
    assert newest["started_at"]
    got, pinned, unpinned = (told[name] for name in ("get", "pin", "unpin"))
    assert (got["version_id"], got["rows"], got["verified"]) == (newest["version_id"], 2, True)
    assert got["files"] == [{"file": str(tmp_path / "got"), "bytes": got["bytes"]}]
    assert pinned["version_id"] == unpinned["version_id"] == oldest["version_id"]
    assert (pinned["pinned"], pinned["by"], unpinned["pinned"]) == (True, "ada", False)
    (pulled,) = told["pull"]["files"]
    assert (pulled["file"], pulled["change"]) == ("a/b.sql", "added")


def test_a_push_says_what_it_did_or_why_it_did_nothing(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/one", "select 1 as n")
    write(tmp_path, "a/two", "selec 1")
    refused = call("push", tmp_path, "--json")
    told = valid("push", refused.stdout)
    assert (refused.exit_code, told["pushed"]) == (1, [])
    assert "a/two.sql:1:1" in told["refusals"][0]
    (tmp_path / "a/two.sql").unlink()
    told = valid("push", call("push", tmp_path, "--no-wait", "--json").stdout)
    (version,) = [each.source.version_id for each in configured.snapshot().extracts]
    assert told["pushed"] == [{"file": "a/one.sql", "change": "added", "version_id": version}]
    assert (told["unchanged"], told["loaded"]) == (0, None)
    configured.put_sql("a/one", "select 'theirs' as n")
    configured.put_sql("a/other", "select 2 as n")
    write(tmp_path, "a/one", "select 'mine' as n")
    held = call("push", tmp_path, "--json")
    told = valid("push", held.stdout)
    assert (held.exit_code, told["pushed"], told["only_in_bucket"]) == (1, [], ["a/other.sql"])
    (unseen,) = told["unseen"]
    assert unseen["file"] == "a/one.sql"
    assert "+select 'theirs' as n" in unseen["diff"]
    kept = call("pull", tmp_path, "--json")
    told = valid("pull", kept.stdout)
    assert kept.exit_code == 1
    assert {each["file"]: each["change"] for each in told["files"]} == {
        "a/one.sql": "kept",
        "a/other.sql": "added",
    }


def test_data_and_its_answer_do_not_share_a_stream(configured: Site, tmp_path: Path) -> None:
    split = "/*---\nsplit: {rows: 2}\nformat: csv\n---*/\nselect range as n from range(5)"
    publish(configured, "a/b", split)
    for name in ("-", "/dev/stdout"):
        refused = call("get", "a/b", "--one-file", "-o", name, "--json")
        assert refused.exit_code == 2
        assert "leave one out" in valid("error", refused.stdout)["error"]
    told = valid("get", call("get", "a/b", "-o", tmp_path / "parts", "--json").stdout)
    assert [Path(each["file"]).name for each in told["files"]] == [
        *(f"part-0000{number}.csv.gz" for number in range(3)),
        "_manifest.json",
    ]
    assert all(Path(each["file"]).stat().st_size == each["bytes"] for each in told["files"])


def keys(schema: Any) -> Iterator[str]:
    """Every name of a property in a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for each in schema.values():
            yield from keys(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from keys(each)


@pytest.mark.parametrize("command", _ANSWERS)
def test_keys_have_one_spelling(command: str) -> None:
    assert [
        key for key in keys(answer_schema(command)) if not re.fullmatch("[a-z0-9_]+", key)
    ] == []


def test_every_command_with_json_has_a_schema() -> None:
    context = click.Context(main)
    having = set()
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        if any("--json" in parameter.opts for parameter in command.params):
            having.add(name)
    assert having | {"error"} == set(_ANSWERS)
    assert "did you mean 'status'?" in call("schema", "statsu").stderr


def test_errors_are_json_too(configured: Site) -> None:
    configured.put_sql("a/b", "select 1 as one")
    for arguments, reason in (
        (("versions", "a/bb"), "did you mean 'a/b'?"),
        (("versions", "a/b", "--limit", "0"), "Invalid value for '--limit'"),
        (("versions",), "Missing argument 'EXTRACT'"),
    ):
        result = call(*arguments, "--json")
        assert result.exit_code == 2
        assert reason in valid("error", result.stdout)["error"]
        assert reason in result.stderr
        assert call(*arguments).stdout == ""


def test_an_interrupted_command_says_so(configured: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        port = silent.getsockname()[1]
        process = subprocess.Popen(
            [PROGRAM, "versions", "a/b", "--json"],
            env={**os.environ, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        answer, told = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130, told
    assert valid("error", answer) == {"error": "interrupted"}
    assert "Traceback" not in told

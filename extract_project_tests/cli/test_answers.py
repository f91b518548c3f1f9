"""What `--json` prints is what `extract schema COMMAND` says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from extract_project.cli.main import main
from extract_project.cli.schema import _ANSWERS, answer_schema
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish

_ASKED_OF_A_DEPLOYMENT = {"failed", "logs", "runs", "status", "why"}
"""Their answers are compared in installation/test_status.py."""


def valid(command: str, text: str) -> Any:
    """The answer, which must be what the schema says."""
    schema = json.loads(call("schema", command).stdout)
    told = json.loads(text)
    Draft202012Validator.check_schema(schema)
    errors = list(Draft202012Validator(schema).iter_errors(told))
    assert errors == []
    return told


@pytest.fixture
def published(configured: Site) -> Site:
    header = "/*---\nowners: team:sales\nschedule: hourly\n---*/\n"
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
        "plan": call("plan", tmp_path, "--diff", "--json"),
        "preview": call("preview", file, "--json"),
        "prune": call("prune", "a/b", "--keep", "0", "--older-than", "0s", "--json"),
        "show": call("show", "a/b", "--json"),
        "trace": call("trace", uri, "--json"),
        "versions": call("versions", "a/b", "--json"),
    }
    assert {*answers, *_ASKED_OF_A_DEPLOYMENT, "error"} == _ANSWERS.keys()
    silent = {n: (e.exit_code, e.exception) for n, e in answers.items() if not e.stdout.strip()}
    assert silent == {}
    told = {name: valid(name, each.stdout) for name, each in answers.items()}
    assert [name for name, answer in told.items() if not answer] == []
    (newest, oldest) = told["versions"]
    assert (newest["rows"], newest["rows_change"], oldest["current"]) == (2, 1, False)
    assert newest["run_id"] == told["trace"]["run_id"]
    assert newest["started_at"]


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

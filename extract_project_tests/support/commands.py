"""Run the command line in this process, write SQL files for it, and read its answers."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from extract_project.cli.main import main

PROGRAM = Path(sysconfig.get_path("scripts")) / "extract"
"""The installed command, for tests that run it in a process of its own."""


def call(*arguments: str | Path, given: str | None = None) -> Result:
    """Run a command; `given` is the user's input."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=given)


def valid(command: str, text: str) -> Any:
    """The answer of a command with --json, which must be what its schema says."""
    schema = json.loads(call("schema", command).stdout)
    told = json.loads(text)
    Draft202012Validator.check_schema(schema)
    errors = list(Draft202012Validator(schema).iter_errors(told))
    assert errors == []
    return told


def write(folder: Path, path: str, text: str) -> Path:
    file = folder / f"{path}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file

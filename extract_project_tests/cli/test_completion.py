"""Shells complete commands and options with the script that `extract completion` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from extract_project.cli.main import main
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call

_COMPLETED = """
source ./script
COMP_WORDS=(extract {words})
COMP_CWORD={index}
_extract_completion extract
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"), [("stat", ["status"]), ("status --fai", ["--failed"])]
)
def test_bash_completes(tmp_path: Path, words: str, expected: list[str]) -> None:
    (tmp_path / "script").write_text(call("completion", "bash").stdout)
    bash = shutil.which("bash")
    assert bash is not None
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    script = _COMPLETED.format(words=words, index=len(words.split()))
    done = subprocess.run(
        [bash, "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == expected, done.stderr


def test_extracts_are_completed_wherever_they_are_named(configured: Site) -> None:
    """From the bucket, where no deployment answers."""
    for path in ("sales/orders", "sales/lines", "stock/orders"):
        configured.put_sql(path, "select 1 as n")
    configured.put_defaults("sales", "owners: [team:sales]")
    lacking = {
        command
        for command in main.list_commands(click.Context(main))
        if "EXTRACT" in usage(command)
        and completed(command, "sales/") != ["sales/lines", "sales/orders"]
    }
    assert lacking == {"new"}, "which names one that is not there yet"


def usage(command: str) -> list[str]:
    """The words of its usage, without brackets and dots."""
    line = call(command, "--help").stdout.partition("\n\n")[0]
    return [word.strip("[].").removesuffix("S") for word in line.split()]


def completed(command: str, start: str) -> list[str]:
    environment = {
        "_EXTRACT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"extract {command} {start}",
        "COMP_CWORD": "2",
        "EXTRACT_DAGSTER_URL": "http://127.0.0.1:9",
    }
    told = CliRunner().invoke(main, [], prog_name="extract", env=environment)
    return [line.removeprefix("plain,") for line in told.stdout.split()]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell: str) -> None:
    assert f"_EXTRACT_COMPLETE={shell}_complete" in call("completion", shell).stdout

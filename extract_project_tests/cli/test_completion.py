"""Shells complete commands and options with the script that `extract completion` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell: str) -> None:
    assert f"_EXTRACT_COMPLETE={shell}_complete" in call("completion", shell).stdout

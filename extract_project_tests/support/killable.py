"""Runs in their own processes (`support.materialize`) that a test can pause or kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from extract_project_tests.conftest import Site


def start_process(
    site: Site, path: str, run_id: str = "killed", **settings: str
) -> subprocess.Popen[str]:
    """Start a process that stages `path`, then waits for a line of input before it publishes."""
    command = [sys.executable, "-m", "extract_project_tests.support.materialize", path, run_id]
    return subprocess.Popen(
        command,
        env={**os.environ, **site.environment, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def await_line(process: subprocess.Popen[str], word: str) -> str:
    """The next line that the process prints, which must begin with `word`."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line.startswith(word), line
    return line


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

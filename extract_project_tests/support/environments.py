"""Environments of their own for what the tests run beside us, made when it is first needed."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def python_of(name: str, lock: Path) -> Path:
    """The Python of the environment `.venv-<name>`, with the packages of this lock file."""
    environment = _ROOT / f".venv-{name}"
    python, ready = environment / "bin/python", environment / ".ready"
    with environment.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # test workers start side by side
        if not ready.exists() or ready.read_bytes() != lock.read_bytes():
            venv.create(environment, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--require-hashes", "-r", str(lock)]
            subprocess.run(command, check=True, stdout=sys.stderr)
            ready.write_bytes(lock.read_bytes())
    return python

"""Asking a read-only command in a process of its own, and taking its JSON.

What a tool says is what the command says with `--json`: one place knows the answer. The process
cannot read the protocol's input or write into its output, and is killed when it takes too long.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extract_project.errors import ExtractError

READ_ONLY = frozenset(
    {"status", "why", "failed", "show", "versions", "diff", "trace", "plan", "check", "preview"}
)
"""The commands that may be asked. None of them writes anything."""
_COMMAND = "from extract_project.cli.main import main; main(prog_name='extract')"
_LONGEST_SECONDS = 180
MOST_CHARACTERS = 200_000
_ANSWERED = (0, 1)
"""Exit codes with an answer: 1 says that something is wrong with what was asked about."""


@dataclass(frozen=True)
class Asker:
    """Runs commands in the folder whose files an assistant may name."""

    folder: Path

    def ask(self, command: str, *arguments: str, **options: object) -> dict[str, Any]:
        """The answer of a command, a list as `{"result": […]}`.

        Neither an argument nor a value can be taken for another option. Raises ExtractError, with
        what the command has said.
        """
        if command not in READ_ONLY:
            raise ExtractError(f"{command} is not a command that only reads")
        given = [
            f"--{name}" if value is True else f"--{name}={value}"
            for name, value in options.items()
            if value is not None and value is not False
        ]
        line = [sys.executable, "-c", _COMMAND, command, "--json", *given, "--", *arguments]
        try:
            done = subprocess.run(
                line,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ExtractError(
                f"extract {command} took longer than {_LONGEST_SECONDS} s and was stopped"
            ) from None
        answer = _json(done.stdout)
        if done.returncode not in _ANSWERED or answer is None:
            told = (
                answer["error"] if isinstance(answer, dict) and "error" in answer else done.stderr
            )
            raise ExtractError(told.strip() or f"exit {done.returncode}")
        return answer if isinstance(answer, dict) else {"result": answer}

    def inside(self, path: str) -> str:
        """A path in the folder, as an argument; raises ExtractError for one outside of it."""
        found = (self.folder / path).resolve()
        if not found.is_relative_to(self.folder.resolve()):
            raise ExtractError(f"{path} is outside of {self.folder}: only files in it may be named")
        return str(found)


def require_short(command: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; raises ExtractError for one that is too long for an assistant to read."""
    length = len(json.dumps(answer))
    if length > MOST_CHARACTERS:
        raise ExtractError(
            f"the answer of extract {command} has {length:,} characters, more than "
            f"{MOST_CHARACTERS:,}: ask for less, by its filters or limits"
        )
    return answer


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None

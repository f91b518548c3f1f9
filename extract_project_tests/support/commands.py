"""Run the command line in this process, and write SQL files for it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from extract_project.cli.main import main


def call(*arguments: str | Path, given: str | None = None) -> Result:
    """Run a command; `given` is the user's input."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=given)


def write(folder: Path, path: str, text: str) -> Path:
    file = folder / f"{path}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file

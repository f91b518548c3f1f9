"""What others wrote is printed as it stands: it is no markup, and moves no cursor."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.rule import Rule
from rich.syntax import Syntax

import extract_project.cli
from extract_project.cli.console import GOOD, Terminal, marked, table, transfer_columns
from extract_project.visible import lines, one_line
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import publish

FOREIGN = [
    "arr[i]",
    "[draft]",
    "[/etc]",
    "[/]",
    "[red]x[/red]",
    "[link=https://x]y",
    ":smile:",
    "a\\[b]",
    "ends with \\",
    "[bold",
]
MOVES = ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\x9b31m", "x\x08\x08", "\u202egnp.exe"]


class Screen(io.StringIO):
    """A terminal of 200 columns that shows no colours."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    return Screen()


def printed(screen: Screen, text: str) -> str:
    """The text as a line, in a table, in the title of a rule, behind a mark, as SQL."""
    terminal = Terminal(screen)
    terminal.file = screen
    listed = table(text)
    listed.add_row(text)
    for each in (text, listed, Rule(text), marked(GOOD, text, text), Syntax(text, "sql")):
        terminal.print(each)
    with Progress(*transfer_columns(), console=terminal) as progress:
        progress.add_task(text, total=1)
    with terminal.status(text):
        pass
    return screen.getvalue()


@pytest.mark.parametrize("text", FOREIGN)
def test_brackets_are_printed(screen: Screen, text: str) -> None:
    assert printed(screen, text).count(text) >= 6


@pytest.mark.parametrize("text", MOVES)
def test_no_control_character_reaches_the_screen(screen: Screen, text: str) -> None:
    shown = printed(screen, f"<{text}>")
    assert lines(shown) == shown
    # What only moves within its line, such as a backspace, rich leaves out by itself.
    assert one_line(text.translate(dict.fromkeys(map(ord, "\a\b\r")))) in shown


@given(st.text(max_size=30))
def test_any_text_can_be_printed(text: str) -> None:
    screen = Screen()
    printed(screen, text)
    plain = screen.getvalue()
    assert "\x9b" not in plain
    assert "\u202e" not in plain


def test_the_commands_have_no_other_console() -> None:
    """And none of them turns markup on."""
    for file in Path(extract_project.cli.__file__).parent.glob("*.py"):
        text = file.read_text()
        assert "markup=True" not in text, file
        assert "from_markup" not in text, file
        assert "TextColumn" not in text, file
        assert file.name == "console.py" or "Console(" not in text, file


ODD = """/*---
description: "[/etc] arr[i]"
owners: ["[draft]@acme.example"]
checks:
  - {accepted_values: {"[/x]": ["[bold]"]}, severity: warn}
  - {unique: "[/x]"}
---*/
select '[/etc]' as "[/x]", 'arr[i]' || chr(27) || '[2J' as "arr[i]"
"""


def test_each_command_prints_them(configured: Site, tmp_path: Path) -> None:
    sql = ODD.replace('owners: ["[draft]@acme.example"]\n', "")
    publish(configured, "a/b", sql)
    publish(configured, "a/b", sql.replace("'[/etc]' as", "'[red]' as"))
    file = tmp_path / "a" / "b.sql"
    file.parent.mkdir()
    file.write_text(sql)
    uri = f"s3://{configured.data.bucket}/extracts/a/b.parquet"
    for command, expected in (
        (["preview", str(file)], ["[/x]", "[/etc]", r"arr[i]\x1b[2J"]),
        (["trace", uri], ["[/x] is one of [bold]", "[red]", "arr[i]"]),
        (["versions", "a/b"], ["current"]),
        (["diff", "a/b"], ["[/x]=[red]", "-select '[/etc]'"]),
        (["plan", str(tmp_path), "--diff"], ["+select '[/etc]'"]),
    ):
        result = call(*command)
        assert result.exception is None or isinstance(result.exception, SystemExit), command
        for text in expected:
            assert text in result.stdout, command
        assert "\x1b" not in result.stdout


def test_a_terminal_shows_the_beginning_of_a_version_id_that_commands_take(
    configured: Site, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [publish(configured, "a/b", f"select {n} as n") for n in range(3)]
    assert all(each in call("versions", "a/b").stdout for each in ids)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(screen)
    terminal.file = screen
    for module in ("version_ids", "listing"):
        monkeypatch.setattr(f"extract_project.cli.{module}.out", terminal)
    assert call("versions", "a/b").exit_code == 0
    lines = re.sub("\x1b\\[[0-9;]*m", "", screen.getvalue()).splitlines()[1:]
    shown = [line.removeprefix("current").split()[0] for line in lines]
    assert len(set(shown)) == 3
    for short, whole in zip(shown, reversed(ids), strict=True):
        assert whole.startswith(short)
        assert call("diff", "a/b", short, short).exit_code == 0


@pytest.mark.parametrize("text", ["arr[/i]", "[draft]", "\x1b[2J"])
def test_refusals_print_them(configured: Site, tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.sql"
    file.write_text(f"select '{text}'::int as n")
    result = call("preview", str(file))
    assert one_line(text) in result.stderr
    missing = call("versions", f"a/{text}")
    assert missing.exit_code == 2
    assert one_line(text) in missing.stderr
    file.write_text(f"/*---\nowner: '[/x]'\n'{text[:-1]}]': 1\n---*/\nselect 1 as n")
    assert call("check", str(file)).exit_code == 1
    assert call("plan", str(tmp_path)).exit_code == 1
    assert json.loads(call("plan", str(tmp_path), "--json").stdout)

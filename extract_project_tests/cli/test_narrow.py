"""On a narrow terminal, no table breaks an identifier, and `--wide` shows all."""

from __future__ import annotations

import io
import re

import pytest

from extract_project.cli.console import Terminal
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import publish

PATH = "sales/orders_of_all_customers"
COLUMNS = ("number_of_the_customer_in_the_shop", "amount_before_taxes_and_discounts")
SQL = """/*---
description: What each customer has ordered, with amounts as they stand before taxes and discounts.
checks: [{{unique: {key}}}]
---*/
select range as {key}, range * {factor}.5 as {amount}, 'a rather long text ' || range as remark
from range(20)"""


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def versions(configured: Site) -> list[str]:
    """Two results, and a rollback to the first."""
    made = [
        publish(configured, PATH, SQL.format(key=COLUMNS[0], amount=COLUMNS[1], factor=factor))
        for factor in (1, 2)
    ]
    told = call("rollback", PATH, made[0], "--reason", "half is missing", "--without-dagster")
    assert told.exit_code == 0, told.output
    return [*configured.version_ids(f"extracts/{PATH}.parquet")]


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: str) -> list[str]:
    """The lines that a terminal of so many columns is given."""
    screen = Screen()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(screen)
    terminal.file = screen
    commands = [f"published.{name}" for name in ("diff", "prune", "show", "trace")]
    for module in ("listing", "version_ids", *commands):
        monkeypatch.setattr(f"extract_project.cli.{module}.out", terminal)
    done = call(*arguments)
    assert done.exit_code in (0, 1), done.output
    return re.sub("\x1b\\[[0-9;]*m", "", screen.getvalue()).splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_no_identifier_is_broken(
    configured: Site, versions: list[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    key = f"extracts/{PATH}.parquet"
    commands = {
        "prune": ("prune", PATH, "--keep", "0", "--older-than", "0s"),
        "trace": ("trace", f"s3://{configured.data.bucket}/{key}"),
        "show": ("show", PATH),
        "diff": ("diff", PATH),
    }
    expected = {
        "prune": (PATH,),
        "trace": (*COLUMNS, f"s3://{configured.data.bucket}/{key}", PATH),
        "show": (*COLUMNS, PATH, f"sql/{PATH}.sql"),
        "diff": (COLUMNS[1],),
    }
    for name, command in commands.items():
        lines = shown(monkeypatch, width, *command)
        words = " ".join(lines).split()
        assert [each for each in expected[name] if each not in words] == [], name
        tables = lines[: next((n for n, line in enumerate(lines) if _is_code(line)), None)]
        too_long = [line for line in tables if len(line) > width and " " in line.strip()]
        assert too_long == [], name
        if name != "prune":
            assert versions[0] not in words, name
            (short,) = {word for word in words if len(word) > 7 and versions[0].startswith(word)}
            assert call("diff", PATH, short, short).exit_code == 0
        whole = shown(monkeypatch, width, *command, "--wide")
        assert name == "prune" or any(versions[0] in line for line in whole)


def _is_code(line: str) -> bool:
    """Where the SQL, its difference or the recipes begin: they are printed as they are written."""
    return line.strip().startswith(("1 /*---", "---", "pandas", "DuckDB"))

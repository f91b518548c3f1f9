"""Tests import helpers from `support/`, and never from each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).parent
_NOT_TESTS = ("__init__.py", "conftest.py")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in _HERE.rglob("*.py"):
        yield path.relative_to(_HERE), ast.parse(path.read_text(), str(path))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)


def test_doubles_and_attackers_are_in_support() -> None:
    lost = [
        str(path)
        for path, _ in modules()
        if path.parts[0] != "support" and path.name not in _NOT_TESTS
        if not path.name.startswith("test_")
    ]
    assert lost == [], "what is not a test belongs into support/"


def test_nothing_is_imported_from_a_test() -> None:
    found = {
        f"{path}: {name}"
        for path, tree in modules()
        for name in imported(tree)
        if name.startswith("extract_project_tests") and ".test_" in name
    }
    assert found == set(), "a helper that others import belongs into support/ or conftest.py"

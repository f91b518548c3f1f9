"""What an upgrade of Dagster may break, found here first."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster_aws.ecs import EcsRunLauncher

import extract_project
from extract_project.orchestration import dagster_internals, dagster_sqlite
from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher

_PACKAGE = Path(extract_project.__file__).parent


_MODULES = (dagster_internals, dagster_sqlite)
_NAMES = [(module, name) for module in _MODULES for name in module.__all__]


@pytest.mark.parametrize(("module", "name"), _NAMES)
def test_every_private_name_is_there(module: ModuleType, name: str) -> None:
    assert hasattr(module, name)


def test_the_rows_of_assets_are_there() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert list(dagster_internals.stored_asset_rows(instance, []) or ()) == []
        assert dagster_internals.stored_asset_rows(instance, []) is not None
        assert dagster_internals.stored_asset_ends(instance, [], 9) == []


def test_importing_them_needs_no_database() -> None:
    """Every run worker imports them."""
    script = f"import {dagster_internals.__name__}, sys; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_private_name_is_used() -> None:
    texts = [path.read_text() for path in _PACKAGE.rglob("*.py") if path not in _PATHS]
    unused = [name for _, name in _NAMES if not any(name in each for each in texts)]
    assert unused == []


def test_nothing_else_imports_a_private_module_of_dagster() -> None:
    found = [
        f"{path.relative_to(_PACKAGE)}:{node.lineno}"
        for path in _PACKAGE.rglob("*.py")
        if path not in _PATHS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import) and any(map(_is_private, _modules(node)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, each in vars(ExtractEcsRunLauncher).items()
        if inspect.isfunction(each) and hasattr(EcsRunLauncher, name)
    ],
)
def test_the_launcher_overrides_methods_with_their_parameters(name: str) -> None:
    ours, theirs = getattr(ExtractEcsRunLauncher, name), getattr(EcsRunLauncher, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


_PATHS = [Path(str(module.__file__)) for module in _MODULES]


def _modules(node: ast.ImportFrom | ast.Import) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]


def _is_private(module: str) -> bool:
    return module.startswith(("dagster._", "dagster_shared"))

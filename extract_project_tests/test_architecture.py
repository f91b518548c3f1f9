"""docs/architecture.md names places that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PAGE = (_ROOT / "docs" / "architecture.md").read_text()
_PATHS = sorted(set(re.findall(r"`([\w/]+(?:/|\.py))`", _PAGE)))
_PACKAGES = sorted(each.parent.name for each in (_ROOT / "extract_project").glob("*/__init__.py"))


@pytest.mark.parametrize("path", _PATHS)
def test_every_path_on_the_page_exists(path: str) -> None:
    assert any((_ROOT / below / path).exists() for below in ("extract_project", "."))


@pytest.mark.parametrize("package", _PACKAGES)
def test_every_package_is_on_the_page(package: str) -> None:
    assert re.search(rf"^  {package}/ ", _PAGE, re.MULTILINE), f"add {package}/ to the tree"

"""Commands with the settings of a site, and without any."""

from __future__ import annotations

import pytest

from extract_project_tests.conftest import Site


@pytest.fixture
def configured(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The settings of a site are this process's environment."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return site


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings at all."""
    for name in ("EXTRACT_MANIFEST", "EXTRACT_DATA", "EXTRACT_WAREHOUSES__SHOP__TYPE"):
        monkeypatch.delenv(name, raising=False)

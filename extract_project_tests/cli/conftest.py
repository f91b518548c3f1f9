"""The settings of a site as this process's environment."""

from __future__ import annotations

import pytest

from extract_project_tests.conftest import Site


@pytest.fixture
def configured(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The settings of a site are this process's environment."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return site

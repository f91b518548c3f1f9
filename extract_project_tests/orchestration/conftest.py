"""The settings of a site as this process's environment."""

from __future__ import annotations

import pytest

from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()

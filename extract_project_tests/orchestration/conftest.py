"""The settings of a site as this process's environment."""

from __future__ import annotations

import pytest

from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    looks = {"EXTRACT_MANIFEST_SECONDS": "5"}  # each tick looks once, and does not wait
    for name, value in {**site.environment, **looks}.items():
        monkeypatch.setenv(name, value)
    return load_settings()

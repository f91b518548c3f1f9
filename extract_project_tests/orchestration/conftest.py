"""The settings of a site as this process's environment; a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.browser import BROWSER_SECONDS, chromium


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(BROWSER_SECONDS * 1000)
        yield page

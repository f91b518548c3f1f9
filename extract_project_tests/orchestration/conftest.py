"""The settings of a site as this process's environment; a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.browser import chromium, page_of


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with page_of(browser) as opened:
        yield opened

"""The settings of a site as this process's environment; a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site

BROWSER_SECONDS = 60


@pytest.fixture
def settings(site: Site, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser; on a machine without one the test is skipped, in CI it fails."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine: install it to run the browser tests")
    with sync_playwright() as playwright:
        options: Any = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(BROWSER_SECONDS * 1000)
        yield page
        browser.close()

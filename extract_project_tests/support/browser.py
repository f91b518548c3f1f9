"""A real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BROWSER_SECONDS = 60
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; on a machine without one the test is skipped, in CI it fails."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine: install it to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser) -> Iterator[Page]:
    """A page of a desktop's size, closed after its test: one of Dagster's keeps a core busy."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(BROWSER_SECONDS * 1000)
    yield page
    page.close()

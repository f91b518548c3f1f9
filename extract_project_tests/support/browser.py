"""A real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

BROWSER_SECONDS = 60
"""How long a page is waited for: for an element to be acted on, and for what is expected of it."""
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; on a machine without one the test is skipped, in CI it fails."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine: install it to run the browser tests")
    # Playwright's own five seconds are too short for a page that Dagster builds on a busy machine.
    expect.set_options(timeout=BROWSER_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_OPTIONS)
        yield browser
        browser.close()

"""The pictures of the README, made from a demo that runs: docs/images/asset.png and terminal.svg.

`make screenshots`. It needs a Chromium on this machine; everything else comes with `make demo`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from extract_project.deployment.client import Deployment
from extract_project.embedded.dagster_server import dagster_server
from extract_project.embedded.process import free_port
from extract_project.embedded.site import embedded_site
from extract_project.embedded.tpch import make_warehouse
from reference.terminal import Terminal

IMAGES = Path("docs/images")
_EXTRACT = "sales/daily_revenue"
_BEFORE_THE_RELOAD = (
    "extract preview sql_manifest/sales/daily_revenue.sql --rows 3",
    "extract push sql_manifest",
)
_AFTER_THE_RELOAD = (
    "extract run sales/daily_revenue",
    "extract run quality/order_lines_by_part",
    "extract versions sales/daily_revenue",
)
_SCALE = 0.1
_WIDTH, _HEIGHT = 1280, 960
_READY_MS = 120_000


def main() -> None:
    """Start the parts of the demo, use them as a person would, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES, help="where the pictures go")
    images = parser.parse_args().images
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="extract-screenshots-") as directory:
        _take(Path(directory), images)


def _take(directory: Path, images: Path) -> None:
    with embedded_site(directory) as site:
        make_warehouse(site.warehouse, _SCALE)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = {**site.process_environment(), "EXTRACT_DAGSTER_URL": url}
        with dagster_server(directory / "dagster", environment, port):
            terminal = Terminal(environment, "an extract, from the file to its versions")
            for command in _BEFORE_THE_RELOAD:
                terminal.run(command)
            Deployment(url).reload()
            for command in _AFTER_THE_RELOAD:
                terminal.run(command)
            terminal.save(images / "terminal.svg")
            _photograph(f"{url}/assets/{_EXTRACT}", images / "asset.png")


def _photograph(url: str, picture: Path) -> None:
    """The asset's page, once it shows what a finished materialization has."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("no chromium on this machine: install it, and run this again")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(url)
        try:
            page.get_by_text("seconds_query").first.wait_for(timeout=_READY_MS)
            page.wait_for_load_state("networkidle")
        finally:
            page.screenshot(path=picture)
            browser.close()


if __name__ == "__main__":
    main()

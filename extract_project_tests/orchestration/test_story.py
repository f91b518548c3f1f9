"""Six in the morning: some extracts are red; they are understood, fixed, and green again.

With Dagster's own processes, a browser and the command line, as whoever is on call uses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.browser import BROWSER_SECONDS
from extract_project_tests.support.installation import Installation, installation
from extract_project_tests.support.waiting import await_value

RENAMED = "select order_id\nfrom shop.orders"
DAYS = """/*---
partitions: {type: daily, start: 2026-11-20, end: 2026-11-24}
checks: [{min_rows: 24}]
---*/
select id from shop.orders where shipped >= :partition_start and shipped < :partition_end
"""
FILES = {
    "sales/good": "select count(*) as n from shop.orders",
    "sales/renamed": RENAMED,
    "sales/duplicates": "/*---\nchecks: [{unique: k}]\n---*/\nselect k from shop.orders",
    "sales/by_day": DAYS,
}


class Warehouse:
    """A database file that somebody else loads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.execute(
            "create schema shop; create table shop.orders as select i as id, i % 90 as k, "
            "timestamp '2026-11-20' + i * interval 1 hour as shipped from range(90) t(i)"
        )
        self.execute("insert into shop.orders select id, k, null from shop.orders limit 5")

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb")


@pytest.fixture(scope="module")
def morning(
    module_aws: S3Server, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A night has passed: everything has run once."""
    home = tmp_path_factory.mktemp("story")
    settings = {"EXTRACT_WAREHOUSES__SHOP__PATH": str(warehouse.path)}
    with installation(module_aws, home, "story", FILES, settings) as running:
        running.run("sales/good", "sales/renamed", "sales/duplicates")
        for day in (22, 23):
            running.run("sales/by_day", partition=f"2026-11-{day}")
        yield running


def failed(running: Installation) -> dict[str, str]:
    """What the command line says has failed, and why."""
    told = running.call("failed", "--json")
    assert told.returncode in (0, 1), told.stderr
    members = [each for rerun in json.loads(told.stdout)["reruns"] for each in rerun["members"]]
    return {
        f"{each['extract']} {each['partition'] or ''}".strip(): each["cause"] for each in members
    }


def test_from_red_to_green(morning: Installation, warehouse: Warehouse, page: Page) -> None:
    assert failed(morning) == {
        "sales/renamed": "sql",
        "sales/duplicates": "audit refused",
        "sales/by_day 2026-11-23": "audit refused",
    }
    listed = morning.call("failed")
    assert listed.returncode == 1
    assert "extract rerun --failed" in listed.stdout

    page.goto(f"{morning.server.url}/assets")
    row = page.get_by_text("Failed", exact=False)
    expect(row.first).to_be_visible(timeout=BROWSER_SECONDS * 1000)
    page.goto(f"{morning.server.url}/runs")
    page.get_by_role("tab", name="Failed").click()
    expect(page.get_by_text("failure: audit refused").first).to_be_visible()

    warehouse.execute("delete from shop.orders where shipped is null")
    warehouse.execute(
        "insert into shop.orders select id + 90, id + 90, timestamp '2026-11-23 12:00' "
        "from shop.orders where id < 24"
    )
    morning.site.put_sql("sales/renamed", RENAMED.replace("order_id", "id as order_id"))
    await_value("the fixed SQL", lambda: mended_is_live(morning), 120)

    page.goto(
        f"{morning.server.url}/locations/extract_project/jobs/rerun_failed_extracts/playground"
    )
    page.get_by_role("button", name="Launch Run").click()
    for path in ("sales/renamed", "sales/duplicates", "sales/by_day/partition=2026-11-23/by_day"):
        assert len(morning.await_versions(path, 1)) == 1
    await_value("nothing to be red or running", lambda: all_well(morning), 120)
    reruns = {path: len(morning.runs(path)) for path in FILES}
    assert reruns == {"sales/good": 0, "sales/renamed": 1, "sales/duplicates": 1, "sales/by_day": 1}
    page.goto(f"{morning.server.url}/assets/sales/by_day?view=partitions")
    expect(page.get_by_text("Failed (0)").first).to_be_visible()


def all_well(running: Installation) -> bool:
    """Whether the command line says so."""
    told = running.call("failed")
    return told.returncode == 0 and "running" not in told.stdout


def test_a_run_of_partitions_needs_to_know_which(morning: Installation) -> None:
    without = morning.call("run", "sales/by_day")
    assert without.returncode == 2
    assert "sales/by_day has partitions: choose one with --partition" in without.stderr
    wrong = morning.call("run", "sales/good", "--partition", "2026-11-22")
    assert "sales/good has no partitions: leave --partition out" in wrong.stderr
    unknown = morning.call("run", "sales/by_day", "--partition", "2026-12-24")
    assert unknown.returncode in (1, 2)
    assert "2026-12-24" in unknown.stdout + unknown.stderr
    told = morning.call("versions", "sales/by_day")
    assert "has partitions: choose one with --partition; the newest are 2026-11-22" in told.stderr


def mended_is_live(running: Installation) -> bool:
    """Whether a run launched now would be of the SQL that is in the bucket."""
    return "id as order_id" in running.description("sales/renamed")


def test_the_command_line_reruns_what_failed_and_nothing_else(
    morning: Installation, warehouse: Warehouse
) -> None:
    warehouse.execute("insert into shop.orders values (1, 1, null)")
    before = len(morning.runs("sales/good"))
    assert morning.run("sales/duplicates").status == "FAILURE"
    again = morning.call("rerun", "--failed")
    assert again.returncode == 1, again.stderr
    assert "✗ sales/duplicates" in again.stdout
    assert "sales/duplicates.sql:2:10: k unique" in again.stdout
    warehouse.execute("delete from shop.orders where shipped is null")
    fixed = morning.call("rerun", "sales/duplicates")
    assert fixed.returncode == 0, fixed.stderr
    assert "✓ sales/duplicates" in fixed.stdout
    (uri,) = re.findall(r"sales/duplicates: \d+ rows, .+\n(s3://\S+)", fixed.stdout)
    assert morning.call("trace", uri).returncode == 0
    assert len(morning.runs("sales/good")) == before
    nothing = morning.call("rerun", "sales/good")
    assert nothing.returncode == 2
    assert "sales/good did not fail at its latest attempt: nothing did" in nothing.stderr
    assert "extract run sales/good" in nothing.stderr

"""Six in the morning: some extracts are red; they are understood, fixed, and green again.

With Dagster's own processes, a browser and the command line, as whoever is on call uses them.
"""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from extract_project_tests.support.installation import DuckDBFile, Installation
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.slow

FILE = "/*---\nwarehouse: file\n---*/\n"
RENAMED = f"{FILE}select order_id\nfrom shop.orders"
DAYS = """/*---
partitions: {type: daily, start: 2026-11-20, end: 2026-11-24}
checks: [{min_rows: 24}]
warehouse: file
---*/
select id from shop.orders where shipped >= :partition_start and shipped < :partition_end
"""
FILES = {
    "story/good": f"{FILE}select count(*) as n from shop.orders",
    "story/renamed": RENAMED,
    "story/duplicates": (
        "/*---\nchecks: [{unique: k}]\nwarehouse: file\n---*/\nselect k from shop.orders"
    ),
    "story/by_day": DAYS,
}


@pytest.fixture(scope="module")
def morning(installed: Installation, file: DuckDBFile) -> Installation:
    """A night has passed: everything has run once."""
    file.execute(
        "create schema shop; create table shop.orders as select i as id, i % 90 as k, "
        "timestamp '2026-11-20' + i * interval 1 hour as shipped from range(90) t(i)"
    )
    file.execute("insert into shop.orders select id, k, null from shop.orders limit 5")
    launch = installed.deployment.launch
    runs = [launch(["story/by_day"], f"2026-11-{day}") for day in (22, 23)]
    runs.append(launch(["story/good", "story/renamed", "story/duplicates"]))
    for run_id in runs:
        installed.await_end(run_id)
    return installed


def failed(running: Installation) -> dict[str, str]:
    """What the command line says has failed, and why."""
    told = running.call("failed", "--group", "story", "--json")
    assert told.exit_code in (0, 1), told.stderr
    return {
        f"{each['extract']} {each['partition'] or ''}".strip(): each["cause"]
        for each in json.loads(told.stdout)["failed"]
    }


def test_from_red_to_green(morning: Installation, file: DuckDBFile, page: Page) -> None:
    assert failed(morning) == {
        "story/renamed": "sql",
        "story/duplicates": "audit refused",
        "story/by_day 2026-11-23": "audit refused",
    }
    listed = morning.process("failed")
    assert listed.returncode == 1
    assert "extract rerun --failed" in listed.stdout

    page.goto(f"{morning.server.url}/assets")
    row = page.get_by_text("Failed", exact=False)
    expect(row.first).to_be_visible()
    page.goto(f"{morning.server.url}/runs")
    page.get_by_role("tab", name="Failed").click()
    expect(page.get_by_text("failure: audit refused").first).to_be_visible()

    file.execute("delete from shop.orders where shipped is null")
    file.execute(
        "insert into shop.orders select id + 90, id + 90, timestamp '2026-11-23 12:00' "
        "from shop.orders where id < 24"
    )
    morning.site.put_sql("story/renamed", RENAMED.replace("order_id", "id as order_id"))
    await_value("the fixed SQL", lambda: mended_is_live(morning), 120)

    launchpad = "locations/extract_project/jobs/rerun_failed_extracts/playground"
    await_value("a run", lambda: launched(page, f"{morning.server.url}/{launchpad}"), 180)
    for path in ("story/renamed", "story/duplicates", "story/by_day/partition=2026-11-23/by_day"):
        assert len(morning.await_versions(path, 1)) == 1
    await_value("nothing to be red or running", lambda: all_well(morning), 120)
    # A run of several extracts has no tag of one: what is counted is two nights, and the reruns.
    runs = {path: len(morning.runs(path)) for path in FILES}
    assert runs == {"story/good": 0, "story/renamed": 1, "story/duplicates": 1, "story/by_day": 3}
    page.goto(f"{morning.server.url}/assets/story/by_day?view=partitions")
    expect(page.get_by_text("Failed (0)").first).to_be_visible()


def launched(page: Page, launchpad: str) -> bool:
    """Whether a click on the launchpad's button has led to the page of a run.

    Dagster refuses one while it loads the location, as it may soon after a change of a file.
    """
    page.goto(launchpad)
    page.get_by_role("button", name="Launch Run").click()
    try:
        expect(page).to_have_url(re.compile("/runs/"), timeout=20_000)
    except AssertionError:
        return False
    return True


def all_well(running: Installation) -> bool:
    """Whether the command line says so."""
    told = running.call("failed", "--group", "story")
    return told.exit_code == 0 and "running" not in told.stdout


def test_a_run_of_partitions_needs_to_know_which(morning: Installation) -> None:
    without = morning.call("run", "story/by_day")
    assert without.exit_code == 2
    assert "story/by_day has partitions: choose one with --partition" in without.stderr
    wrong = morning.call("run", "story/good", "--partition", "2026-11-22")
    assert "story/good has no partitions: leave --partition out" in wrong.stderr
    unknown = morning.call("run", "story/by_day", "--partition", "2026-12-24")
    assert unknown.exit_code in (1, 2)
    assert "2026-12-24" in unknown.stdout + unknown.stderr
    told = morning.call("versions", "story/by_day")
    assert "has partitions: choose one with --partition; the newest are 2026-11-22" in told.stderr


def mended_is_live(running: Installation) -> bool:
    """Whether a run launched now would be of the SQL that is in the bucket."""
    return "id as order_id" in running.sql("story/renamed")


def test_the_command_line_reruns_what_failed_and_nothing_else(
    morning: Installation, file: DuckDBFile
) -> None:
    file.execute("insert into shop.orders values (1, 1, null)")
    before = len(morning.runs("story/good"))
    assert morning.run("story/duplicates").status == "FAILURE"
    again = morning.call("rerun", "--failed", "--group", "story")
    assert again.exit_code == 1, again.stderr
    assert "✗ story/duplicates" in again.stdout
    assert "story/duplicates.sql:2:10: k unique" in again.stdout
    file.execute("delete from shop.orders where shipped is null")
    fixed = morning.call("rerun", "story/duplicates")
    assert fixed.exit_code == 0, fixed.stderr
    assert "✓ story/duplicates" in fixed.stdout
    (uri,) = re.findall(r"story/duplicates: \d+ rows, .+\n(s3://\S+)", fixed.stdout)
    assert morning.call("trace", uri).exit_code == 0
    assert len(morning.runs("story/good")) == before
    nothing = morning.call("rerun", "story/good", "--group", "story")
    assert nothing.exit_code == 2
    assert "story/good did not fail at its latest attempt: no extract did" in nothing.stderr
    assert "extract run story/good" in nothing.stderr

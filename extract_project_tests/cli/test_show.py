"""`extract show`: the effective header, and where each value comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from extract_project.manifest.fields.schedule_words import crons_of, words_of
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish

OWN = """/*---
retries: {max: 5}
tags: {own: x}
pool: null
checks:
  - max_rows: 10
---*/
select :country as country, 1.50 as amount"""


@pytest.fixture
def sales(configured: Site) -> Site:
    configured.put_defaults("", "owners: team:data\npool: heavy\nchecks: {min_rows: 1}\n")
    configured.put_defaults(
        "sales", "# x\nschedule: 0 6 * * 1-5\nparams: {country: DE, unused: 1}\ntags: {domain: d}\n"
    )
    return configured


def header(shown: dict[str, Any]) -> dict[str, tuple[Any, str | None]]:
    return {each["key"]: (each["value"], each["written_in"]) for each in shown["header"]}


def test_each_value_and_where_it_comes_from(sales: Site) -> None:
    version = publish(sales, "sales/orders", OWN)
    shown = json.loads(call("show", "sales/orders", "--json").stdout)
    keys = header(shown)
    assert keys["owners"] == ("team:data", "_defaults.yaml:1:1")
    assert keys["schedule"] == ("0 6 * * 1-5", "sales/_defaults.yaml:2:1")
    assert keys["retries"] == ({"max": 5}, "sales/orders.sql:2:1")
    assert keys["tags.own"] == ("x", "sales/orders.sql:3:8")
    assert keys["tags.domain"] == ("d", "sales/_defaults.yaml:4:8")
    assert keys["params.country"] == ("DE", "sales/_defaults.yaml:3:10")
    assert keys["checks.min_rows"] == ({"min_rows": 1}, "_defaults.yaml:3:1")
    assert keys["checks.max_rows"] == ({"max_rows": 10}, "sales/orders.sql:6:5")
    assert keys["pool"] == (None, "sales/orders.sql:4:1")
    assert keys["timeout"] == ("1h", None)
    assert "params.unused" not in keys
    assert shown["schedule"]["text"] == "weekdays at 06:00 (0 6 * * 1-5), UTC"
    assert re.match(r"20\d\d-\d\d-\d\dT06:00:00Z", shown["schedule"]["next_start"])
    assert shown["uri"] == f"s3://{sales.data.bucket}/extracts/sales/orders.parquet"
    assert shown["published"]["versions"][0]["version_id"] == version
    assert [each["name"] for each in shown["published"]["columns"]] == ["country", "amount"]
    assert any("pd.read_parquet" in each["text"] for each in shown["recipes"])
    assert [each["file"] for each in shown["defaults"]] == [
        "_defaults.yaml",
        "sales/_defaults.yaml",
    ]


def test_on_a_terminal(sales: Site) -> None:
    publish(sales, "sales/orders", OWN)
    shown = call("show", "sales/orders").output
    assert re.search(r"schedule +sales/_defaults.yaml:2:1 +0 6 \* \* 1-5", shown)
    assert re.search(r"timeout +default +1h", shown)
    assert re.search(r"amount +0 +decimal\(3,2\)", shown)
    assert "extract get sales/orders" in shown


def test_before_anything_is_published(sales: Site) -> None:
    sales.put_sql("sales/new", "/*---\ncolumns: {a: int64}\nschedule: null\n---*/ select 1 as a")
    shown = call("show", "sales/new").output
    assert "nothing is published yet: extract run sales/new" in shown
    assert re.search(r"\na +int64", shown)
    assert re.search(r"schedule +sales/new.sql:3:1 +on demand only", shown)


def test_a_local_file_with_the_defaults_above_it(configured: Site, tmp_path: Path) -> None:
    file = write(tmp_path, "a/b/one", "select 1 as one")
    (tmp_path / "a/_defaults.yaml").write_text("schedule: hourly\n")
    shown = json.loads(call("show", file, "--json").stdout)
    assert header(shown)["schedule"] == ("hourly", "../_defaults.yaml:1:1")
    assert shown["schedule"]["text"] == "hourly (0 * * * *), UTC"
    assert shown["published"] is None
    file.write_text("selec 1")
    assert call("show", file).exit_code == 2


def test_an_extract_that_does_not_exist(configured: Site) -> None:
    configured.put_sql("sales/orders", "select 1 as a")
    result = call("show", "sales/order")
    assert result.exit_code == 2
    assert "did you mean 'sales/orders'?" in result.output


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 6 * * *", "daily at 06:00"),
        ("30 6,18 * * 1-5", "weekdays at 06:30 and 18:30"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 */4 * * *", "every 4 hours"),
        ("5 * * * *", "hourly at :05"),
        ("0 * * * *", "hourly at :00"),
        ("0 0 1 * *", "monthly at 00:00"),
        ("0 6 13 * 5", None),
        ("*/7 * * * *", None),
        ("0 6-8 * * *", None),
    ],
)
def test_a_cron_in_words(cron: str, words: str | None) -> None:
    assert words_of(cron) == words
    assert words is None or crons_of(words) == (cron,)

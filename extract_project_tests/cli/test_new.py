"""A first file: `extract new` over tables of the warehouses, and `extract init`."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import duckdb
import psycopg
import pytest
import yaml

from extract_project.manifest.draft import DraftColumn, draft
from extract_project.manifest.extract import Extract
from extract_project.sql.bigquery import BigQuery
from extract_project.sql.databricks import Databricks
from extract_project.sql.dialect import Dialect
from extract_project.sql.duckdb import DuckDB
from extract_project.sql.mysql import MySQL
from extract_project.sql.snowflake import Snowflake
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.parsing import parse

TABLE = """
create schema if not exists shop;
drop table if exists shop.orders;
create table shop.orders (
    order_id bigint primary key,
    customer_id bigint not null,
    "Total amount" decimal(12,2),
    "order" text,
    updated_at timestamp,
    unique (customer_id, updated_at)
);
comment on column shop.orders.order_id is 'The shop''s number
*/ on the invoice';
insert into shop.orders values (1, 2, 3.5, 'x', timestamp '2026-01-01 00:00:00');
"""
SELECTED = """select
  order_id, -- The shop's number */ on the invoice
  customer_id,
  "Total amount",
  "order",
  updated_at
from shop.orders
"""
CHECKS = [
    {"min_rows": 1},
    {"unique": "order_id"},
    {"unique": ["customer_id", "updated_at"]},
    {"not_null": ["order_id", "customer_id"]},
]


def header(text: str) -> dict[str, object]:
    front = text.partition("---*/")[0].removeprefix("/*---\n")
    found: dict[str, object] = yaml.safe_load(front)
    return found


def test_a_file_over_a_table_of_duckdb_is_whole(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(TABLE)
    monkeypatch.setenv("EXTRACT_WAREHOUSES__SHOP__PATH", str(database))
    folder = tmp_path / "sql"

    done = call("new", "sales/orders", "--from", "shop.orders", "--folder", folder)

    assert done.exit_code == 0, done.output
    assert "all 1 rows" in done.output
    text = (folder / "sales/orders.sql").read_text()
    assert text.endswith(SELECTED)
    assert header(text)["checks"] == CHECKS
    assert "# incremental: {cursor: updated_at, lag: 1h}" in text
    assert call("check", folder).exit_code == 0
    again = call("new", "sales/orders", "--from", "shop.orders", "--folder", folder)
    assert again.exit_code == 2
    assert "sales/orders.sql exists: replace it with --force" in again.output


def test_a_file_over_a_table_of_postgres_is_whole(
    configured: Site,
    postgres: PostgresWarehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as connection:
        connection.execute(TABLE)
    for name, value in {"TYPE": "postgres", "HOST": postgres.host, "USER": "postgres"}.items():
        monkeypatch.setenv(f"EXTRACT_WAREHOUSES__DB__{name}", value)
    monkeypatch.setenv("EXTRACT_WAREHOUSE", "shop")
    folder = tmp_path / "sql"

    arguments = ("new", "orders", "--from", "shop.orders", "--warehouse", "db", "--folder", folder)
    done = call(*arguments, "--no-preview")

    assert done.exit_code == 0, done.output
    text = (folder / "orders.sql").read_text()
    assert text.endswith(SELECTED)
    assert header(text)["checks"] == CHECKS


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("shop.nothing", "there is no table shop.nothing"),
        ("shop.orders; drop table x", 'there is no table shop."orders; drop table x"'),
        ("(select 1)", 'there is no table "(select 1)"'),
        ("", "'' is not the name of a table"),
    ],
)
def test_what_is_no_table_is_said(configured: Site, tmp_path: Path, table: str, said: str) -> None:
    done = call("new", "a/b", "--from", table, "--folder", tmp_path)

    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dialect", "name", "written"),
    [
        (DuckDB(), "total", "total"),
        (DuckDB(), "Total", '"Total"'),
        (DuckDB(), "group", '"group"'),
        (DuckDB(), 'with "quotes"', '"with ""quotes"""'),
        (Snowflake(), "TOTAL", "total"),
        (Snowflake(), "total", '"total"'),
        (Snowflake(), "QUALIFY", '"QUALIFY"'),
        (Databricks(), "Total", "`Total`"),
        (BigQuery(), "group", "`group`"),
        (MySQL(), "a`b", "`a``b`"),
    ],
)
def test_a_name_is_written_so_that_it_names_the_column(
    dialect: Dialect, name: str, written: str
) -> None:
    text = draft("t", [DraftColumn(name, "int64", True)], [], dialect)

    assert text.endswith(f"select\n  {written}\nfrom t\n")


def test_a_draft_is_a_valid_file() -> None:
    """Whatever a table's names and comments are."""
    names = ["a*/b", "---", "x: y", "'", "ümlaut", " ", "select", "1st"]
    columns = [DraftColumn(name, "timestamp", False, f"{name} */ -- {name}") for name in names]

    assert isinstance(parse(draft("t", columns, [names, names[:1]], DuckDB())), Extract)


@pytest.mark.slow
def test_init_writes_what_the_first_commands_need(site: Site, tmp_path: Path) -> None:
    arguments = ["--manifest", site.manifest.uri, "--data", site.data.uri, "--type", "duckdb"]
    environment = {name: value for name, value in os.environ.items() if "EXTRACT_" not in name}
    environment["PATH"] = f"{sysconfig.get_path('scripts')}:{environment['PATH']}"
    script = (
        f"extract init {' '.join(arguments)} --warehouse shop && . ./extract.env "
        f"&& extract check sql_manifest && extract push sql_manifest"
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "next: . ./extract.env && extract new" in done.stdout
    assert [each.path for each in site.snapshot().extracts] == ["first/example"]
    workflow = yaml.safe_load((tmp_path / ".github/workflows/extracts.yml").read_text())
    steps = workflow["jobs"]["extracts"]["steps"]
    assert "extract check sql_manifest" in [step.get("run") for step in steps]
    assert workflow["jobs"]["extracts"]["env"]["EXTRACT_DATA"] == site.data.uri


def test_init_asks_for_what_is_missing_and_writes_no_secret(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = f"{site.manifest.uri}\n{site.data.uri}\npostgres\ndb.acme.com\nloader\n"

    done = call("init", "--no-doctor", "--set", "password=hunter2", given=answers)

    assert done.exit_code == 0, done.output
    text = (tmp_path / "extract.env").read_text()
    assert "export EXTRACT_WAREHOUSES__MAIN__HOST=db.acme.com\n" in text
    assert "# export EXTRACT_WAREHOUSES__MAIN__PASSWORD=…" in text
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("hunter2" in each for each in written)


def test_init_replaces_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "extract.env").write_text("mine")
    arguments = ["--manifest", site.manifest.uri, "--data", site.data.uri, "--type", "duckdb"]

    done = call("init", "--no-doctor", *arguments)

    assert done.exit_code == 2
    assert "extract.env exists: replace what is there with --force" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["extract.env"]

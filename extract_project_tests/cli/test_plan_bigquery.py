"""What a query will be billed for: planned, limited by `max_bytes`, and told at its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract_project_tests.conftest import Site
from extract_project_tests.support.bigquery_server import BigQueryServer, bigquery_server
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.rigs import bigquery_service, bigquery_settings

SQL = "select id from shop.orders"
LIMITED = "/*---\nwarehouse: big\nmax_bytes: {}\n---*/\n" + SQL


@pytest.fixture
def project(configured: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryServer]:
    """Beside the site's own warehouse; each query reads 10 MiB."""
    with bigquery_server(bigquery_service()) as project:
        for name, value in bigquery_settings(project).items():
            monkeypatch.setenv(name, value)
        yield project


def test_a_plan_shows_what_each_query_bills_and_refuses_what_is_above_the_limit(
    project: BigQueryServer, tmp_path: Path
) -> None:
    write(tmp_path, "a/dear", LIMITED.format("1MB"))
    write(tmp_path, "a/cheap", LIMITED.format("1GB"))
    write(tmp_path, "a/elsewhere", "select 1 as id")
    shown = call("plan", tmp_path)
    assert shown.exit_code == 1
    assert "new      a/cheap  1 columns, nothing published yet, bills 10.0 MiB" in shown.output
    assert "a/dear.sql:3:1: the query would be billed for 10.0 MiB, more than" in shown.output
    told = {
        each["extract"]: each["schema"]
        for each in json.loads(call("plan", tmp_path, "--json").stdout)
    }
    assert {path: each["bytes_billed"] for path, each in told.items()} == {
        "a/dear": 10 << 20,
        "a/cheap": 10 << 20,
        "a/elsewhere": None,
    }
    assert project.service.jobs == []
    assert project.service.dry_runs == 4, "each is asked about once"


def test_a_preview_obeys_the_limit_and_names_its_line(
    project: BigQueryServer, tmp_path: Path
) -> None:
    file = write(tmp_path, "a/dear", LIMITED.format("1MB"))
    shown = call("preview", file)
    assert shown.exit_code == 1
    assert "dear.sql:3:1: " in shown.output
    assert "raise 'max_bytes' in the header" in " ".join(shown.output.split())
    assert project.service.jobs == []


def test_a_limit_where_nothing_is_billed_by_bytes_is_refused(
    configured: Site, tmp_path: Path
) -> None:
    """As a default of a folder it is for the files whose warehouse bills them."""
    file = write(tmp_path, "a/b", "/*---\nmax_bytes: 1GB\n---*/\nselect 1 as id")
    shown = call("check", file)
    assert shown.exit_code == 1
    assert "2:1: 'max_bytes' would limit nothing: duckdb bills no bytes" in shown.output
    write(tmp_path, "a/b", "select 1 as id")
    (tmp_path / "a/_defaults.yaml").write_text("max_bytes: 1GB\n")
    assert call("check", tmp_path).exit_code == 0

"""`extract preview`: the first rows of a local file, exact, and its query cancelled."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from extract_project.errors import QueryTimeout
from extract_project.planning.sample import sample
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import Label, Query
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.waiting import await_value

LABEL = Label("preview of a/b", "local", "preview")
DAYS = """/*---
partitions: {type: daily, start: 2026-01-01}
params: {least: 5}
---*/
select :partition_start as day, :least as least, 12.50::decimal(9, 2) as price, null as nothing
"""


def test_the_first_rows_of_an_endless_query(configured: Site, tmp_path: Path) -> None:
    file = write(tmp_path, "a/b", "select n from range(100000000000) t(n)")
    result = call("preview", file, "--rows", "3")
    assert result.exit_code == 0
    assert [line.strip() for line in result.output.splitlines()] == [
        "n", "int64", "0", "1", "2", "the first 3 rows",
    ]  # fmt: skip
    few = call("preview", write(tmp_path, "a/few", "select n from range(3) t(n)"), "--rows", "3")
    assert "all 3 rows" in few.output
    assert configured.version_ids("extracts/") == []
    assert configured.open_uploads() == 0


def test_values_are_bound_as_a_run_binds_them(configured: Site, tmp_path: Path) -> None:
    file = write(tmp_path, "a/days", DAYS)
    result = call("preview", file, "--partition", "2026-03-01", "--param", "least=7", "--json")
    found = json.loads(result.stdout)
    assert found["columns"]["price"] == "decimal(9,2)"
    assert found["rows"] == [
        {"day": "2026-03-01T00:00:00.000000", "least": 7, "price": "12.50", "nothing": None}
    ]
    assert found["complete"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "has partitions: choose one, as in --partition 2026-01-01"),
        (["--partition", "March"], "has no partition 'March': choose one, as in"),
        (["--partition", "2026-03-01", "--param", "lest=7"], "did you mean 'least'?"),
        (["--partition", "2026-03-01", "--param", "least"], "expected name=value"),
    ],
)
def test_what_is_missing_is_said(
    configured: Site, tmp_path: Path, options: list[str], message: str
) -> None:
    result = call("preview", write(tmp_path, "a/days", DAYS), *options)
    assert result.exit_code == 2
    assert message in result.output


def test_a_file_that_cannot_run(configured: Site, tmp_path: Path) -> None:
    invalid = write(tmp_path, "a/invalid", "drop table x")
    assert f"{invalid}:1:1: " in call("preview", invalid).output
    text = "/*---\nchecks: [{not_null: [one, tow]}]\n---*/\nselect 1 as one, 2 as two"
    lacking = write(tmp_path, "a/lacking", text)
    shown = call("preview", lacking)
    assert shown.exit_code == 1
    assert f"{lacking}:2:" in shown.output
    assert "names column 'tow', which the result does not have: did you mean 'two'?" in shown.output
    promised = write(tmp_path, "a/promised", "/*---\ncolumns: {a: date}\n---*/\nselect 1 as a")
    assert f"{promised}:2:11: 'a' is declared date" in call("preview", promised).output
    refused = write(tmp_path, "a/refused", "select 1 as one,\n  oops as two")
    result = call("preview", refused)
    assert result.exit_code == 1
    assert f"{refused}:2:3: " in result.output


@pytest.mark.parametrize(
    ("sql", "rows"),
    [("select generate_series(1, 2000000000) as n", 3), ("select pg_sleep(600)", None)],
)
def test_g8_the_query_is_cancelled(postgres: PostgresWarehouse, sql: str, rows: int | None) -> None:
    if rows is None:
        with pytest.raises(QueryTimeout):
            sample(postgres, Query(sql), LABEL, rows=1, timeout=timedelta(seconds=1))
    else:
        found = sample(postgres, Query(sql), LABEL, rows=rows, timeout=timedelta(minutes=1))
        assert found.rows["n"].to_pylist() == [1, 2, 3]
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as watching:
        running = "select count(*) from pg_stat_activity where application_name like %s"

        def over() -> bool:
            row = watching.execute(running, ("extract preview of a/b%",)).fetchone()
            return row is not None and row[0] == 0

        await_value("the query to be gone", over)

"""`extract plan`: what a push would change is told, and nothing is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extract_project.planning.describe import describe
from extract_project.planning.plan import plan
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import DIALECTS, Site
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.publishing import publish

OLD = "select 1 as id, 'x' as town"


def planned(folder: Path, *options: str) -> dict[str, Any]:
    found = json.loads(call("plan", folder, "--json", *options).stdout)
    return {each["extract"]: each for each in found}


def test_each_file_and_its_schema(configured: Site, tmp_path: Path) -> None:
    for path in ("a/same", "a/words", "a/columns", "a/gone"):
        publish(configured, path, OLD)
    before = configured.snapshot()
    write(tmp_path, "a/same", OLD)
    write(tmp_path, "a/words", f"/*---\ndescription: better\n---*/\n{OLD}")
    write(tmp_path, "a/columns", "select 1::decimal(9, 2) as id, 'y' as city")
    write(tmp_path, "a/new", "select n from range(10000000000) t(n)")
    told = planned(tmp_path, "--delete", "--diff")
    assert {path: (each["change"], each["changes_data"]) for path, each in told.items()} == {
        "a/columns": ("changed", True),
        "a/gone": ("removed", True),
        "a/new": ("new", True),
        "a/words": ("changed", False),
    }
    columns = told["a/columns"]["schema"]
    assert columns["published"] == {"id": "int32", "town": "text"}
    assert columns["changes"] == [
        "breaking: 'id' is decimal(9,2); it was int32",
        "breaking: 'city' replaces 'town'",
    ]
    assert told["a/words"]["schema"]["changes"] == []
    assert told["a/new"]["schema"] == {
        "published": None, "planned": {"n": "int64"}, "changes": [], "refusal": None,
        "narrowed": [], "warnings": [], "bytes_billed": None,
    }  # fmt: skip
    assert f"-{OLD}" in told["a/columns"]["diff"]
    assert "a/gone" not in planned(tmp_path)
    assert configured.snapshot() == before

    shown = call("plan", tmp_path)
    assert shown.exit_code == 0
    assert "changed  a/words  the data stays, 2 columns, the schema stays" in shown.output
    assert "1 new, 2 changed, 0 removed, 0 invalid" in shown.output


def test_who_is_hit_by_a_change_is_named(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new column, and what nobody is known to read, breaks nobody."""
    monkeypatch.setenv("EXTRACT_DAGSTER_URL", "http://127.0.0.1:9")
    read = "/*---\nconsumers: [crm, team:billing]\n---*/\n"
    contract = "/*---\nconsumers: [crm]\ncolumns: {{id: int32{}}}\n---*/\nselect 1 as id"
    publish(configured, "a/read", read + OLD)
    publish(configured, "a/wider", read + OLD)
    publish(configured, "a/loose", contract.format(" not null"))
    publish(configured, "a/alone", OLD)
    publish(configured, "a/gone", f"/*---\nconsumers: crm\n---*/\n{OLD}")
    publish(configured, "a/moved", read + OLD)
    write(tmp_path, "a/read", f"{read}select 1::bigint as id, 2 as more")
    write(tmp_path, "a/wider", f"{read}{OLD}, 3 as more")
    write(tmp_path, "a/loose", contract.format(""))
    write(tmp_path, "a/alone", "select 1::bigint as id")
    write(tmp_path, "a/moved", f"/*---\nformat: csv\n---*/\n{OLD}")
    write(tmp_path, "a/after", "/*---\ndepends_on: [a/read, a/alone]\n---*/\nselect 1 as x")
    told = planned(tmp_path, "--delete")
    assert {path: each["breaking"] for path, each in told.items()} == {
        "a/after": None,
        "a/alone": {
            "changes": ["'id' is int64; it was int32", "'town', text, is gone"],
            "consumers": [],
            "extracts": ["a/after"],
            "assets": [],
        },
        "a/gone": {
            "changes": ["it gets no new versions"],
            "consumers": ["crm"],
            "extracts": [],
            "assets": [],
        },
        "a/loose": {
            "changes": ["'id' may be NULL; it was never NULL"],
            "consumers": ["crm"],
            "extracts": [],
            "assets": [],
        },
        "a/moved": {
            "changes": ["it is published as a/moved.csv.gz at 'data'; it was a/moved.parquet at "
                        "'data'"],
            "consumers": ["crm", "team:billing"],
            "extracts": [],
            "assets": [],
        },
        "a/read": {
            "changes": ["'id' is int64; it was int32", "'town', text, is gone"],
            "consumers": ["crm", "team:billing"],
            "extracts": ["a/after"],
            "assets": [],
        },
        "a/wider": None,
    }  # fmt: skip
    shown = call("plan", tmp_path)
    assert shown.exit_code == 0
    assert (
        "which assets of Dagster depend on a/alone, a/loose, a/moved, a/read is not known: no "
        "Dagster answers at http://127.0.0.1:9"
    ) in " ".join(shown.stderr.split())
    assert (
        "BREAKING for crm, team:billing (consumers) and a/after (depends on it): 'id' is int64"
        in " ".join(shown.output.split())
    )
    assert call("plan", tmp_path, "--fail-on-breaking").exit_code == 1


def test_columns_are_compared_where_a_version_is(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the first destination has none."""
    monkeypatch.setenv("EXTRACT_DESTINATIONS__CRM__URL", f"s3://{configured.data.bucket}/inbound")
    publish(configured, "a/b", f"/*---\nconsumers: [shop]\n---*/\n{OLD}")
    write(tmp_path, "a/b", "/*---\nconsumers: [shop]\nto: [crm, data]\n---*/\nselect 1 as id")
    told = planned(tmp_path)["a/b"]
    assert told["breaking"]["changes"] == ["'town', text, is gone"]
    assert told["schema"]["published"] == {"id": "int32", "town": "text"}


def test_a_description_of_no_column_is_a_warning(configured: Site, tmp_path: Path) -> None:
    write(tmp_path, "a/b", "/*---\ndescribe: {idd: x}\n---*/\nselect 1 as id")
    shown = call("plan", tmp_path)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "warning: a/b.sql:2:12: 'describe' names column 'idd'" in " ".join(shown.output.split())


def test_columns_whose_values_may_be_refused_are_named_with_the_key(
    configured: Site, tmp_path: Path
) -> None:
    """And what became of a type that is published already."""
    sums = ", ".join(f"sum({n}) as n{n}" for n in range(7))
    sql = f"select {sums}, [timestamp_ns '2026-01-01'] as seen, 1 as fine"
    publish(configured, "a/b", f"/*---\nintegers: decimal\n---*/\n{sql}")
    write(tmp_path, "a/b", sql)
    told = planned(tmp_path)["a/b"]
    assert told["changes_data"]
    assert told["schema"]["narrowed"] == [
        {
            "columns": [f"n{n}" for n in range(7)],
            "warehouse": "decimal(38,0)",
            "file": "int64",
            "keys": ["integers: decimal"],
        },
        {
            "columns": ["seen"],
            "warehouse": "list<timestamp(9)>",
            "file": "list<timestamp>",
            "keys": ["timestamps: ns"],
        },
    ]
    assert told["schema"]["changes"][0] == (
        "breaking: 'n0' is int64; it was decimal(38,0); 'integers: decimal' in the header "
        "restores the old type"
    )
    shown = " ".join(call("plan", tmp_path).output.split())
    assert "n0, n1, n2, n3, n4 and 2 more: decimal(38,0) in the warehouse, int64 in the" in shown
    write(tmp_path, "a/b", f"/*---\nintegers: decimal\ntimestamps: ns\n---*/\n{sql}")
    assert planned(tmp_path)["a/b"]["schema"]["narrowed"] == []


def test_what_other_settings_make_of_unchanged_files_is_shown_on_request(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "select sum(1) as total"
    publish(configured, "a/b", sql)
    publish(configured, "a/plain", "select 1 as one")
    for path, text in (("a/b", sql), ("a/plain", "select 1 as one")):
        write(tmp_path, path, text)
    monkeypatch.setenv("EXTRACT_WAREHOUSES__SHOP__INTEGERS", "decimal")
    assert planned(tmp_path) == {}
    told = planned(tmp_path, "--all")
    assert told["a/b"]["change"] == told["a/plain"]["change"] == "same"
    assert told["a/b"]["schema"]["changes"] == ["breaking: 'total' is decimal(38,0); it was int64"]
    shown = call("plan", tmp_path, "--all")
    assert "same     a/b  1 columns, the schema changes" in shown.output
    assert "a/plain" not in shown.output


def test_a_numeric_without_a_precision_is_named_too(
    site: Site, postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    texts = {
        "a": "select avg(x) as mean from (values (1), (2)) t(x)",
        "b": "/*---\ncolumns: {mean: text}\n---*/\nselect avg(x) as mean from (values (1)) t(x)",
        "c": "select 1::numeric(1000, 0) as only_int64",
    }
    files = {f"{name}.sql": write(tmp_path, name, text) for name, text in texts.items()}
    changes = plan(site.manifest, files, DIALECTS, delete=False)
    found = describe(site.folders, {"shop": postgres}, changes)
    told = {each.path: described.narrowed for each, described in found}
    assert [str(each) for each in told["a"]] == [
        "mean: numeric without a precision in the warehouse, decimal(38,9) in the file; a value "
        "that does not fit is refused; 'numeric: text' keeps it"
    ]
    assert (told["b"], told["c"]) == ((), ())


def test_what_cannot_run_is_told_with_its_place(configured: Site, tmp_path: Path) -> None:
    configured.put_sql("a/base", "select 1 as one")
    write(tmp_path, "a/refused", "select 1 as one,\n  oops as two")
    write(tmp_path, "a/after", "/*---\ndepends_on: [a/base]\n---*/\nselect 2 as two")
    write(tmp_path, "a/fine", "select 3 as three")
    write(tmp_path, "a/promised", "/*---\ncolumns: {four: int32}\n---*/\nselect 'x' as four")
    write(tmp_path, "a/checked", "/*---\nchecks: [{unique: fiv}]\n---*/\nselect 5 as five")
    cursor = "/*---\nincremental: {cursor: six}\n---*/\n"
    write(tmp_path, "a/grows", f"{cursor}select 6 as sixth where :watermark is null or true")
    result = call("plan", tmp_path)
    assert result.exit_code == 1
    assert "a/refused.sql:2:3: " in result.output
    assert "a/promised.sql:2:" in result.output
    assert "a/checked.sql:2:11: check 'unique_fiv' names column 'fiv', which the" in result.output
    assert "did you mean 'five'?" in result.output
    assert "a/grows.sql:2:15: 'incremental' names column 'six' as its cursor" in result.output
    assert "new      a/fine  1 columns, nothing published yet" in result.output
    assert call("plan", tmp_path, "--no-describe").exit_code == 0
    # What is only in the bucket can be depended on, until it is removed.
    told = planned(tmp_path, "--delete", "--no-describe")
    assert told["a/after"]["change"] == "invalid"
    assert told["a/after"]["problems"][0].startswith("a/after.sql:2:14: no extract 'a/base'")


def test_partitions_are_described_and_compared_with_the_newest(
    configured: Site, tmp_path: Path
) -> None:
    header = "/*---\npartitions: {type: monthly, start: 2026-01-15, timezone: Europe/Berlin}\n---*/"
    write(tmp_path, "a/months", f"{header}\nselect :partition_start as s, :partition_key as k")
    write(tmp_path, "a/keys", "/*---\npartitions: [eu, us]\n---*/\nselect :partition_key as k")
    told = planned(tmp_path)
    assert told["a/months"]["schema"]["planned"] == {"s": "timestamptz", "k": "text"}
    assert told["a/keys"]["schema"]["planned"] == {"k": "text"}


def test_a_warehouse_that_refuses_one_query_describes_the_next(
    site: Site, postgres: PostgresWarehouse, tmp_path: Path
) -> None:
    header = "/*---\nparams: {x: 1}\n---*/\n"  # with a value there is a transaction, which fails
    texts = {
        "a": "select no_such, :x as x",
        "b": "select :x as one",
        "c": "select missing.x, :x as x",
    }
    files = {f"{name}.sql": write(tmp_path, name, header + text) for name, text in texts.items()}
    changes = plan(site.manifest, files, DIALECTS, delete=False)
    found = describe(site.folders, {"shop": postgres}, changes)
    answers = {each.path: described for each, described in found}
    assert answers["a"].refusal.startswith("a.sql:4:8: ")
    assert answers["b"].planned is not None
    assert answers["c"].planned is None


def test_a_warehouse_that_cannot_be_asked_is_no_answer(
    configured: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTRACT_WAREHOUSES__SHOP__PATH", str(tmp_path / "none.duckdb"))
    write(tmp_path, "a/new", "select 1 as one")
    result = call("plan", tmp_path)
    assert result.exit_code == 2
    assert "none.duckdb" in result.output

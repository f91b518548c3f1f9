"""`columns` and `on_schema_change`, from the warehouse to what Dagster and readers are told."""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from extract_project.manifest.bucket import read_manifest
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings, load_settings
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import execute

KEY = "extracts/a/b.parquet"
CHANGES = "schema_unchanged"


@dataclass(frozen=True)
class Ran:
    """What a run told: its report, where it failed, and the check that was asked about."""

    failure_report: str
    checks: dict[str, dg.AssetCheckEvaluation]

    def said(self, check: str) -> str:
        return self.checks[check].description or ""


def told(result: dg.ExecuteInProcessResult) -> Ran:
    failed = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    report = str(failed[0].step_failure_data.user_failure_data.description) if failed else ""  # type: ignore[union-attr]
    assert bool(failed) != result.success
    return Ran(report, {e.check_name: e for e in result.get_asset_check_evaluations()})


def run(site: Site, settings: Settings, text: str, partition: str | None = None) -> Ran:
    """Put `a/b`.sql and materialize it."""
    site.put_sql("a/b", text)
    snapshot = read_manifest(site.manifest, settings.dialects)
    defs = compose(snapshot, CodeLocation(settings, settings.connect, "snapshot-1"))
    with dg.DagsterInstance.ephemeral() as instance:
        return told(execute(defs, instance, "a/b", partition=partition))


@pytest.fixture
def on_postgres(
    site: Site, postgres: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The default warehouse is a Postgres."""
    fields = {"TYPE": "postgres", "HOST": postgres.host, "USER": postgres.user}
    environment = {k: v for k, v in site.environment.items() if "WAREHOUSES" not in k}
    environment |= {f"EXTRACT_WAREHOUSES__SHOP__{k}": v for k, v in fields.items()}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def header(yaml: str, sql: str) -> str:
    return f"/*---\n{yaml}\n---*/\n{sql}"


CONTRACT = "columns:\n  id: int32 not null\n  total: decimal(9,2)"


def test_a_contract_casts_exactly_and_is_a_check(site: Site, settings: Settings) -> None:
    sql = "select i::hugeint as id, 1.5::decimal(38, 1) as total from range({}) t(i)"
    for rows in (0, 3):
        ran = run(site, settings, header(CONTRACT, sql.format(rows)))
        assert ran.checks["columns"].passed, ran.failure_report
        table = pq.read_table(io.BytesIO(site.body(KEY)))
        assert [str(kind) for kind in table.schema.types] == ["int32", "decimal128(9, 2)"]
        assert table.to_pylist() == [{"id": n, "total": Decimal("1.50")} for n in range(rows)]
        assert ran.checks[CHANGES].passed
    assert "id never null: kept" in ran.said("columns")


@pytest.mark.parametrize(
    ("sql", "faults"),
    [
        (
            "select 'x' as id, 1 as n",
            [
                "3:3: 'id' is declared int32, but the result has text, which does",
                "4:3: 'total' is declared, but the result does not have it",
                "3:3: the result has 'n', int32, after 'id': not declared",
            ],
        ),
        (
            "select 1.5::decimal(9, 2) as total, 1 as id",
            ["4:3: 'total' is declared as column 2, but is column 1 of the result"],
        ),
        (
            "select 1::hugeint as ID, 1.5::decimal(9, 2) as total",
            ["3:3: 'id' is declared, but the result has 'ID' in its place"],
        ),
        ("select null::int as id, 1 as total", ["2:1: id never null: broken by id in 1 of 1 rows"]),
        (
            "select 3 as id, 1 as total union all select 3000000000, 1",
            ["3:3: row 2 has 3000000000 in 'id', which does not fit int32 exactly"],
        ),
    ],
    ids=["columns", "order", "case", "null", "value"],
)
def test_g1_what_breaks_the_contract_is_refused(
    site: Site, settings: Settings, sql: str, faults: list[str]
) -> None:
    good = run(site, settings, header(CONTRACT, "select 1 as id, 2 as total"))
    assert not good.failure_report
    ran = run(site, settings, header(CONTRACT, sql))
    for fault in faults:
        assert f"a/b.sql:{fault}" in ran.failure_report
    assert "the published version is untouched" in ran.failure_report
    assert not ran.checks["columns"].passed
    assert ran.checks["columns"].severity is dg.AssetCheckSeverity.ERROR
    assert len(site.version_ids(KEY)) == 1
    assert site.open_uploads() == 0


def test_a_refusal_writes_down_the_columns_that_would_do(site: Site, settings: Settings) -> None:
    sql = "select 1 as id, 'x' as \"odd 'name'\", 1.5 as total, [1] as l"
    ran = run(site, settings, header(CONTRACT, sql))
    suggested = ran.failure_report[
        ran.failure_report.index("declare them:\n") + len("declare them:\n") :
    ]
    assert "  id: int32 not null" in suggested
    assert not run(site, settings, header(suggested, sql)).failure_report


@pytest.mark.parametrize("file_format", ["parquet", "csv", "jsonl", "arrow"])
def test_a_changed_schema_is_published_with_a_warning(
    site: Site, settings: Settings, file_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once: what is compared with afterwards is the new version, also where the bytes are equal."""
    style = f"format: {file_format}"
    run(site, settings, header(style, "select 1::int as n, 'x' as b"))
    ran = run(site, settings, header(style, "select 1::bigint as n, 'x' as b"))
    check = ran.checks[CHANGES]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "widening: 'n' is int64; it was int32" in ran.said(CHANGES)
    assert '"schema_changed"' in capfd.readouterr().err
    again = run(site, settings, header(style, "select 1::bigint as n, 'x' as b"))
    assert again.checks[CHANGES].passed
    assert "the same columns" in again.said(CHANGES)


def test_fail_refuses_a_changed_schema(site: Site, settings: Settings) -> None:
    strict = "description: x\non_schema_change: fail"
    run(site, settings, header(strict, "select 1 as a, 2 as b"))
    sql = "select 1 as a, 'x' as c, 2 as b"
    ran = run(site, settings, header(strict, sql))
    assert "a/b.sql:3:1: widening: 'c', text, is new, after 'a'" in ran.failure_report
    assert "write 'on_schema_change: warn'" in ran.failure_report
    assert "columns:\n  a: int32\n  c: text\n  b: int32" in ran.failure_report
    assert not ran.checks[CHANGES].passed
    assert len(site.version_ids(KEY)) == 1
    allowed = run(site, settings, header("on_schema_change: allow", "select 1 as c"))
    assert CHANGES not in allowed.checks
    assert len(site.version_ids(KEY)) == 2


def test_a_published_type_that_another_choice_changes_says_which_key_gives_it_again(
    site: Site, settings: Settings
) -> None:
    sql = "select 5::hugeint as id, timestamp_ns '2026-01-31' as at"
    run(site, settings, header("integers: decimal\ntimestamps: ns", sql))
    strict = "description: x\non_schema_change: fail"
    report = run(site, settings, header(strict, sql)).failure_report
    assert (
        "a/b.sql:3:1: breaking: 'id' is int64; it was decimal(38,0); 'integers: decimal' in the "
        "header restores the old type"
    ) in report
    assert "'at' is timestamp; it was timestamp(9); 'timestamps: ns' in the header" in report
    assert len(site.version_ids(KEY)) == 1
    warned = run(site, settings, header("description: x", sql))
    assert "'integers: decimal' in the header restores the old type" in warned.said(CHANGES)
    assert len(site.version_ids(KEY)) == 2


@pytest.mark.parametrize(
    ("columns", "types"),
    [
        ("{id: 'decimal(38,0)', at: timestamp}", ["decimal128(38, 0)", "timestamp[us]"]),
        ("{id: int32, at: timestamp(9)}", ["int32", "timestamp[ns]"]),
        ("{id: uint64, at: timestamp}", ["uint64", "timestamp[us]"]),
    ],
)
@pytest.mark.parametrize("keys", ["", "integers: decimal\ntimestamps: ns\n"])
def test_a_contract_comes_before_the_choices(
    site: Site, settings: Settings, columns: str, types: list[str], keys: str
) -> None:
    sql = "select 5::hugeint as id, timestamp_ns '2026-01-31' as at"
    assert not run(site, settings, header(f"{keys}columns: {columns}", sql)).failure_report
    schema = pq.read_schema(io.BytesIO(site.body(KEY)))
    assert [str(kind) for kind in schema.types] == types


def test_a_value_beyond_a_contract_says_what_to_declare(site: Site, settings: Settings) -> None:
    contract = "columns: {id: int64}"
    report = run(site, settings, header(contract, f"select {2**63}::hugeint as id")).failure_report
    assert (
        f"'id' has {2**63} in row 1, beyond int64: to keep it, declare it decimal(38,0)" in report
    )
    assert site.version_ids(KEY) == []


def test_a_contract_that_names_the_new_columns_needs_one_push(
    site: Site, settings: Settings
) -> None:
    run(site, settings, header("columns: {a: int32}", "select 1 as a"))
    both = header("columns: {a: int32, b: int32}", "select 1 as a, 2 as b")
    ran = run(site, settings, both)
    assert not ran.failure_report
    assert not ran.checks[CHANGES].passed
    strict = "on_schema_change: fail\n" + "columns: {a: int32}"
    assert (
        "'b', int32, is gone" in run(site, settings, header(strict, "select 1 as a")).failure_report
    )


def test_without_a_receipt_nothing_is_compared(site: Site, settings: Settings) -> None:
    strict = "on_schema_change: fail"
    run(site, settings, header(strict, "select 1 as a"))
    pages = site.s3.get_paginator("list_objects_v2").paginate(
        Bucket=site.data.bucket, Prefix=site.state.key("receipts/")
    )
    for item in [item for page in pages for item in page["Contents"]]:
        site.s3.delete_object(Bucket=site.data.bucket, Key=item["Key"])
    ran = run(site, settings, header(strict, "select 'x' as b"))
    assert ran.checks[CHANGES].passed
    assert "has no receipt with its columns" in ran.said(CHANGES)


def test_a_window_without_a_version_is_compared_with_the_one_before(
    site: Site, settings: Settings
) -> None:
    daily = "partitions: {type: daily, start: 2026-01-01, end: 2026-01-05}"
    sql = "select :partition_start as a"
    first = run(site, settings, header(daily, sql), partition="2026-01-01")
    assert "nothing is published yet" in first.said(CHANGES)
    ran = run(site, settings, header(daily, f"{sql}, 1 as b"), partition="2026-01-02")
    assert "of partition 2026-01-01" in ran.said(CHANGES)
    assert not ran.checks[CHANGES].passed


def test_g5_a_contract_gives_postgres_numerics_their_type(
    site: Site, on_postgres: Settings
) -> None:
    def published(columns: str, sql: str) -> Ran:
        return run(site, on_postgres, header(columns, sql))

    contract = "columns:\n  n: int64\n  mean: decimal(9,2)\n  wide: decimal(50,20)"
    sql = "select sum(v) as n, avg(v) as mean, sum(v * 1e-20) as wide from (values {}) t(v)"
    assert not published(contract, sql.format("(1000001::bigint), (2)")).failure_report
    (row,) = pq.read_table(io.BytesIO(site.body(KEY))).to_pylist()
    expected: Any = {"n": 1000003, "mean": Decimal("500001.50")}
    assert row == expected | {"wide": Decimal("0.00000000000001000003")}
    mean = "mean' has 1.3333333333333333 in row 1, which does not fit decimal(9,2) exactly: declare"
    thirds = sql.format("(1::bigint), (1), (2)")
    assert mean in published(contract, thirds).failure_report
    undeclared = published("description: x", thirds).failure_report
    assert "write round(mean, 9) in the SQL, or 'numeric: text' in the header" in undeclared
    assert not published("numeric: text", thirds).failure_report
    (row,) = pq.read_table(io.BytesIO(site.body(KEY))).to_pylist()
    assert row["mean"] == "1.3333333333333333"


@pytest.mark.parametrize("yaml", ["on_schema_change: fail", "columns: {a: int32}"])
def test_columns_are_looked_at_before_any_row_is_fetched(
    site: Site, on_postgres: Settings, yaml: str
) -> None:
    run(site, on_postgres, header(yaml, "select 1 as a"))
    report = run(site, on_postgres, header(yaml, "select 1 / 0 as b")).failure_report
    assert "'b'" in report
    assert "division" not in report

"""A refused result is published on somebody's word: once, and what else is wrong still refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance

from extract_project.deployment.tags import release_tags
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, require_version
from extract_project.settings import Settings, load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization

KEY = "extracts/a/b.parquet"
CHECKED = "/*---\nchecks:\n  - rows_change: ±10%\n  - unique: n\n---*/\nselect n from orders"
UNUSUAL = "/*---\nanomalies: fail\nunchanged: publish\n---*/\nselect n from orders"
LONG = "because " * 200

Fill = Callable[[str], None]
ROWS = "select n from range({}) t(n)"


def fill(database: Path, query: str) -> None:
    """What is in the table that extracts read."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"create or replace table orders as {query}")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "shop.duckdb"


@pytest.fixture
def settings(site: Site, database: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    more = {"EXTRACT_WAREHOUSES__SHOP__PATH": str(database)}
    for name, value in {**site.environment, **more}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def report(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    return failure.description or ""


def current(site: Site) -> tuple[Version, Receipt]:
    version = require_version(site.data.store, KEY)
    receipt = receipt_of(site.state, version)
    assert receipt is not None
    return version, receipt


def test_what_refused_a_result_only_warns_when_it_is_released(
    site: Site, settings: Settings, database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site.put_sql("a/b", CHECKED)
    defs = definitions(site, settings)
    with DagsterInstance.ephemeral() as instance:
        fill(database, ROWS.format(100))
        assert execute(defs, instance, "a/b").success
        fill(database, ROWS.format(50))
        refused = execute(defs, instance, "a/b")
        assert "50 rows, -50.0% against the 100 of the current version" in report(refused)
        assert "extract release a/b --reason '…'" in report(refused)
        tags = release_tags(refused.run_id, "größer shop, smaller day", "ada")
        capfd.readouterr()
        released = execute(defs, instance, "a/b", tags=tags)
        assert released.success
        assert '"event": "released"' in capfd.readouterr().err
        checks = {e.check_name: e for e in released.get_asset_check_evaluations()}
        assert checks["rows_change"].severity is dg.AssetCheckSeverity.WARN
        assert (checks["rows_change"].description or "").startswith("released by ada (größer")
        told = {k: v.value for k, v in materialization(instance, "a/b").metadata.items()}
        assert told["released_checks"] == "rows_change"
        assert (told["released_by"], told["release_of"]) == ("ada", refused.run_id)
    version, receipt = current(site)
    assert version.provenance["release-reason"] == "größer shop, smaller day"
    assert version.provenance["release-of"] == refused.run_id
    assert receipt.release is not None
    assert (receipt.release.checks, receipt.release.by) == (("rows_change",), "ada")
    assert receipt.rows == 50


def test_a_check_that_did_not_refuse_it_then_refuses_it_now(
    site: Site, settings: Settings, database: Path
) -> None:
    site.put_sql("a/b", CHECKED)
    defs = definitions(site, settings)
    with DagsterInstance.ephemeral() as instance:
        fill(database, ROWS.format(100))
        assert execute(defs, instance, "a/b").success
        fill(database, "select n % 99 as n from range(100) t(n)")
        refused = execute(defs, instance, "a/b")
        assert "n unique: broken" in report(refused)
        fill(database, "select n % 49 as n from range(50) t(n)")
        tags = release_tags(refused.run_id, "duplicates are meant", "ada")
        again = execute(defs, instance, "a/b", tags=tags)
        assert "50 rows, -50.0%" in report(again)
        assert "unique" not in report(again)
        assert len(site.version_ids(KEY)) == 1
        fill(database, "select n % 99 as n from range(100) t(n)")
        copied = {**tags, "dagster/parent_run_id": again.run_id}
        assert "n unique" in report(execute(defs, instance, "a/b", tags=copied)), "a re-execution"
        assert execute(defs, instance, "a/b", tags=tags).success


def test_a_release_of_what_is_unusual_makes_it_usual(
    site: Site, settings: Settings, database: Path
) -> None:
    site.put_sql("a/b", UNUSUAL)
    defs = definitions(site, settings)
    with DagsterInstance.ephemeral() as instance:
        fill(database, ROWS.format(1_000))
        for _ in range(4):
            assert execute(defs, instance, "a/b").success
        fill(database, ROWS.format(300))
        refused = execute(defs, instance, "a/b")
        said = "a/b.sql:2:1: 300 rows; expected 874 to 1,126, from the last 4 versions"
        assert said in report(refused)
        assert execute(
            defs, instance, "a/b", tags=release_tags(refused.run_id, LONG, "ada")
        ).success
        assert execute(defs, instance, "a/b").success
    receipt = current(site)[1]
    assert [each.rows for each in receipt.recent] == [300, 300]
    released = require_version(site.data.store, KEY, site.version_ids(KEY)[1])
    assert "release-reason" not in released.provenance, "S3 has no room for so long a reason"
    receipt = receipt_of(site.state, released) or receipt
    assert receipt.release is not None
    assert receipt.release.reason == LONG.strip()


def test_what_is_no_release_fails_the_run(site: Site, settings: Settings, database: Path) -> None:
    site.put_sql("a/b", CHECKED)
    site.put_sql("a/c", "/*---\ncolumns: {n: text}\n---*/\nselect n from orders")
    fill(database, "select 1 as n from range(2)")
    with DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        refused = execute(defs, instance, "a/b")
        tags = release_tags(refused.run_id, "meant", "ada")

        def refusal(path: str, **change: str) -> str:
            given = {**tags, **{name.replace("__", "/"): value for name, value in change.items()}}
            return report(execute(defs, instance, path, tags=given))

        short = refusal("a/b", extract__release=refused.run_id[:8])
        assert "has not refused a/b.sql: expected the full id of a run" in short
        unexplained = refusal("a/b", extract__release_reason=" ")
        assert "a release needs a reason: set the tag extract/release_reason" in unexplained
        assert "has not refused a/c.sql" in refusal("a/c")
        columns = execute(defs, instance, "a/c").run_id
        assert "was not refused by a check that can be released" in refusal(
            "a/c", extract__release=columns
        )
        site.put_sql("a/b", CHECKED.replace("10%", "11%"))
        defs = definitions(site, settings)
        assert f"the SQL file has changed since run {refused.run_id}" in refusal("a/b")
    assert site.version_ids(KEY) == []

"""Incremental extracts as assets: what people see of them, and the tag that starts anew."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from extract_project.deployment.failed import Question
from extract_project.deployment.tags import FULL_REFRESH_TAG
from extract_project.orchestration.failed.failed import answer
from extract_project.settings import load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization

SQL = """/*---
incremental: {cursor: id, lag: 2}
checks: [{min_rows: 1}]
---*/
select id from events where :watermark is null or id >= :watermark order by id
"""


def test_an_increment_says_what_it_added_and_a_tag_starts_anew(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "source.duckdb"
    environment = {**site.environment, "EXTRACT_WAREHOUSES__SHOP__PATH": str(path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def change(sql: str) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)

    seen: list[int] = []

    @dg.asset(ins={"b": dg.AssetIn(key=["a", "b"])}, key=["c", "reader"])
    def reader(b: pl.DataFrame) -> None:
        seen[:] = b["id"].to_list()

    change("create table events as select id from range(10) t(id)")
    site.put_sql("a/b", SQL)
    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, load_settings(), reader)
        assert execute(defs, instance, "a/b").success
        change("insert into events values (10), (11)")
        assert execute(defs, instance, "a/b").success
        added = materialization(instance, "a/b")
        found = {
            name: added.metadata[name].value
            for name in ("dagster/row_count", "rows_added", "parts", "watermark")
        }
        assert found == {
            "dagster/row_count": 12,
            "rows_added": 2,
            "parts": 2,
            "watermark": "11",
        }
        assert str(added.metadata["dagster/uri"].value).split("?")[0].endswith("_manifest.json")
        assert execute(defs, instance, "c/reader").success
        assert seen == list(range(12))

        # The checks are about the new rows.
        assert not execute(defs, instance, "a/b").success
        change("delete from events where id < 5")
        tags = {FULL_REFRESH_TAG: "true"}
        change("alter table events rename to gone")
        assert not execute(defs, instance, "a/b", tags=tags).success
        (rerun,) = answer(instance, site.snapshot().extracts, Question()).reruns
        assert rerun.tags[FULL_REFRESH_TAG] == "true"
        change("alter table gone rename to events")
        assert execute(defs, instance, "a/b", tags=rerun.tags).success
        anew = materialization(instance, "a/b")
    assert anew.metadata["dagster/row_count"].value == 7
    assert "rows_added" not in anew.metadata

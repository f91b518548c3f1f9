"""Extracts as assets, executed by Dagster against a real S3 server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.extract import InvalidExtract
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings, load_settings
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization

CHECKED = """/*---
description: Three rows.
owners: [team:sales]
tags: {domain: sales}
checks:
  - min_rows: 1
  - unique: i
  - max_rows: 2
    severity: warn
---*/
select i, i / 2 as half from range(3) t(i)
"""
REFUSED = (
    "/*---\nchecks:\n  - unique: i\n  - min_rows: 1\n---*/\nselect i % 2 as i from range(4) t(i)"
)


def test_a_materialization_says_what_was_published(site: Site, settings: Settings) -> None:
    sql_version = site.put_sql("sales/orders", CHECKED)
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings), instance).success
        event = materialization(instance, "sales/orders")
    (version_id,) = site.version_ids("extracts/sales/orders.parquet")
    metadata = {name: value.value for name, value in event.metadata.items()}
    assert metadata["dagster/row_count"] == 3
    assert metadata["s3_version_id"] == version_id
    assert metadata["dagster/uri"] == (
        f"s3://{site.data.bucket}/extracts/sales/orders.parquet?versionId={version_id}"
    )
    assert metadata["sql_version"] == sql_version
    assert CHECKED in str(metadata["sql"])
    assert [column.name for column in metadata["dagster/column_schema"].columns] == ["i", "half"]  # type: ignore[union-attr]
    assert "| i | half |" in str(metadata["preview"])
    assert event.tags is not None
    assert event.tags["dagster/data_version"] == metadata["data_sha256"]


def test_the_catalog_shows_the_description_and_not_the_sql(site: Site, settings: Settings) -> None:
    site.put_sql("sales/orders", CHECKED)
    site.put_sql("sales/silent", "select 1 as a")
    graph = definitions(site, settings).get_repository_def().asset_graph
    nodes = [graph.get(dg.AssetKey(["sales", name])) for name in ("orders", "silent")]
    assert [each.description for each in nodes] == [
        "Three rows.",
        "sales/silent.sql has no description",
    ]
    assert CHECKED in str(nodes[0].metadata["sql"].value)


def test_the_page_of_an_asset_says_what_columns_mean_before_and_after_a_run(
    site: Site, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    contract = "columns: {id: int64 not null, n: int32}\nconsumers: [crm, billing]"
    sql = "select 1::bigint as id, -- the shop's | number\n 2 as n"
    site.put_sql("a/typed", f"/*---\n{contract}\n---*/\n{sql}")
    site.put_sql("a/told", f"/*---\ndescribe: {{gone: x}}\n---*/\n{sql}")
    defs = definitions(site, settings)
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    expected = [("id", "int64", "the shop's | number", False), ("n", "int32", None, True)]

    def shown(schema: Any) -> list[tuple[Any, ...]]:
        return [
            (each.name, each.type, each.description, each.constraints.nullable)
            for each in schema.columns
        ]

    assert shown(specs["a/typed"].metadata["dagster/column_schema"]) == expected
    assert specs["a/typed"].metadata["consumers"] == "crm, billing"
    assert "| id | the shop's \\| number |" in specs["a/told"].metadata["described_columns"].value
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(defs, instance, "a/typed").success
        event = materialization(instance, "a/typed")
        assert shown(event.metadata["dagster/column_schema"].value) == expected
        assert execute(defs, instance, "a/told").success
    assert "a/told.sql:2:12: 'describe' names column 'gone'" in capfd.readouterr().err


def test_the_page_of_an_asset_shows_what_is_odd_about_its_file(
    site: Site, settings: Settings
) -> None:
    site.put_sql("sales/odd", "select 1 as a\nwhere '{{ ds }}' <> ''")
    site.put_sql("sales/orders", "select 1 as a")
    specs = {
        spec.key.to_user_string(): spec
        for spec in definitions(site, settings).resolve_all_asset_specs()
    }
    assert (
        "sales/odd.sql:2:7: this string contains '{{ ds }}'"
        in specs["sales/odd"].metadata["warnings"]
    )
    assert "warnings" not in specs["sales/orders"].metadata


def test_check_results_point_at_the_new_materialization(site: Site, settings: Settings) -> None:
    site.put_sql("sales/orders", CHECKED)
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
        event = instance.get_latest_materialization_event(dg.AssetKey(["sales", "orders"]))
        assert event is not None
        evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
        assert {name: e.passed for name, e in evaluations.items()} == {
            "min_rows": True,
            "unique_i": True,
            "max_rows": False,
            "schema_unchanged": True,
            "anomalies": True,
        }
        assert evaluations["max_rows"].severity is dg.AssetCheckSeverity.WARN
        for evaluation in evaluations.values():
            target = evaluation.target_materialization_data
            assert target is not None
            assert target.timestamp == pytest.approx(event.timestamp)


def test_g1_a_refused_result_is_not_materialized(site: Site, settings: Settings) -> None:
    site.put_sql("sales/orders", CHECKED)
    with dg.DagsterInstance.ephemeral() as instance:
        execute(definitions(site, settings), instance)
        before = materialization(instance, "sales/orders")
        site.put_sql("sales/orders", REFUSED)
        result = execute(definitions(site, settings), instance)
        assert not result.success
        assert materialization(instance, "sales/orders") == before
        (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
        retries = [e for e in result.all_events if "RETRY" in e.event_type_value]
    report = str(failure.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
    assert "sales/orders.sql:3:5: i unique: broken by 2 keys, which 4 rows share" in report
    assert "i=0, rows with this key=2" in report
    page = failure.step_failure_data.user_failure_data.metadata["failed_check"]  # type: ignore[union-attr]
    assert str(page.value).endswith("/assets/sales/orders?view=checks&checkDetail=unique_i")
    assert site.version_ids("extracts/sales/orders.parquet")[0] in report
    assert not retries
    evaluations = [(e.check_name, e.passed) for e in result.get_asset_check_evaluations()]
    assert evaluations == [
        ("unique_i", False),
        ("schema_unchanged", False),
        ("min_rows", True),
        ("anomalies", True),
    ]


def test_a_re_execution_does_not_keep_the_failure_of_its_parent(
    site: Site, settings: Settings
) -> None:
    """Dagster copies the tags of a run to the one that repeats it."""
    site.put_sql("a/b", "select nope")
    with dg.DagsterInstance.ephemeral() as instance:
        failed = execute(definitions(site, settings), instance).dagster_run
        tags = dict(tags_of(instance, failed.run_id))
        assert tags["extract/failure"] == "sql"
        copied = {**tags, "dagster/parent_run_id": failed.run_id}
        again = execute(definitions(site, settings), instance, tags=copied).dagster_run
        assert tags_of(instance, again.run_id)["extract/failure"] == "sql"
        site.put_sql("a/b", "select 1 as n")
        better = execute(definitions(site, settings), instance, tags=copied).dagster_run
        assert tags_of(instance, better.run_id)["extract/failure"] == "none"


def tags_of(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.tags


def test_g6_one_failing_extract_does_not_stop_its_neighbours(
    site: Site, settings: Settings
) -> None:
    site.put_sql("a/good", "select 1 as one")
    site.put_sql("a/refused", REFUSED)
    site.put_sql("a/wrong", "select\n  nope\nfrom range(3)")
    site.put_sql("a/invalid", "delete from somewhere")
    site.put_sql("b/good", "select 2 as two")
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
        done = {
            "/".join(e.asset_key.path)
            for e in result.get_asset_materialization_events()
            if e.asset_key
        }
    assert done == {"a/good", "b/good"}
    reports = [
        str(e.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
        for e in result.all_events
        if e.event_type_value == "STEP_FAILURE"
    ]
    assert any("a/wrong.sql:2:3" in report and "    2 |   nope\n" in report for report in reports)


def test_g6_an_invalid_file_is_visible_and_cannot_run(site: Site, settings: Settings) -> None:
    site.put_sql("a/good", "select 1 as one")
    site.put_sql("a/invalid", "select 1;\ndelete from somewhere")
    repository = definitions(site, settings).get_repository_def()
    node = repository.asset_graph.get(dg.AssetKey(["a", "invalid"]))
    assert not node.is_materializable
    assert node.kinds == {"invalid"}
    assert (node.description or "").startswith("INVALID: a/invalid.sql:2:1: a second statement")
    assert "delete from somewhere" not in str(node.description)
    assert "delete from somewhere" in str(node.metadata["sql"].value)
    sensor = repository.get_sensor_def("invalid_sql_files")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        tick = sensor.evaluate_tick(context)
    assert [e.passed for e in tick.asset_events if isinstance(e, dg.AssetCheckEvaluation)] == [
        False
    ]
    assert tick.cursor == "snapshot-1"


def test_g6_what_dagster_itself_refuses_is_one_invalid_extract(
    site: Site, settings: Settings
) -> None:
    site.put_sql("a/good", "select 1 as one")
    snapshot = site.snapshot()
    good = snapshot.extracts[0]
    header = good.header.model_copy(update={"owners": ["nobody that dagster knows"]})
    odd = good.model_copy(update={"path": "a/odd", "header": header})
    mixed = snapshot.model_copy(update={"extracts": (good, odd)})
    defs = compose(mixed, CodeLocation(settings, settings.connect, "snapshot-1"))
    nodes = {key.to_user_string(): node for key, node in asset_nodes(defs).items()}
    assert nodes["a/good"].is_materializable
    assert "dagster refuses this extract" in nodes["a/odd"].description


def asset_nodes(defs: dg.Definitions) -> dict[dg.AssetKey, Any]:
    graph = defs.get_repository_def().asset_graph
    return {node.key: node for node in graph.asset_nodes}


def test_lineage_from_warehouse_tables_and_between_extracts(site: Site, settings: Settings) -> None:
    site.put_sql("a/first", "select * from Shop.Orders")
    site.put_sql("a/second", "/*---\ndepends_on: [a/first]\n---*/\nselect 1 as one")
    nodes = {
        key.to_user_string(): node for key, node in asset_nodes(definitions(site, settings)).items()
    }
    table = dg.AssetKey(["shop", "shop", "orders"])
    assert nodes["a/first"].parent_keys == {table}
    assert nodes["a/second"].parent_keys == {dg.AssetKey(["a", "first"])}
    assert not nodes["shop/shop/orders"].is_materializable


def test_code_version_follows_what_shapes_the_data(site: Site) -> None:
    def code_version(text: str) -> str:
        return site.extract("a/b", text).code_version

    plain = code_version("select 1 as one, 2 as two")
    assert (
        code_version("/*---\ndescription: new\n---*/\nselect 1  as one,\n 2 as two -- why") == plain
    )
    assert code_version("select 1 as one, 3 as two") != plain
    assert (
        code_version("/*---\ncolumns: {one: int8, two: int8}\n---*/\nselect 1 as one, 2 as two")
        != plain
    )
    assert code_version("/*---\nformat: csv\n---*/\nselect 1 as one, 2 as two") != plain


@pytest.mark.parametrize("file_format", ["parquet", "csv", "jsonl", "arrow"])
def test_downstream_assets_load_what_they_ask_for(
    site: Site, settings: Settings, file_format: str
) -> None:
    site.put_sql(
        "a/b",
        f"/*---\nformat: {file_format}\n---*/\n"
        "select 9007199254740993 as n, 1.10::decimal(9, 2) as d union all select null, null",
    )
    seen: dict[str, Any] = {}
    upstream = {"b": dg.AssetIn(key=["a", "b"])}

    @dg.asset(ins=upstream)
    def as_pandas(b: pd.DataFrame) -> None:
        seen["pandas"] = [None if pd.isna(v) else int(v) for v in b["n"]]

    @dg.asset(ins=upstream)
    def as_polars(b: pl.DataFrame) -> None:
        seen["polars"] = b["n"].to_list()

    @dg.asset(ins=upstream)
    def as_table(b: pa.Table) -> None:
        seen["table"] = b["n"].to_pylist()
        seen["types"] = [str(kind) for kind in b.schema.types]

    @dg.asset(ins=upstream)
    def as_stream(b: pa.RecordBatchReader) -> None:
        seen["stream"] = b.read_all()["n"].to_pylist()

    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings, as_pandas, as_polars, as_table, as_stream)
        assert execute(defs, instance).success
    expected = [9007199254740993, None]
    assert {name: seen[name] for name in ("pandas", "polars", "table", "stream")} == dict.fromkeys(
        ("pandas", "polars", "table", "stream"), expected
    )
    assert seen["types"] == ["int64", "decimal128(9, 2)"]


def test_a_given_version_is_loaded_instead_of_the_current(site: Site, settings: Settings) -> None:
    seen: list[int] = []
    with dg.DagsterInstance.ephemeral() as instance:
        for number in (1, 2):
            site.put_sql("a/b", f"select {number} as n")
            assert execute(definitions(site, settings), instance).success
        old = site.version_ids("extracts/a/b.parquet")[1]

        @dg.asset(ins={"b": dg.AssetIn(key=["a", "b"], metadata={"version_id": old})})
        def reads_the_old_one(b: pa.Table) -> None:
            seen.extend(b["n"].to_pylist())

        assert execute(
            definitions(site, settings, reads_the_old_one), instance, "reads_the_old_one"
        ).success
    assert seen == [1]


def test_the_same_data_again_is_verified_unchanged(site: Site, settings: Settings) -> None:
    site.put_sql("a/b", "select 1 as one")
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert execute(definitions(site, settings), instance).success
        again = materialization(instance, "a/b")
    assert "unchanged: the current version" in str(again.metadata["outcome"].value)
    assert len(site.version_ids("extracts/a/b.parquet")) == 1


def test_an_empty_result_can_be_a_failure(site: Site, settings: Settings) -> None:
    site.put_sql("a/b", "/*---\non_empty: fail\n---*/\nselect 1 as one where false")
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
    (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    assert "a/b.sql:2:1: the result has no rows" in str(
        failure.step_failure_data.user_failure_data.description  # type: ignore[union-attr]
    )


def test_paths_that_look_alike_are_different_assets(site: Site, settings: Settings) -> None:
    paths = ["a/b__c", "a__b/c", "a-b/c", "a_b/c", "a/b.c", "a/b_c"]
    for path in paths:
        site.put_sql(path, "select 1 as one")
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
        done = {
            "/".join(e.asset_key.path)
            for e in result.get_asset_materialization_events()
            if e.asset_key
        }
    assert done == set(paths)
    for path in paths:
        assert len(site.version_ids(f"extracts/{path}.parquet")) == 1


def test_g6_extracts_named_like_reserved_words_run(site: Site, settings: Settings) -> None:
    for name in (
        "type",
        "import",
        "input",
        "__ASSET_JOB",
        "a.b",
        "a_b",
        "a" * 200,
        "a/" * 125 + "b",
    ):
        site.put_sql(name, "select 1 as one")
    site.put_sql("lock", "/*---\ndepends_on: [type, config]\n---*/\nselect 1 as one")
    site.put_sql("config", "selec 1")
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
        done = {
            event.asset_key.to_user_string()
            for event in result.get_asset_materialization_events()
            if event.asset_key
        }
    assert len(done) == 9
    assert site.version_ids("extracts/type.parquet")
    assert site.version_ids("extracts/lock.parquet")


@pytest.mark.parametrize("name", ["launch_reruns", "rerun_failed_extracts", "at_6", "manifest"])
def test_g6_an_extract_may_be_named_like_something_of_ours(
    site: Site, settings: Settings, name: str
) -> None:
    site.put_sql(name, "/*---\nschedule: 0 6 * * *\n---*/\nselect 1 as a")
    repository = definitions(site, settings).get_repository_def()
    repository.load_all_definitions()
    assert dg.AssetKey([name]) in repository.asset_graph.materializable_asset_keys


def test_g11_secrets_appear_nowhere(site: Site, settings: Settings) -> None:
    secret = site.server.environment["AWS_SECRET_ACCESS_KEY"]
    site.put_sql("a/good", CHECKED)
    site.put_sql("a/wrong", "select nope")
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(definitions(site, settings), instance)
        records = instance.all_logs(result.run_id)
    assert records
    assert not [record for record in records if secret in repr(record)]
    for page in site.s3.get_paginator("list_objects_v2").paginate(Bucket=site.data.bucket):
        for item in page.get("Contents", []):
            assert secret.encode() not in site.body(item["Key"])


def test_an_invalid_extract_keeps_its_text(site: Site) -> None:
    site.put_sql("a/b", "delete from somewhere")
    (invalid,) = site.snapshot().invalid
    assert isinstance(invalid, InvalidExtract)
    assert invalid.text == "delete from somewhere"


def test_g6_a_file_with_an_impossible_name_is_one_invalid_extract(
    site: Site, settings: Settings
) -> None:
    site.put_sql("a/good", "select 1 as one")
    for path in ["grün/ä b", "a/b c", "a//b", "a/..", '"', " "]:
        site.put_sql(path, "select 1 as one")
    nodes = asset_nodes(definitions(site, settings))
    invalid = [node for node in nodes.values() if "invalid" in node.kinds]
    assert len(invalid) == len(site.snapshot().invalid) >= 5
    assert nodes[dg.AssetKey(["a", "good"])].is_materializable


def test_extracts_come_from_the_warehouse_that_their_header_names(
    site: Site, postgres: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"TYPE": "postgres", "HOST": postgres.host, "USER": postgres.user}
    environment = site.environment | {f"EXTRACT_WAREHOUSES__PG__{k}": v for k, v in fields.items()}
    for name, value in (environment | {"EXTRACT_WAREHOUSE": "shop"}).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    site.put_sql("a/duck", "select version() as v")
    header = "/*---\nwarehouse: PG\nparams: {rows: 3}\nchecks: [{unique: n}]\n---*/\n"
    sql = "select n, n / 3::numeric(9, 2) as third, nope from generate_series(1, :rows) n;"
    site.put_sql(
        "a/elephant", header + sql.replace("n / 3::numeric(9, 2) as third, nope", "version()")
    )
    site.put_sql("a/wrong", header + sql)
    snapshot = read_manifest(site.manifest, settings.dialects)
    defs = compose(snapshot, CodeLocation(settings, settings.connect, "snapshot-1"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(defs, instance)
        assert materialization(instance, "a/elephant").metadata["dagster/row_count"].value == 3
        assert str(materialization(instance, "a/elephant").metadata["query_id"].value).startswith(
            "backend"
        )
    assert b"PostgreSQL" in site.body("extracts/a/elephant.parquet")
    assert b"PostgreSQL" not in site.body("extracts/a/duck.parquet")
    (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    report = str(failure.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
    assert report.startswith('a/wrong.sql:6:42: column "nope" does not exist (42703)')

"""Partitioned extracts as assets: keys, provenance, schedules, and their place in the graph."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
import pytest

from extract_project.history.versions import published_partitions
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization

DAILY = """/*---
partitions: {type: daily, start: 2026-01-01, end: 2026-01-05}
schedule: 0 6 * * *
checks: [{max_rows: 24}]
---*/
select h as hour from range(timestamp '2026-01-01', timestamp '2026-01-06', interval 1 hour) t(h)
where h >= :partition_start and h < :partition_end
"""
BY_KEY = "/*---\npartitions: [eu, us]\n---*/\nselect :partition_key as region"


def test_a_partition_is_an_object_of_its_own(site: Site, settings: Settings) -> None:
    site.put_sql("sales/hours", DAILY)
    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        for partition in ("2026-01-02", "2026-01-03"):
            assert execute(defs, instance, "sales/hours", partition=partition).success
        event = materialization(instance, "sales/hours")
    key = "extracts/sales/hours/partition=2026-01-03/hours.parquet"
    (version_id,) = site.version_ids(key)
    hours = pl.read_parquet(site.body(key))["hour"]
    assert (len(hours), hours[0]) == (24, datetime(2026, 1, 3))
    assert event.partition == "2026-01-03"
    assert event.metadata["s3_version_id"].value == version_id
    head = site.s3.head_object(Bucket=site.data.bucket, Key=key)
    assert head["Metadata"]["extract-partition"] == "2026-01-03"
    assert len(site.version_ids("extracts/sales/hours/partition=2026-01-02/hours.parquet")) == 1
    assert site.version_ids("extracts/sales/hours.parquet") == []


def test_static_keys_are_bound(site: Site, settings: Settings) -> None:
    site.put_sql("sales/regions", BY_KEY)
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings), instance, "sales/regions", partition="us")
    body = site.body("extracts/sales/regions/partition=us/regions.parquet")
    assert pl.read_parquet(body)["region"].to_list() == ["us"]


def test_a_failed_partition_says_which(site: Site, settings: Settings) -> None:
    site.put_sql("sales/hours", DAILY.replace("max_rows: 24", "max_rows: 23"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(
            definitions(site, settings), instance, "sales/hours", partition="2026-01-02"
        )
        (failed,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    report = str(failed.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
    assert report.startswith("sales/hours.sql:4:10 (partition 2026-01-02): ")


def requested(
    site: Site, settings: Settings, instance: dg.DagsterInstance, at: datetime
) -> list[dg.RunRequest]:
    """What the schedules ask for at a tick."""
    repository = definitions(site, settings).get_repository_def()
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, repository_def=repository
    )
    return [
        request
        for schedule in repository.schedule_defs
        for request in schedule.evaluate_tick(context).run_requests or []
    ]


def test_a_schedule_runs_the_window_that_is_over(site: Site, settings: Settings) -> None:
    site.put_sql("sales/hours", DAILY)
    site.put_sql("sales/plain", "/*---\nschedule: 0 6 * * *\n---*/\nselect 1 as a")
    with dg.instance_for_test() as instance:
        requests = requested(site, settings, instance, datetime(2026, 1, 3, 6, tzinfo=UTC))
    assert {each.partition_key for each in requests} == {None, "2026-01-02"}
    assert all(len(each.asset_selection or []) == 1 for each in requests)


def test_windows_of_missed_ticks_are_caught_up(site: Site, settings: Settings) -> None:
    """Dagster evaluates the newest missed tick alone."""
    site.put_sql("sales/hours", DAILY.replace("2026-01-05", "2026-02-01"))
    site.put_sql("sales/plain", "/*---\nschedule: 0 6 * * *\n---*/\nselect 1 as a")
    tags = {
        "extract/path": "sales/hours",
        "extract/cause": "schedule",
        "extract/tick": "2026-01-03T06:00:00+00:00",
    }
    with dg.instance_for_test() as instance:
        instance.add_run(dg.DagsterRun(job_name="at_6", tags=tags))
        after = requested(site, settings, instance, datetime(2026, 1, 6, 6, tzinfo=UTC))
        later = requested(site, settings, instance, datetime(2026, 1, 20, 6, tzinfo=UTC))
    windows = [each for each in after if each.partition_key]
    assert [each.partition_key for each in windows] == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert windows[0].run_key == "sales/hours 2026-01-04T06:00:00+00:00 2026-01-03"
    assert len(after) == 4
    keys = [each.partition_key for each in later if each.partition_key]
    assert (keys[0], keys[-1], len(keys)) == ("2026-01-14", "2026-01-19", 6)


def test_backfills_are_one_run_for_each_partition(site: Site, settings: Settings) -> None:
    site.put_sql("sales/hours", DAILY)
    graph = definitions(site, settings).get_repository_def().asset_graph
    policy = graph.get(dg.AssetKey(["sales", "hours"])).backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run == 1


@pytest.mark.parametrize("keys", ["format: parquet", "format: csv", "split: {rows: 1}"])
def test_readers_get_their_partition_or_all_of_them(
    site: Site, settings: Settings, keys: str
) -> None:
    site.put_sql("a/b", BY_KEY.replace("[eu, us]", f"[eu, us]\n{keys}"))
    seen: dict[str, Any] = {}

    @dg.asset(ins={"b": dg.AssetIn(key=["a", "b"])}, key=["c", "whole"])
    def whole(b: dict[str, pl.DataFrame]) -> None:
        seen.update({key: frame["region"].to_list() for key, frame in b.items()})

    @dg.asset(
        ins={"b": dg.AssetIn(key=["a", "b"])},
        key=["c", "each"],
        partitions_def=dg.StaticPartitionsDefinition(["eu", "us"]),
    )
    def each(b: pl.DataFrame) -> None:
        seen["each"] = b["region"].to_list()

    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings, whole, each)
        for partition in ("eu", "us"):
            assert execute(defs, instance, "a/b", partition=partition).success
        assert execute(defs, instance, "c/each", partition="us").success
        assert execute(defs, instance, "c/whole").success
    assert seen == {"eu": ["eu"], "us": ["us"], "each": ["us"]}
    extract = site.snapshot().extracts[0]
    part = site.data.key("a/b/partition=unpublished/part-00000.parquet")
    site.s3.put_object(Bucket=site.data.bucket, Key=part)
    assert published_partitions(site.data, extract) == ["eu", "us"]


def test_g6_partitions_that_do_not_fit_each_other_break_nothing(
    site: Site, settings: Settings
) -> None:
    """A list of keys after days, days after months, something plain after and before each."""
    site.put_sql("a/days", DAILY)
    site.put_sql("a/keys", BY_KEY.replace("[eu, us]", "[eu, us]\ndepends_on: [a/days, a/plain]"))
    site.put_sql("a/plain", "select 1 as a")
    site.put_sql("a/last", "/*---\ndepends_on: [a/days, a/keys]\n---*/\nselect 1 as a")
    site.put_sql(
        "a/months",
        DAILY.replace("type: daily", "type: monthly").replace(
            "checks:", "depends_on: [a/days, a/keys]\nchecks:"
        ),
    )
    repository = definitions(site, settings).get_repository_def()
    paths = {key.to_user_string() for key in repository.asset_graph.materializable_asset_keys}
    assert paths == {"a/days", "a/keys", "a/plain", "a/last", "a/months"}
    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        assert execute(defs, instance, "a/keys", partition="eu").success
        assert execute(defs, instance, "a/last").success


def test_g6_extracts_that_depend_on_each_other_are_invalid(site: Site, settings: Settings) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        site.put_sql(f"x/{name}", f"/*---\ndepends_on: [x/{other}]\n---*/\nselect 1 as a")
    site.put_sql("x/good", "/*---\ndepends_on: [x/a]\n---*/\nselect 1 as a")
    snapshot = site.snapshot()
    assert [each.path for each in snapshot.extracts] == ["x/good"]
    assert "x/a → x/b → x/c → x/a" in snapshot.invalid[0].reasons[0]
    assert definitions(site, settings).get_repository_def()

"""Latest runs and materializations: the stored rows say what Dagster's own records say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg
import pytest

from extract_project.orchestration.dagster_internals import stored_asset_rows
from extract_project.orchestration.names import latest
from extract_project.orchestration.names.latest import Materializations, read_latest
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute

FILES = {
    "a/plain": "select 1 as a",
    "a/failed": "select error('no') as a",
    "a/never": "select 1 as a",
    "a/parted": "/*---\npartitions: [eu, us]\n---*/\nselect :partition_key as region",
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def with_files(site: Site, settings: Settings) -> dg.Definitions:
    for path, text in FILES.items():
        site.put_sql(path, text)
    return definitions(site, settings)


def test_rows_say_what_records_say(
    instance: dg.DagsterInstance,
    site: Site,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defs = with_files(site, settings)
    execute(defs, instance, "a/plain")
    execute(defs, instance, "a/failed")
    execute(defs, instance, "a/parted", partition="us")
    found = read_latest(instance, FILES)
    assert set(found) == {"a/plain", "a/failed", "a/parted"}
    assert found["a/failed"].materialized is None
    assert found["a/failed"].run_id
    plain, parted = found["a/plain"].materialized, found["a/parted"].materialized
    assert plain is not None
    assert parted is not None
    assert parted.partition == "us"
    assert plain.metadata["dagster/row_count"] == 1
    assert str(plain.metadata["dagster/uri"]).endswith(str(plain.metadata["s3_version_id"]))

    monkeypatch.setattr(latest, "stored_asset_rows", lambda *_: None)  # as with another storage
    by_dagster = read_latest(instance, FILES)
    assert set(by_dagster) == set(found)
    for path, each in found.items():
        assert by_dagster[path].run_id == each.run_id
        mine, theirs = each.materialized, by_dagster[path].materialized
        if mine is None or theirs is None:
            assert mine is theirs
            continue
        assert (mine.storage_id, mine.run_id, mine.at) == (
            theirs.storage_id,
            theirs.run_id,
            theirs.at,
        )
        assert (mine.partition, mine.tags) == (theirs.partition, theirs.tags)
        assert {name: theirs.metadata[name] for name in mine.metadata} == mine.metadata


def test_a_wiped_extract_has_nothing(
    instance: dg.DagsterInstance, site: Site, settings: Settings
) -> None:
    site.put_sql("a/plain", "select 1 as a")
    execute(definitions(site, settings), instance, "a/plain")
    instance.wipe_assets([dg.AssetKey(["a", "plain"])])
    found = read_latest(instance, ["a/plain"])
    assert all(each.materialized is None for each in found.values())
    execute(definitions(site, settings), instance, "a/plain")
    assert read_latest(instance, ["a/plain"])["a/plain"].materialized


def test_what_was_read_before_is_read_again_only_where_it_has_changed(
    instance: dg.DagsterInstance,
    site: Site,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defs = with_files(site, settings)
    before = Materializations()
    read: list[str] = []

    def seen(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> object:
        read.extend(key.to_user_string() for key in keys)
        return stored_asset_rows(instance, keys)

    monkeypatch.setattr(latest, "stored_asset_rows", seen)

    def newly_read() -> list[str]:
        read.clear()
        found = read_latest(instance, FILES, before)
        newly = read.copy()
        assert found == read_latest(instance, FILES)
        return newly

    assert newly_read() == []
    execute(defs, instance, "a/plain")
    execute(defs, instance, "a/parted", partition="us")
    assert sorted(newly_read()) == ["a/parted", "a/plain"]
    assert newly_read() == []
    execute(defs, instance, "a/parted", partition="eu")
    assert newly_read() == ["a/parted"]
    execute(defs, instance, "a/failed")  # has a run, and no materialization
    site.put_sql("a/plain", FILES["a/failed"])
    execute(definitions(site, settings), instance, "a/plain")  # the same one, and another run
    assert newly_read() == []
    instance.wipe_assets([dg.AssetKey(["a", "plain"])])
    assert newly_read() == ["a/plain"]
    instance.report_runless_asset_event(dg.AssetMaterialization(["a", "plain"]))
    assert newly_read() == ["a/plain"]

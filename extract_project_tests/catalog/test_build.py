"""What the catalogue says, against what is in the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from extract_project.catalog.build import build_catalog, forget_manifest, keep_catalog
from extract_project.catalog.model import Catalog, CatalogEntry, catalog_schema
from extract_project.catalog.page import page
from extract_project.catalog.tables import table_of
from extract_project.errors import NotPublished
from extract_project.layout import CATALOG_JSON, CATALOG_PAGE
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.others import read_others
from extract_project.manifest.snapshot import point_to, save_snapshot
from extract_project.store.protocol import Condition, Written
from extract_project.store.s3.store import S3Store
from extract_project_tests.conftest import DIALECTS, Site
from extract_project_tests.support.publishing import materialize

ORDERS = """/*---
description: Orders by day.
owners: [team:sales]
schedule: daily at 06:00
freshness: 26h
checks:
  - unique: id
  - max_rows: 100
    severity: warn
---*/
"""


@dataclass(frozen=True)
class Overtaken(S3Store):
    """A store in which something else happens just before the first write of such a key."""

    ending: str
    meanwhile: Callable[[], object]
    overtaken: list[str] = field(default_factory=list)

    def put(
        self,
        key: str,
        body: bytes,
        content_type: str,
        *,
        facts: Mapping[str, str] | None = None,
        condition: Condition | None = None,
    ) -> Written:
        if key.endswith(self.ending) and not self.overtaken:
            self.overtaken.append(key)
            self.meanwhile()
        return super().put(key, body, content_type, facts=facts, condition=condition)


def entry(catalog: Catalog, path: str) -> CatalogEntry:
    return {each.path: each for each in catalog.extracts}[path]


def in_the_bucket(site: Site) -> Catalog:
    body = site.data.store.read(site.data.key(CATALOG_JSON)).body
    return Catalog.model_validate_json(body)


def built(site: Site, *published: str) -> Catalog:
    return keep_catalog(site.folders, site.snapshot(), published or None)


def test_an_entry_says_what_the_file_and_the_receipts_say(site: Site) -> None:
    materialize(site, site.extract("sales/orders", f"{ORDERS}select 1 as id"))
    sql = f"{ORDERS}select i as id, nullif(i, 2) as part from range(4) t(i)"
    done = materialize(site, site.extract("sales/orders", sql), run_id="the run")
    site.put_sql("finance/rates", "/*---\ndepends_on: sales/orders\n---*/\nselect 1 as a")

    found = entry(built(site), "sales/orders")

    assert (found.description, found.owners) == ("Orders by day.", ("team:sales",))
    assert (found.schedule, found.freshness_seconds) == (("daily at 06:00",), 26 * 3600)
    assert found.downstream == ("finance/rates",)
    assert found.uri == (site.data / "sales/orders.parquet").uri
    assert found.sql == sql
    assert [(each.rule, each.blocks) for each in found.checks][:2] == [
        ("id unique", True),
        ("at most 100 rows", False),
    ]
    assert found.published
    newest, older = found.published.versions
    assert newest.version_id == done.version_id
    assert (newest.rows, newest.rows_change, newest.sql_changed, newest.schema_changed) == (
        4,
        3,
        True,
        True,
    )
    assert newest.run_id == "the run"
    assert (older.rows, older.rows_change) == (1, None)
    columns = [(each.name, each.type, each.null_share) for each in found.published.columns]
    assert columns == [("id", "int64", 0.0), ("part", "int64", 0.25)]
    assert (found.published.columns[1].lowest, found.published.columns[1].highest) == ("0", "3")
    assert found.published.code_version == found.code_version


def test_an_entry_says_what_columns_mean_and_who_reads_them(site: Site) -> None:
    """Before the first version too, and in the newest words."""
    header = "/*---\nconsumers: [crm]\ncolumns: {id: int32 not null}\ndescribe: {id: {}}\n---*/\n"
    sql = "select 1 as id"
    new = site.extract("sales/new", header.replace("{}", "first") + sql)
    found = entry(built(site), "sales/new")
    assert found.consumers == ("crm",)
    (declared,) = found.columns
    assert (declared.name, declared.type, declared.nullable) == ("id", "int32", False)
    assert declared.description == "first"

    materialize(site, new)
    site.put_sql("sales/new", header.replace("{}", "second") + sql)
    found = entry(built(site, "sales/new"), "sales/new")
    assert found.published
    assert found.published.columns[0].description == "first"
    assert found.published_columns[0].description == "second"
    (column,) = table_of(found, site.data.uri).columns
    assert column.description == "second"


def test_what_has_no_version_and_what_is_invalid_is_listed_too(site: Site) -> None:
    site.put_sql("sales/new", "select 1 as a")
    site.put_sql("sales/broken", "select from where")

    catalog = built(site)

    assert entry(catalog, "sales/new").published is None
    assert "sales/broken.sql:1:" in entry(catalog, "sales/broken").problems[0]


def test_a_file_that_becomes_invalid_keeps_what_it_published(site: Site) -> None:
    done = materialize(site, site.extract("sales/orders", "select 1 as a"))
    built(site)
    site.put_sql("sales/orders", "select from")

    found = entry(built(site), "sales/orders")

    assert found.problems
    assert found.published
    assert found.published.versions[0].version_id == done.version_id


def test_of_partitions_the_newest_are_shown_and_all_are_counted(site: Site) -> None:
    extract = site.extract("sales/lines", "/*---\npartitions: daily\n---*/\nselect :partition_key")
    days = [f"2026-01-0{day}" for day in range(1, 8)]
    for day in days:
        materialize(site, extract, partition=Partition(day))

    found = entry(built(site), "sales/lines")

    assert found.published
    assert found.published.partitions == 7
    assert [each.partition for each in found.published.versions] == days[:1:-1]
    assert found.uri.endswith("/sales/lines/partition=*/lines.parquet")


def test_it_is_kept_in_the_data_bucket_and_follows_its_schema(site: Site) -> None:
    materialize(site, site.extract("sales/orders", f"{ORDERS}select 1 as id"))

    catalog = built(site)

    kept = json.loads(site.body(site.data.key(CATALOG_JSON)))
    jsonschema.validate(kept, catalog_schema())
    assert Catalog.model_validate(kept) == catalog
    head = site.s3.head_object(Bucket=site.data.bucket, Key=site.data.key(CATALOG_PAGE))
    assert head["ContentType"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("told", [True, False], ids=["told what was published", "by listing"])
def test_only_what_was_published_since_is_read_again(
    site: Site, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = materialize(site, site.extract("a/kept", "select 1 as a"))
    materialize(site, site.extract("a/changed", "select 1 as a"))
    site.put_sql("a/unpublished", "select 1 as a")
    built(site)
    changed = materialize(site, site.extract("a/changed", "select 2 as a"))
    deleted_receipts: Any = [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for each in site.s3.list_object_versions(
            Bucket=site.data.bucket, Prefix=site.state.key("receipts/a/kept")
        )["Versions"]
    ]
    site.s3.delete_objects(Bucket=site.data.bucket, Delete={"Objects": deleted_receipts})

    catalog = built(site, *(["a/changed"] if told else []))

    published = {each.path: each.published for each in catalog.extracts}
    assert published["a/unpublished"] is None
    assert published["a/changed"]
    assert published["a/changed"].versions[0].version_id == changed.version_id
    assert published["a/kept"]
    (version,) = published["a/kept"].versions
    # Its receipt is gone: the rows are known from before.
    assert (version.version_id, version.rows) == (kept.version_id, 1)


def test_by_listing_a_rollback_and_a_deletion_are_seen(site: Site) -> None:
    first = materialize(site, site.extract("a/b", "select 1 as a"))
    second = materialize(site, site.extract("a/b", "select 2 as a"))
    built(site)
    key = site.data.key("a/b.parquet")
    site.s3.delete_object(Bucket=site.data.bucket, Key=key, VersionId=second.version_id)

    found = entry(built(site), "a/b").published

    assert found
    assert [each.version_id for each in found.versions] == [first.version_id]

    site.s3.delete_object(Bucket=site.data.bucket, Key=key)
    assert entry(built(site), "a/b").published is None


def test_another_format_is_another_object(site: Site) -> None:
    materialize(site, site.extract("a/b", "select 1 as a"))
    built(site)
    site.put_sql("a/b", "/*---\nformat: csv\n---*/\nselect 1 as a")

    assert entry(built(site, "other"), "a/b").published is None


def test_what_another_process_wrote_meanwhile_is_not_lost(site: Site) -> None:
    """Two build at once; the one that is late begins again with what the other one has written."""
    first = materialize(site, site.extract("a/b", "select 1 as a"))
    built(site)
    second = materialize(site, site.extract("a/b", "select 2 as a"))
    snapshot = site.snapshot()

    overtaking = Overtaken(
        site.s3, site.data.bucket, "", lambda: keep_catalog(site.folders, snapshot, {"a/b"})
    )
    mine = replace(site.folders, data=replace(site.data, store=overtaking))
    catalog = keep_catalog(mine, snapshot, {"nothing"})

    found = entry(catalog, "a/b").published
    assert found
    assert [each.version_id for each in found.versions] == [second.version_id, first.version_id]


def test_manifests_that_publish_in_one_place_share_a_catalogue(site: Site) -> None:
    """Each keeps its own part; neither reads the other one's again, or removes it."""
    one = replace(site, manifest=site.manifest / "one")
    two = replace(site, manifest=site.manifest / "two")
    materialize(one, one.extract("a/b", "select 1 as a"))
    materialize(two, two.extract("c/d", "select 1 as a"))
    built(one)
    assert [each.path for each in built(two).extracts] == ["c/d"]
    built(one, "nothing")

    shared = in_the_bucket(site)
    assert [(each.path, each.manifest) for each in shared.extracts] == [
        ("a/b", one.manifest.uri),
        ("c/d", two.manifest.uri),
    ]
    assert all(each.published for each in shared.extracts)
    assert [each.uri for each in shared.manifests] == [one.manifest.uri, two.manifest.uri]

    forget_manifest(site.data, one.manifest.uri)
    assert [each.path for each in in_the_bucket(site).extracts] == ["c/d"]
    with pytest.raises(NotPublished, match="did you mean"):
        forget_manifest(site.data, f"{two.manifest.uri}x")


def test_what_depends_on_an_extract_from_another_manifest_is_shown_with_it(site: Site) -> None:
    one = replace(site, manifest=site.manifest / "one")
    two = replace(site, manifest=site.manifest / "two")
    one.put_sql("a/b", "select 1 as a")
    two.put_sql("c/d", "/*---\ndepends_on: a/b\n---*/\nselect 1 as a")
    loaded = one.snapshot()
    point_to(site.state, one.manifest.uri, save_snapshot(site.state, loaded))
    folders = replace(two.folders, upstream_manifests=(one.manifest.uri,))
    theirs = read_manifest(two.manifest, DIALECTS, others=read_others(folders))
    keep_catalog(one.folders, loaded)
    keep_catalog(two.folders, theirs)
    keep_catalog(one.folders, loaded)
    assert entry(in_the_bucket(site), "a/b").downstream == ("c/d",)
    forget_manifest(site.data, two.manifest.uri)
    assert entry(in_the_bucket(site), "a/b").downstream == ()


def test_a_manifest_that_has_moved_does_not_leave_its_extracts_behind(site: Site) -> None:
    one = replace(site, manifest=site.manifest / "one")
    two = replace(site, manifest=site.manifest / "two")
    for each in (one, two):
        each.put_sql("a/b", "select 1 as a")
        built(each)

    shared = in_the_bucket(site)
    assert [(each.path, each.manifest) for each in shared.extracts] == [("a/b", two.manifest.uri)]
    assert [each.uri for each in shared.manifests] == [two.manifest.uri]


def test_a_page_that_is_written_late_is_of_the_newest_catalogue(site: Site) -> None:
    one = replace(site, manifest=site.manifest / "one")
    two = replace(site, manifest=site.manifest / "two")
    one.put_sql("a/b", "select 1 as a")
    two.put_sql("c/d", "select 1 as a")

    overtaking = Overtaken(site.s3, site.data.bucket, "index.html", lambda: built(two))
    mine = replace(one.folders, data=replace(one.data, store=overtaking))
    keep_catalog(mine, one.snapshot())

    assert overtaking.overtaken
    assert site.data.store.read(site.data.key(CATALOG_PAGE)).body == page(in_the_bucket(site))


def test_an_entry_names_the_defaults_that_apply_to_it(site: Site) -> None:
    site.put_defaults("", "owners: team:all")
    version = site.put_defaults("sales/eu", "owners: team:eu")
    site.put_sql("sales/eu/orders", "select 1 as a")
    site.put_sql("sales/eu/broken", "delete from a")
    site.put_sql("sales/rates", "select 1 as a")

    catalog = built(site)

    far, near = (f"{site.manifest.uri}/{folder}_defaults.yaml" for folder in ("", "sales/eu/"))
    for path in ("sales/eu/orders", "sales/eu/broken"):
        assert entry(catalog, path).defaults == (far, near)
    assert entry(catalog, "sales/rates").defaults == (far,)
    assert {each.uri: each.text for each in catalog.defaults} == {
        far: "owners: team:all",
        near: "owners: team:eu",
    }
    assert {each.version for each in catalog.defaults if each.uri == near} == {version}


def test_a_catalogue_that_another_release_wrote_is_built_anew(site: Site) -> None:
    materialize(site, site.extract("a/b", "select 1 as a"))
    site.s3.put_object(
        Bucket=site.data.bucket, Key=site.data.key(CATALOG_JSON), Body=b'{"extracts": "of old"}'
    )

    assert entry(built(site, "nothing"), "a/b").published


def test_a_root_level_extract_is_found_by_listing(site: Site) -> None:
    materialize(site, site.extract("top", "select 1 as a"))
    site.put_sql("a/b", "select 1 as a")
    built(site)
    done = materialize(site, site.extract("top", "select 2 as a"))

    found = entry(built(site), "top").published

    assert found
    assert found.versions[0].version_id == done.version_id


def test_age_is_counted_from_when_it_was_published(site: Site) -> None:
    materialize(site, site.extract("a/b", "select 1 as a"))

    catalog = build_catalog(site.folders, site.snapshot())

    found = entry(catalog, "a/b").published
    assert found
    assert (
        timedelta(0)
        <= catalog.manifests[0].built_at - found.versions[0].published_at
        < timedelta(minutes=1)
    )

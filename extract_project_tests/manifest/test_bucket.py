"""The manifest in a real bucket: reading, snapshots, pushing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from extract_project.errors import BucketError, ManifestError, NotPublished
from extract_project.manifest.bucket import (
    fetch_file,
    find_extract,
    list_files,
    read_manifest,
)
from extract_project.manifest.folder import manifest_files
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.push import compare, push
from extract_project.manifest.snapshot import (
    load_snapshot,
    marked_snapshot,
    point_to,
    save_snapshot,
)
from extract_project.schema.choices import TypeChoices
from extract_project.sql.duckdb import DuckDB
from extract_project.sql.postgres import Postgres
from extract_project.store.folder import Folder, Location
from extract_project_tests.conftest import DIALECTS, Site

BROKEN: dict[str, str | bytes] = {
    "ddl": "drop table t",
    "two": "select 1; select 2",
    "syntax": "select from where",
    "empty": "",
    "latin": b"select '\xe9'",
    "utf16": "select 1".encode("utf-16"),
    "yaml": "/*---\na: [\n---*/ select 1",
    "key": "/*---\nshedule: x\n---*/ select 1",
    "parameter": "select :nope",
    "reference": "/*---\ndepends_on: [nowhere/at_all]\n---*/ select 1",
    "itself": "/*---\ndepends_on: [broken/itself]\n---*/ select 1",
}


def test_g6_broken_files_of_every_kind_beside_good_ones(site: Site) -> None:
    versions = {name: site.put_sql(f"good/{name}", f"select '{name}' as a") for name in "abc"}
    for name, content in BROKEN.items():
        site.put_sql(f"broken/{name}", content)
    snapshot = site.snapshot()
    assert {each.path: each.source.version_id for each in snapshot.extracts} == {
        f"good/{name}": version for name, version in versions.items()
    }
    assert {each.path for each in snapshot.invalid} == {f"broken/{name}" for name in BROKEN}
    for each in snapshot.invalid:
        assert each.reasons[0].startswith(f"{each.path}.sql:")


@pytest.mark.slow
def test_more_files_than_a_page_has(site: Site) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: site.put_sql(f"many/file_{n}", f"select {n} as n"), range(1_050)))
    assert len(site.snapshot().extracts) == 1_050


def test_only_what_has_changed_is_read_again(site: Site) -> None:
    for name in ("a/same", "a/changed", "a/removed"):
        site.put_sql(name, "select 1 as a")
    site.put_sql("a/lacks", "/*---\ndepends_on: [a/added]\n---*/ select 1 as a")
    known = site.snapshot()
    assert [each.path for each in known.invalid] == ["a/lacks"]
    site.put_sql("a/changed", "select 2 as a")
    site.put_sql("a/added", "select 3 as a")
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/removed.sql"))

    read = read_manifest(site.manifest, DIALECTS, known)
    assert read == site.snapshot()
    assert [each.path for each in read.extracts] == ["a/added", "a/changed", "a/lacks", "a/same"]
    assert read.extracts[3] is known.extracts[2]
    elsewhere = Dialects({"shop": Postgres()}, "shop")
    assert read_manifest(site.manifest, elsewhere, read).extracts[3].kind == "postgres"
    wide = TypeChoices(integers="decimal", timestamps="ns")
    chosen = Dialects({"shop": DuckDB()}, "shop", types={"shop": wide})
    assert read_manifest(site.manifest, chosen, read).extracts[3].types == wide


def test_every_file_that_was_read_is_known_by_key_and_etag(site: Site) -> None:
    """Also one of two that collide: a sensor would take it for a change for ever."""
    for key in ("a/b.sql", "a/b.SQL", "a/broken.sql"):
        site.s3.put_object(
            Bucket=site.manifest.bucket, Key=site.manifest.key(key), Body=b"select 1 as a, from"
        )
    listed = {file.key: file.token for file in list_files(site.manifest)}
    assert site.snapshot().files == listed
    assert len(listed) == 3


def test_the_newest_snapshot_is_found_or_there_is_none(site: Site) -> None:
    assert marked_snapshot(site.state, site.manifest.uri) is None
    site.put_sql("a/b", "select 1 as a")
    snapshot = site.snapshot()
    saved = save_snapshot(site.state, snapshot)
    point_to(site.state, site.manifest.uri, saved)
    assert marked_snapshot(site.state, site.manifest.uri) == (saved, snapshot)
    assert marked_snapshot(site.state, f"{site.manifest.uri}/team") is None, "of another manifest"
    point_to(site.state, site.manifest.uri, "0" * 32)
    assert marked_snapshot(site.state, site.manifest.uri) is None


def test_a_file_over_1_mib(site: Site) -> None:
    site.put_sql("a/large", f"select 1 as a -- {'x' * (2 << 20)}")
    assert len(site.snapshot().extracts[0].text) > 2 << 20


def test_a_file_deleted_after_it_was_listed(site: Site) -> None:
    site.put_sql("a/gone", "select 1 as a")
    (listed,) = list_files(site.manifest)
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=listed.key)
    assert fetch_file(site.manifest, listed.key) is None


def test_other_files_are_not_extracts(site: Site) -> None:
    site.put_sql("a/b", "select 1 as a")
    site.s3.put_object(Bucket=site.manifest.bucket, Key="sql/a/README.md", Body=b"x")
    site.s3.put_object(Bucket=site.manifest.bucket, Key="sqlx/a/c.sql", Body=b"select 1")
    assert [each.path for each in site.snapshot().extracts] == ["a/b"]


def test_g6_files_that_collide_are_invalid_and_alone(site: Site) -> None:
    site.put_sql("a/b", "select 1 as a")
    site.put_sql("a/c", "select 1 as a")
    site.s3.put_object(Bucket=site.manifest.bucket, Key="sql/a/b.SQL", Body=b"select 2 as a")
    snapshot = site.snapshot()
    assert [each.path for each in snapshot.extracts] == ["a/c"]
    (collided,) = snapshot.invalid
    assert "'sql/a/b.SQL' and 'sql/a/b.sql' are the same extract" in collided.reasons[0]


def test_a_bucket_that_cannot_be_read_says_what_to_do(site: Site) -> None:
    with pytest.raises(BucketError, match="check EXTRACT_MANIFEST, and grant s3:ListBucket"):
        read_manifest(site.folders.stores.folder(Location("no-such-bucket")), DIALECTS)


def test_a_manifest_at_the_root_of_its_bucket(site: Site) -> None:
    site.s3.put_object(Bucket=site.manifest.bucket, Key="top.sql", Body=b"select 1 as a")
    snapshot = read_manifest(Folder.of(site.manifest.store), DIALECTS)
    assert [each.path for each in snapshot.extracts] == ["top"]


def test_one_extract_by_its_path(site: Site) -> None:
    site.put_sql("sales/orders", "select 1 as a")
    site.put_sql("sales/bad", "drop table t")
    assert find_extract(site.manifest, "sales/orders.sql", DIALECTS).path == "sales/orders"
    with pytest.raises(ManifestError, match="did you mean 'sales/orders'"):
        find_extract(site.manifest, "sales/order", DIALECTS)
    with pytest.raises(ManifestError, match="would run 'drop'"):
        find_extract(site.manifest, "sales/bad", DIALECTS)


def test_g3_a_snapshot_is_what_it_was(site: Site) -> None:
    header = "/*---\nparams: {d: 2026-01-01, n: 1.50}\nchecks: [{between: {a: [0.1, null]}}]\n---*/"
    site.put_sql("a/b", f"{header} select :d as d, :n as a")
    site.put_sql("a/bad", "drop table t")
    snapshot = site.snapshot()
    saved = save_snapshot(site.state, snapshot)
    site.put_sql("a/b", "select 'changed' as a")
    assert load_snapshot(site.state, saved) == snapshot
    assert save_snapshot(site.state, snapshot) == saved
    assert save_snapshot(site.state, site.snapshot()) != saved


def test_a_snapshot_that_is_gone_or_altered_is_refused(site: Site) -> None:
    saved = save_snapshot(site.state, site.snapshot())
    site.put_sql("a/b", "select 1 as a")
    other = save_snapshot(site.state, site.snapshot())
    key = site.state.key(f"snapshots/{saved}.json.gz")
    forged = site.body(site.state.key(f"snapshots/{other}.json.gz"))
    site.s3.put_object(Bucket=site.data.bucket, Key=key, Body=forged)
    with pytest.raises(ValueError, match="altered"):
        load_snapshot(site.state, saved)
    with pytest.raises(NotPublished, match="EXTRACT_STATE"):
        load_snapshot(site.state, "0" * 32)


def test_push_uploads_only_what_changed(site: Site, tmp_path: Path) -> None:
    for name in ("same", "changed", "removed"):
        site.put_sql(f"a/{name}", f"select '{name}' as a")
    folder = tmp_path / "a"
    folder.mkdir()
    for name, text in {"same": "same", "changed": "new", "added": "added"}.items():
        (folder / f"{name}.sql").write_text(f"select '{text}' as a")
    files = manifest_files(tmp_path)
    changes = compare(site.manifest, files)
    assert changes.added == ("a/added.sql",)
    assert changes.changed == ("a/changed.sql",)
    assert changes.removed == ("a/removed.sql",)
    assert changes.same == ("a/same.sql",)
    done = dict(push(site.manifest, files, changes, delete=True))
    assert sorted(done) == ["a/added.sql", "a/changed.sql", "a/removed.sql"]
    after = compare(site.manifest, files)
    assert (after.uploads, after.removed) == ((), ())

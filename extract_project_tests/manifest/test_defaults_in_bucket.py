"""Defaults of folders in a real bucket: read once, kept while they are the same, snapshotted."""

from __future__ import annotations

import pytest

from extract_project.errors import ManifestError
from extract_project.manifest.bucket import find_extract, list_files, read_manifest
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.snapshot import load_snapshot, save_snapshot
from extract_project.sql.duckdb import DuckDB
from extract_project.sql.snowflake import Snowflake
from extract_project_tests.conftest import DIALECTS, Site

SQL = "select 1 as a"


def test_g3_a_snapshot_holds_the_defaults_that_were_read(site: Site) -> None:
    site.put_sql("sales/orders", SQL)
    root = site.put_defaults("", "format: csv\n")
    folder = site.put_defaults("sales", "compression: none\n")
    snapshot = site.snapshot()
    saved = save_snapshot(site.state, snapshot)
    site.put_defaults("", "format: jsonl\n")
    (extract,) = load_snapshot(site.state, saved, only={"sales/orders"}).extracts
    assert (extract.header.format, extract.header.compression) == ("csv", "none")
    assert [(each.source.key, each.source.version_id) for each in extract.defaults] == [
        ("sql/_defaults.yaml", root),
        ("sql/sales/_defaults.yaml", folder),
    ]
    assert load_snapshot(site.state, saved) == snapshot
    assert site.snapshot().extracts[0].header.format == "jsonl"
    assert save_snapshot(site.state, site.snapshot()) != saved


def test_what_a_change_of_defaults_does_not_reach_is_not_read_again(site: Site) -> None:
    for path in ("a/one", "a/b/two", "c/three"):
        site.put_sql(path, SQL)
    site.put_defaults("a", "format: csv\n")
    known = site.snapshot()
    site.put_defaults("a/b", "pool: x\n")
    read = read_manifest(site.manifest, DIALECTS, known)
    assert read == site.snapshot()
    before = {each.path: each for each in known.extracts}
    assert {each.path for each in read.extracts if each is before[each.path]} == {
        "a/one",
        "c/three",
    }
    assert {each.path: each.header.pool for each in read.extracts}["a/b/two"] == "x"
    site.s3.delete_object(Bucket=site.manifest.bucket, Key="sql/a/_defaults.yaml")
    without = read_manifest(site.manifest, DIALECTS, read)
    assert without == site.snapshot()
    assert {each.header.format for each in without.extracts} == {"parquet"}


def test_every_file_of_defaults_counts_as_read(site: Site) -> None:
    """A sensor would otherwise take it for a change for ever: also where it reaches nothing."""
    site.put_sql("a/one", SQL)
    site.put_defaults("a", "format: csv\n")
    site.put_defaults("nothing/here", "format: csv\n")
    site.put_defaults("broken", "frmat: csv\n")
    site.s3.put_object(Bucket=site.manifest.bucket, Key="sql/a/b/_defaults.yml", Body=b"x: y")
    listed = {file.key: file.token for file in list_files(site.manifest)}
    assert len(listed) == 5
    snapshot = site.snapshot()
    assert snapshot.files == listed
    assert snapshot.paths == {"a/one"}
    assert read_manifest(site.manifest, DIALECTS, snapshot).files == listed


def test_one_extract_by_its_path_has_its_defaults(site: Site) -> None:
    site.put_sql("sales/eu/orders", SQL)
    site.put_defaults("", "pool: x\n")
    site.put_defaults("sales", "format: csv\n")
    header = find_extract(site.manifest, "sales/eu/orders", DIALECTS).header
    assert (header.format, header.pool) == ("csv", "x")
    site.put_defaults("sales", "frmat: csv\n")
    with pytest.raises(ManifestError, match=r"sales/_defaults.yaml:1:1: unknown key 'frmat'"):
        find_extract(site.manifest, "sales/eu/orders", DIALECTS)


def test_an_engine_of_a_folder_changes_only_files_whose_warehouse_has_it(site: Site) -> None:
    """Files of other warehouses would be published under another key, or be invalid."""
    for path, header in (("a", ""), ("b", "format: csv"), ("c", "warehouse: snow")):
        site.put_sql(path, f"/*---\n{header or 'group: x'}\n---*/\n{SQL}")
    dialects = Dialects({"shop": DuckDB(), "snow": Snowflake()}, "shop")
    before = read_manifest(site.manifest, dialects)
    site.put_defaults("", "engine: unload\n")
    after = read_manifest(site.manifest, dialects)
    paths = [[each.published_path() for each in known.extracts] for known in (before, after)]
    assert paths == [["a.parquet", "b.csv.gz", "c.parquet"], [*paths[0][:2], "c/_manifest.json"]]
    versions = [[each.code_version for each in known.extracts] for known in (before, after)]
    assert versions[0][:2] == versions[1][:2]
    assert versions[0][2] != versions[1][2]

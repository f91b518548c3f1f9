"""Buckets with a past of their own: null versions, markers everywhere, default retention."""

from __future__ import annotations

from typing import Any

import pytest

from extract_project.history.history import read_history
from extract_project.history.versions import list_history
from extract_project.published import history, open_published
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import materialize

pytestmark = pytest.mark.each_s3_server

KEY = "extracts/a/b.parquet"
ODD = ["a b+c/ü%2F&=#x", "q'uo\"te/a*b", "dots../..x", "emoji/🦆", "plus+/a%20b"]


def set_versioning(site: Site, status: Any) -> None:
    site.s3.put_bucket_versioning(
        Bucket=site.data.bucket, VersioningConfiguration={"Status": status}
    )


def test_a_history_with_null_versions_and_markers_of_one_second(site: Site) -> None:
    def put() -> str:
        reply = site.s3.put_object(Bucket=site.data.bucket, Key=KEY, Body=b"x")
        return reply.get("VersionId", "null")

    def delete() -> str:
        return site.s3.delete_object(Bucket=site.data.bucket, Key=KEY)["VersionId"]

    set_versioning(site, "Suspended")
    made = [put()]
    set_versioning(site, "Enabled")
    made += [delete(), put(), delete(), delete(), put()]
    listed = list(list_history(site.data.store, KEY))
    assert [each.version_id for each in listed] == made[::-1]
    made.append(materialize(site, site.extract("a/b", "select 1 as n")).version_id)
    found = read_history(site.data.store, site.state, KEY).entries
    assert [each.listed.version_id for each in found] == made[::-1]
    assert open_published(site.data.uri, "a/b").read_all()["n"].to_pylist() == [1]


@pytest.mark.parametrize("header", ["", "split: {rows: 2}", "incremental: {cursor: n}"])
def test_a_bucket_with_default_retention_takes_everything(site: Site, header: str) -> None:
    rule: Any = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    for bucket in (site.data.bucket, site.manifest.bucket):
        site.s3.put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
    where = "where :watermark is null or n >= :watermark" if "incremental" in header else ""
    front = f"/*---\n{header}\n---*/\n" if header else ""
    for rows in (5, 3, 7):
        materialize(site, site.extract("a/b", f"{front}select n from range({rows}) t(n) {where}"))
        if where:
            break  # other SQL would have to begin anew
    table = open_published(site.data.uri, "a/b").read_all()
    assert table.num_rows == (5 if where else 7)
    assert site.open_uploads() == 0


@pytest.mark.parametrize("path", ODD)
def test_odd_names(site: Site, path: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    site.put_sql(path, "/*---\nformat: csv\n---*/\nselect 1 as n")
    extracts = {each.path: each for each in site.snapshot().extracts}
    if path not in extracts:
        (invalid,) = site.snapshot().invalid
        assert invalid.reasons
        return
    materialize(site, extracts[path])
    site.s3.delete_object(Bucket=site.data.bucket, Key=site.target(extracts[path]).key)
    materialize(site, extracts[path])
    assert open_published(site.data.uri, path).read_all()["n"].to_pylist() == [1]
    entries = history(site.data.uri, path)
    assert [each.receipt is None for each in entries] == [False, True, False]
    result = call("get", path, "-o", tmp_path / "x.csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "x.csv").read_text() == "n\n1\n"


def test_everything_behind_delete_markers(site: Site) -> None:
    """All that is listed is deleted, and comes again."""
    extract = site.extract("a/b", "/*---\nsplit: {rows: 2}\n---*/\nselect n from range(5) t(n)")
    first = materialize(site, extract).version_id
    pages = site.s3.get_paginator("list_objects_v2").paginate(Bucket=site.data.bucket)
    for item in [item for page in pages for item in page.get("Contents", [])]:
        site.s3.delete_object(Bucket=site.data.bucket, Key=item["Key"])
    published = materialize(site, extract)
    assert published.outcome == "published"
    assert open_published(site.data.uri, "a/b").read_all().num_rows == 5
    newest, marker, oldest = history(site.data.uri, "a/b")
    assert (newest.listed.version_id, oldest.listed.version_id) == (published.version_id, first)
    assert (marker.version, oldest.receipt) == (None, None)
    old = open_published(site.data.uri, "a/b", version=first).read_all()
    assert old.num_rows == 5

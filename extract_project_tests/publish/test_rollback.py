"""Making an older version current again: on a real S3 server, of one part and of several."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from extract_project.errors import NotPublished, StagingError, Superseded
from extract_project.history.receipt import receipt_of, save_receipt
from extract_project.history.versions import Restoration, require_version
from extract_project.publish.publishing import publish as publish_staged
from extract_project.publish.rollback import Order, Restored, restore
from extract_project.publish.target import Target
from extract_project.store.s3 import copy as s3_copy
from extract_project_tests.conftest import Site
from extract_project_tests.support.history import KEY, delete, entries, publish
from extract_project_tests.support.publishing import MANY, ROWS, begin

pytestmark = pytest.mark.each_s3_server

EMPTY = "/*---\nformat: jsonl\ncompression: none\n---*/\nselect 1 as n where {}"


def restore_version(site: Site, version_id: str, key: str = KEY) -> Restored:
    order = Order(version_id, "größer: half of it is missing", "ada", "run-9")
    return restore(site.state, Target(site.data.store, key), order)


@pytest.mark.parametrize("rows", [10, MANY], ids=["one part", "several parts"])
def test_an_old_version_is_current_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(s3_copy, "_PART", 5 << 20)  # the smallest that S3 takes
    old = publish(site, ROWS.format(rows=rows))
    bad = publish(site, "select 1 as n")
    restored = restore_version(site, old)
    new = restored.version.version_id
    assert site.version_ids(KEY) == [new, bad, old]
    assert site.body(KEY) == site.body(KEY, old)
    assert site.open_uploads() == 0
    before = require_version(site.data.store, KEY, old)
    version = require_version(site.data.store, KEY)
    assert version.object.token.endswith(
        "-1" if rows == 10 else f"-{-(-version.size // (5 << 20))}"
    )
    assert (
        version.object.content_type
        == before.object.content_type
        == "application/vnd.apache.parquet"
    )
    for name in ("run-id", "sql-version", "sql-sha256", "receipt", "schema-sha256"):
        assert version.provenance[name] == before.provenance[name]
    restoration = version.restoration
    assert restoration is not None
    assert version.started_at == restoration.at
    assert replace(restoration, at=before.modified) == rollback_of(old, bad, before.modified)
    entry = entries(site)[0]
    assert (entry.is_current, entry.receipt) == (True, receipt_of(site.state, before))
    assert entry.change.rows == rows - 1
    undone = restore_version(site, bad).version
    assert site.body(KEY) == site.body(KEY, bad)
    assert undone.restoration is not None
    assert (undone.restoration.restored_from, undone.restoration.replaced) == (bad, new)


def rollback_of(old: str, bad: str, at: datetime) -> Restoration:
    return Restoration(old, bad, "ada", "größer: half of it is missing", at, "run-9")


def test_an_empty_file_is_restored_too(site: Site) -> None:
    key = "extracts/a/b.jsonl"
    old = publish(site, EMPTY.format("false"))
    publish(site, EMPTY.format("true"))
    restore_version(site, old, key)
    assert site.body(key) == b""


def test_what_was_deleted_is_restored(site: Site) -> None:
    old = publish(site, "select 1 as n")
    marker = delete(site)
    restored = restore_version(site, old)
    assert restored.replaced is None
    assert site.body(KEY) == site.body(KEY, old)
    ids = [entry.listed.version_id for entry in entries(site)]
    assert sorted(ids) == sorted([restored.version.version_id, marker, old])
    assert ids[0] == restored.version.version_id


def test_g4_a_run_that_started_before_the_rollback_does_not_replace_it(
    attempts: ExitStack, site: Site
) -> None:
    """Whether the key holds another content since the run began, or the same one again."""
    old = publish(site, "select 1 as n")
    first = restore_version_after(site, "select 2 as n", old)
    extract = site.extract("a/b", "select 3 as n")
    before = begin(attempts, site, extract, "under way")
    second = restore_version_after(site, "select 4 as n", first.version.version_id)
    assert second.version.object.token == first.version.object.token  # as if nothing had happened
    with pytest.raises(Superseded, match="to which ada rolled back after this run had started"):
        publish_staged(site.state, before)
    assert site.version_ids(KEY)[0] == second.version.version_id
    after = begin(attempts, site, extract, "the next")
    new = publish_staged(site.state, after)
    assert site.version_ids(KEY)[0] == new


def restore_version_after(site: Site, text: str, version_id: str) -> Restored:
    publish(site, text)
    return restore_version(site, version_id)


def test_g4_what_is_published_meanwhile_stays(site: Site) -> None:
    old = publish(site, "select 1 as n")
    publish(site, "select 2 as n")
    published: list[str] = []

    def meanwhile(**_: Any) -> None:
        if not published:
            published.append("")
            published[0] = publish(site, "select 3 as n")

    site.s3.meta.events.register("before-call.s3.CompleteMultipartUpload", meanwhile)
    with pytest.raises(StagingError, match="nothing was restored"):
        restore_version(site, old)
    assert site.version_ids(KEY)[0] == published[0]
    assert site.open_uploads() == 0


def unknown(site: Site, old: str) -> str:
    return "0" * 32


def another_key(site: Site, old: str) -> str:
    reply = site.s3.put_object(Bucket=site.data.bucket, Key="extracts/a/other", Body=b"x")
    return reply["VersionId"]


def deleted(site: Site, old: str) -> str:
    marker = delete(site)
    publish(site, "select 3 as n")
    return marker


def current(site: Site, old: str) -> str:
    return site.version_ids(KEY)[0]


def restored_already(site: Site, old: str) -> str:
    restore_version(site, old)
    return old


def damaged(site: Site, old: str) -> str:
    version = require_version(site.data.store, KEY, old)
    receipt = receipt_of(site.state, version)
    assert receipt is not None
    save_receipt(site.state, receipt.model_copy(update={"bytes": receipt.bytes + 1}))
    return old


def foreign(site: Site, old: str) -> str:
    foreign = site.s3.put_object(Bucket=site.data.bucket, Key=KEY, Body=b"x")["VersionId"]
    publish(site, "select 3 as n")
    return foreign


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (another_key, "it belongs to another key, or has been removed"),
        (unknown, "has no version 0000"),
        (deleted, "is a delete marker"),
        (current, "is current already"),
        (restored_already, "is current already, as"),
        (damaged, "it was replaced or damaged"),
        (foreign, "has no receipt"),
    ],
)
def test_what_cannot_be_restored_says_why(
    site: Site, chosen: Callable[[Site, str], str], message: str
) -> None:
    old = publish(site, "select 1 as n")
    publish(site, "select 2 as n")
    version_id = chosen(site, old)
    before = site.version_ids(KEY)
    with pytest.raises(NotPublished, match=message):
        restore_version(site, version_id)
    assert site.version_ids(KEY) == before
    assert site.open_uploads() == 0


def test_a_reason_that_s3_would_not_keep_is_refused(site: Site) -> None:
    old = publish(site, "select 1 as n")
    publish(site, "select 2 as n")
    order = Order(old, "x" * 2000, "ada")
    with pytest.raises(StagingError, match=r"\d+ bytes too long"):
        restore(site.state, Target(site.data.store, KEY), order)

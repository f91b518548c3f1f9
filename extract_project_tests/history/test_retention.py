"""What is removed, what never is, and what a pin holds: on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from extract_project.errors import BucketError
from extract_project.history.parts import load_manifest
from extract_project.history.pins import pin, pinned_ids, unpin
from extract_project.history.retention import Prunable, Rule, find_prunable, owns, remove
from extract_project.history.versions import Version, find_version, require_version
from extract_project.store.folder import Location
from extract_project.store.s3.errors import error_code
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, fault_proxy
from extract_project_tests.support.attack.rig import impatient
from extract_project_tests.support.history import publish_another
from extract_project_tests.support.publishing import materialize

pytestmark = pytest.mark.each_s3_server

KEY = "extracts/a/b.parquet"
MANIFEST = "extracts/a/b/_manifest.json"
SPLIT = "/*---\nsplit: {{rows: 2}}\n---*/\nselect n from range({}, {}) t(n)"


@pytest.fixture
def lockable(site: Site) -> Iterator[Site]:
    """A bucket that can hold versions; in the end it holds none."""
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    yield site
    for key in (KEY, MANIFEST):
        for version_id in pinned_ids(site.state, key):
            unpin(site.state, version(site, version_id, key))


def version(site: Site, version_id: str, key: str = KEY) -> Version:
    return require_version(site.data.store, key, version_id)


def prunable(site: Site, keep: int, ago: timedelta = -timedelta(days=1)) -> list[Prunable]:
    rule = Rule(keep, datetime.now(UTC) - ago)
    return find_prunable(site.state, site.data, "a/b", rule)


def prune(site: Site, keep: int) -> list[str]:
    """Remove, and give the kinds of what was removed."""
    found = prunable(site, keep)
    remove(site.data.store, found)
    return [each.kind for each in found]


def part_versions(site: Site) -> set[tuple[str, str]]:
    reply = site.s3.list_object_versions(Bucket=site.data.bucket, Prefix="extracts/a/b/part-")
    return {(each["Key"], each["VersionId"]) for each in reply.get("Versions", [])}


def named(site: Site, *version_ids: str) -> set[tuple[str, str]]:
    manifests = [load_manifest(version(site, each, MANIFEST)) for each in version_ids]
    return {(part.key, part.version_id) for each in manifests for part in each.parts}


def test_the_newest_replaced_versions_and_the_current_one_stay(site: Site) -> None:
    made = [publish_another(site) for _ in range(5)]
    neighbours = [publish_another(site, path) for path in ("a/b_old", "a/b_old", "a/b/c", "a/b/c")]
    assert prunable(site, 2, timedelta(minutes=1)) == [], "replaced a moment ago"
    found = prunable(site, 2)
    assert [each.stored.version_id for each in found] == [made[1], made[0]]
    assert all(each.stored.size > 0 for each in found)
    assert prune(site, 2) == ["version"] * 2
    assert site.version_ids(KEY) == made[:1:-1]
    assert prune(site, 0) == ["version"] * 2
    assert site.version_ids(KEY) == made[-1:]
    for key in ("extracts/a/b_old.parquet", "extracts/a/b/c.parquet"):
        assert len(site.version_ids(key)) == 2
    assert len(neighbours) == 4


def test_delete_markers_that_hide_nothing_go_too(site: Site) -> None:
    bucket = site.data.bucket
    publish_another(site)
    site.s3.delete_object(Bucket=bucket, Key=KEY)
    newest = publish_another(site)
    site.s3.delete_object(Bucket=bucket, Key=KEY)
    assert prune(site, 1) == ["version", "delete marker"]
    reply = site.s3.list_object_versions(Bucket=bucket, Prefix=KEY)
    assert site.version_ids(KEY) == [newest]
    assert [each["IsLatest"] for each in reply["DeleteMarkers"]] == [True]
    assert prune(site, 0) == ["version", "delete marker"]
    reply = site.s3.list_object_versions(Bucket=bucket, Prefix=KEY)
    assert "DeleteMarkers" not in reply


def test_a_delete_marker_stays_while_it_hides_what_could_not_go(lockable: Site) -> None:
    site = lockable
    old = publish_another(site)
    site.s3.delete_object(Bucket=site.data.bucket, Key=KEY)
    hold: Any = {"Bucket": site.data.bucket, "Key": KEY, "VersionId": old}
    found = prunable(site, 0)
    site.s3.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
    with pytest.raises(BucketError):
        remove(site.data.store, found)
    assert find_version(site.data.store, KEY) is None
    site.s3.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})
    assert prune(site, 0) == ["version", "delete marker"]


def test_parts_stay_as_long_as_a_manifest_names_them(lockable: Site) -> None:
    site = lockable
    made = [publish_another(site, text=SPLIT.format(start, 20)) for start in (10, 11, 13, 16)]
    oldest = named(site, made[0])
    pin(site.state, version(site, made[0], MANIFEST), "ada", "accounts")
    kinds = prune(site, 1)
    assert (kinds.count("version"), site.version_ids(MANIFEST)) == (1, [*made[:1:-1], made[0]])
    assert part_versions(site) == named(site, made[0], made[2], made[3])
    for key, version_id in oldest:
        with pytest.raises(ClientError) as held:
            site.s3.delete_object(Bucket=site.data.bucket, Key=key, VersionId=version_id)
        assert error_code(held.value) == "AccessDenied"
    unpin(site.state, version(site, made[0], MANIFEST))
    prune(site, 0)
    assert site.version_ids(MANIFEST) == made[-1:]
    assert part_versions(site) == named(site, made[-1])


def test_parts_that_two_pins_share_are_held_until_both_are_gone(lockable: Site) -> None:
    site = lockable
    text = (
        "/*---\nincremental: {{cursor: n}}\n---*/\n"
        "select n from range({}) t(n) where :watermark is null or n >= :watermark"
    )
    extract = site.extract("a/b", text.format(1_000))
    first = materialize(site, extract).version_id
    shared = named(site, first)
    grown = extract.model_copy(update={"text": extract.text.replace("1000", "1009")})
    second = materialize(site, grown).version_id
    assert shared < named(site, second)
    for each in (first, second):
        pin(site.state, version(site, each, MANIFEST), "ada", "accounts")
    unpin(site.state, version(site, second, MANIFEST))
    (key, part) = next(iter(shared))
    arguments: Any = {"Bucket": site.data.bucket, "Key": key, "VersionId": part}
    assert site.s3.get_object_legal_hold(**arguments)["LegalHold"]["Status"] == "ON"
    assert prune(site, 0) == []
    unpin(site.state, version(site, first, MANIFEST))
    assert site.s3.get_object_legal_hold(**arguments)["LegalHold"]["Status"] == "OFF"
    assert prune(site, 0) == ["version"]
    assert part_versions(site) == named(site, second), "the current version lost nothing"


def test_what_s3_does_not_let_go_says_who_may(lockable: Site) -> None:
    site = lockable
    old = publish_another(site)
    publish_another(site)
    hold: Any = {"Bucket": site.data.bucket, "Key": KEY, "VersionId": old}
    site.s3.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
    with pytest.raises(BucketError, match=rf"remove {KEY} version {old}: it is under a legal hold"):
        prune(site, 0)
    site.s3.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_what_the_buckets_default_retention_keeps_says_until_when(
    lockable: Site, mode: Any
) -> None:
    """It spoke of rights and legal holds only."""
    site = lockable
    retention: Any = {"Mode": mode, "Days": 1}
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": retention},
        },
    )
    old, new = publish_another(site), publish_another(site)
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    told = rf"version {old}: Object Lock retains it until {tomorrow} .* \({mode} mode\).*default"
    with pytest.raises(BucketError, match=told):
        prune(site, 0)
    assert site.version_ids(KEY) == [new, old]


def test_who_may_not_remove_versions_reads_of_rights(lockable: Site) -> None:
    site = lockable
    publish_another(site), publish_another(site)
    found = prunable(site, 0)
    with (
        fault_proxy(site.server.endpoint) as proxy,
        nullcontext(site.through(impatient(proxy.endpoint))) as through,
        proxy.choosing(
            lambda request: Fault.ACCESS_DENIED if request.operation == "DeleteObjects" else None
        ),
        pytest.raises(BucketError, match=r"s3:DeleteObjectVersion, .* HistoryStays"),
    ):
        remove(through.data.store, found)


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("x/a/b.parquet", True),
        ("x/a/b.csv.gz", True),
        ("x/a/b/_manifest.json", True),
        ("x/a/b/part-00000.parquet", True),
        ("x/a/b/part-123456.jsonl.gz", True),
        ("x/a/b/partition=eu/b.parquet", True),
        ("x/a/b/partition=eu/part-00007.csv.gz", True),
        ("x/a/b/partition=eu/_manifest.json", True),
        ("x/a/b.parquet.bak", False),
        ("x/a/bb.parquet", False),
        ("x/a/b/c.parquet", False),
        ("x/a/b/partition=eu/c.parquet", False),
        ("x/a/b/c/part-00000.parquet", False),
        ("a/b.parquet", False),
    ],
)
def test_which_keys_are_an_extracts(key: str, own: bool) -> None:
    assert owns(Location("bucket", "x"), "a/b", key) is own


def test_nothing_is_found_of_what_was_never_published(site: Site) -> None:
    assert prunable(site, 0) == []
    assert find_version(site.data.store, KEY) is None

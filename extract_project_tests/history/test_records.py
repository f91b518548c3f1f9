"""Where receipts and pins lie: in keys that S3 takes, and where earlier releases put them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from extract_project.errors import SettingsError
from extract_project.history import pins
from extract_project.history.history import read_history
from extract_project.history.receipt import receipt_of
from extract_project.history.records import folders, former_folder, record_folder, require_room
from extract_project.history.retention import Rule, find_prunable
from extract_project.history.versions import Version, require_version
from extract_project.manifest.fields.partitions import Partition
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.settings import load_settings
from extract_project.store.destination import DATA
from extract_project.store.folder import Location
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import materialize

LONGEST = 512


def move(site: Site, old: Location, new: Location) -> None:
    """Put what lies in a folder into another one."""
    listed = site.s3.list_objects_v2(Bucket=old.bucket, Prefix=old.key(""))
    for item in listed["Contents"]:
        body = site.body(item["Key"])
        site.s3.put_object(Bucket=new.bucket, Key=new.key(old.relative(item["Key"])), Body=body)
        site.s3.delete_object(Bucket=old.bucket, Key=item["Key"])


def published(site: Site) -> Version:
    extract = site.extract("sales/orders", "select 1 as one")
    materialize(site, extract)
    return require_version(site.data.store, site.target(extract).key)


@pytest.mark.parametrize(
    ("state", "key", "path"),
    [
        ("s3://b/data/.extract", "data/a/b.parquet", "a/b.parquet"),
        ("s3://b/.extract", "a/b.parquet", "a/b.parquet"),
        ("s3://b/data/.extract", "database/b.parquet", "database/b.parquet"),
        ("s3://other/team/state", "team/a/b.parquet", "a/b.parquet"),
        ("s3://other/state", "team/a/b.parquet", "team/a/b.parquet"),
        ("s3://b/x/y/.extract", "x/y/x/y/b.parquet", "x/y/b.parquet"),
        ("s3://b/ü b/.extract", "ü b/a+b/c&=?#.parquet", "a+b/c&=?#.parquet"),
    ],
)
def test_what_both_prefixes_share_stands_in_a_key_once(state: str, key: str, path: str) -> None:
    place = Location.parse(state)
    assert record_folder(place, "receipts", key) == place / f"receipts/{path}"
    assert former_folder(place, "receipts", key) == place / f"receipts/{key}"


def test_g10_receipts_of_earlier_releases_are_found(site: Site) -> None:
    version = published(site)
    new, former = folders(site.state, "receipts", version.key)
    receipt = receipt_of(site.state, version)
    assert receipt is not None
    move(site, new, former)
    assert receipt_of(site.state, version) == receipt
    history = read_history(site.data.store, site.state, version.key)
    assert history.entries[0].receipt == receipt
    site.s3.delete_object(Bucket=former.bucket, Key=former.key(f"{receipt.id}.json"))
    assert receipt_of(site.state, version) is None


def test_pins_of_earlier_releases_hold(site: Site) -> None:
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    version = published(site)
    materialize(site, site.extract("sales/orders", "select 2 as one"))
    made = pins.pin(site.state, version, "ada", "accounts")
    new, former = folders(site.state, "pins", version.key)
    move(site, new, former)
    assert pins.read_pins(site.state, version.key) == {version.version_id: made}
    rule = Rule(keep=0, before=datetime.now(UTC) + timedelta(minutes=1))
    assert find_prunable(site.state, site.data, "sales/orders", rule) == []
    pins.unpin(site.state, version)
    assert pins.pinned_ids(site.state, version.key) == []
    assert len(find_prunable(site.state, site.data, "sales/orders", rule)) == 1


def test_pins_of_an_extract_in_a_folder_named_like_the_key_are_others(site: Site) -> None:
    key = site.data.key("sales/orders.parquet")
    other = record_folder(site.state, "pins", f"{key}/more.parquet")
    site.s3.put_object(Bucket=other.bucket, Key=other.key("v1.json"), Body=b"{}")
    assert pins.pinned_ids(site.state, key) == []


@pytest.mark.parametrize("name", ["EXTRACT_DATA", "EXTRACT_STATE", "EXTRACT_MANIFEST"])
def test_a_prefix_that_leaves_no_room_is_a_settings_error(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in site.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(name, f"s3://bucket/{'ü' * (LONGEST // 2)}/")
    load_settings()
    monkeypatch.setenv(name, f"s3://bucket/{'ü' * (LONGEST // 2)}x")
    with pytest.raises(
        SettingsError, match=rf"^{name}: the prefix has 513 bytes: expected at most"
    ):
        load_settings()
    assert "512" in call("versions", "a/b").output


def test_the_longest_prefix_works(site: Site) -> None:
    """A prefix of 600 bytes gave KeyTooLongError after the query."""
    far = replace(site, data=replace(site.data, prefix="/".join(["x" * 50] * 10)))
    version = published(far)
    assert receipt_of(far.state, version) is not None


def test_a_key_that_is_too_long_is_refused_before_the_query(site: Site) -> None:
    """Of a partition, a key has the name twice."""
    name = "y" * 240
    header = "/*---\npartitions: [north, south]\n---*/\n"
    extract = site.extract(f"a/{name}", f"{header}select * from absent where n = :partition_key")
    data = replace(site.data, prefix="/".join(["x" * 50] * 10))
    target = Target(data.store, data.key(extract.published_path("north")))
    assert len(target.key) < 1024
    provenance = Provenance("run", partition=Partition("north"))
    with (
        pytest.raises(SettingsError, match=r"would have 1,\d\d\d bytes: S3 takes 1,024; shorten"),
        stage(
            DuckDBWarehouse(type="duckdb"),
            extract,
            [Place(DATA, target, data / ".extract")],
            provenance,
        ),
    ):
        pytest.fail("staged")
    with pytest.raises(SettingsError, match="EXTRACT_DATA or EXTRACT_STATE"):
        require_room(Location("b", "short"), "k" * 1025, "id")

"""A bucket that has stopped keeping versions: noticed before a run stages, and while it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.errors import BucketError, StagingError
from extract_project.history.versions import find_version, require_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import settle
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.store.destination import DATA
from extract_project.store.s3 import upload as s3_upload
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request, fault_proxy
from extract_project_tests.support.attack.rig import SMALLEST_PART, impatient
from extract_project_tests.support.publishing import materialize

pytestmark = pytest.mark.each_s3_server

COMMAND = r"run: aws s3api put-bucket-versioning --bucket {} .*Status=Enabled"
NOT_KEPT = "was written, but not as a version: the next write replaces it for good"
ROWS = "select i, md5(i::varchar) as digest from range({}) t(i)"
SHAPES = {
    "one put": ROWS.format(3),
    "multipart": ROWS.format(300_000),
    "split": f"/*---\nsplit: {{rows: 10}}\n---*/\n{ROWS.format(25)}",
    "incremental": f"/*---\nincremental: {{cursor: i}}\n---*/\n{ROWS.format(25)}"
    " where :watermark is null or i >= :watermark",
}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "_FIRST_PART", SMALLEST_PART)


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


def set_versioning(site: Site, status: Literal["Enabled", "Suspended"]) -> None:
    site.s3.put_bucket_versioning(
        Bucket=site.data.bucket, VersioningConfiguration={"Status": status}
    )


@contextmanager
def staged(site: Site, extract: Extract) -> Iterator[Staged]:
    warehouse, provenance = DuckDBWarehouse(type="duckdb"), Provenance("run")
    with stage(
        warehouse, extract, [Place(DATA, site.target(extract), site.state)], provenance
    ) as result:
        yield result


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_does_not_begin(site: Site, shape: str) -> None:
    extract = site.extract("a/b", SHAPES[shape])
    before = materialize(site, extract).version_id
    set_versioning(site, "Suspended")
    with (
        pytest.raises(BucketError, match=COMMAND.format(site.data.bucket)),
        staged(site, extract),
    ):
        pytest.fail("staged")
    assert site.version_ids(site.target(extract).key) == [before]
    assert site.open_uploads() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_g10_what_was_written_without_a_version_is_never_said_to_be_published(
    site: Site, shape: str
) -> None:
    """A plain run published a `null` version, died of a KeyError, and the next said unchanged."""
    extract = site.extract("a/b", SHAPES[shape])
    target = site.target(extract)
    with staged(site, extract) as result:
        set_versioning(site, "Suspended")
        with pytest.raises(BucketError, match=NOT_KEPT) as raised:
            settle(site.state, result, extract.header)
    assert "put-bucket-versioning" in str(raised.value)
    set_versioning(site, "Enabled")
    again = materialize(site, extract)
    assert again.outcome == "published"
    assert again.version_id != "null"
    assert require_version(target.store, target.key).version_id == again.version_id
    assert materialize(site, extract).outcome == "unchanged"


def test_a_write_whose_reply_was_lost_is_not_found_as_a_version_either(
    site: Site, proxy: FaultProxy
) -> None:
    extract = site.extract("a/b", SHAPES["one put"])
    target = site.target(extract)
    through = site.through(impatient(proxy.endpoint))

    def suspend_and_lose(request: Request) -> Fault | None:
        if proxy.spoilt or not request.publishes(target.key):
            return None
        set_versioning(site, "Suspended")
        return Fault.LOST_REPLY

    with (
        staged(through, extract) as result,
        proxy.choosing(suspend_and_lose),
        pytest.raises(BucketError, match=NOT_KEPT),
    ):
        settle(site.state, result, extract.header)


def test_an_object_of_before_versioning_is_replaced_and_stays_in_the_history(site: Site) -> None:
    extract = site.extract("a/b", SHAPES["one put"])
    target = site.target(extract)
    set_versioning(site, "Suspended")
    site.s3.put_object(Bucket=site.data.bucket, Key=target.key, Body=b"x")
    set_versioning(site, "Enabled")
    found = find_version(target.store, target.key)
    assert found is not None
    assert found.version_id == "null"
    made = materialize(site, extract).version_id
    assert site.version_ids(target.key) == [made, "null"]
    assert require_version(target.store, target.key, "null").size == 1


def test_nothing_is_restored_where_no_version_is_kept(site: Site) -> None:
    first, key = two_versions(site, "one put")
    current = site.version_ids(key)
    set_versioning(site, "Suspended")
    with pytest.raises(BucketError, match=COMMAND.format(site.data.bucket)):
        roll_back(site, key, first)
    assert site.version_ids(key) == current


@pytest.mark.parametrize("shape", ["one put", "split"])
@pytest.mark.parametrize("moment", ["CompleteMultipartUpload", "PutObject"])
def test_versioning_is_suspended_while_a_version_is_restored(
    site: Site, proxy: FaultProxy, shape: str, moment: str
) -> None:
    if (shape, moment) == ("one put", "PutObject"):
        return  # a copy has none
    first, key = two_versions(site, shape)

    def suspend(request: Request) -> None:
        if request.operation == moment:
            set_versioning(site, "Suspended")

    through = site.through(impatient(proxy.endpoint))
    # SeaweedFS finds no condition met in a bucket that is suspended, unlike Amazon.
    said = f"{NOT_KEPT}|changed while version"
    with proxy.choosing(suspend), pytest.raises((BucketError, StagingError), match=said):
        roll_back(through, key, first)
    set_versioning(site, "Enabled")
    roll_back(site, key, first)
    assert require_version(site.data.store, key).version_id != "null"


def two_versions(site: Site, shape: str) -> tuple[str, str]:
    """The VersionId of the first one, and the key."""
    extract = site.extract("a/b", SHAPES[shape])
    first = materialize(site, extract).version_id
    other = SHAPES[shape].replace("select i,", "select -i as i,")
    materialize(site, site.extract("a/b", other))
    return first, site.target(extract).key


def roll_back(site: Site, key: str, version_id: str) -> None:
    target = Target(site.data.store, key)
    restore(site.state, target, Order(version_id, "wrong", "me"))

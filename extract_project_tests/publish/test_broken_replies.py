"""What is read whole survives a reply that breaks off, and is never taken for what it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import FlexibleChecksumError

from extract_project.embedded.s3_server import S3Server
from extract_project.errors import BucketError, StoreUnreachable
from extract_project.history.parts import load_manifest
from extract_project.history.pins import pin, read_pins
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import Version, require_version
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.snapshot import (
    load_snapshot,
    marked_snapshot,
    point_to,
    save_snapshot,
)
from extract_project_tests.conftest import DIALECTS, Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request, fault_proxy
from extract_project_tests.support.attack.rig import impatient, without_patience
from extract_project_tests.support.publishing import materialize

pytestmark = pytest.mark.each_s3_server

BREAKS = (Fault.TRUNCATED, Fault.RESET_REPLY, Fault.DAMAGED)
SPLIT = "/*---\nsplit: {rows: 2}\n---*/\nselect n from range(5) t(n)"


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running, without_patience():
        yield running


@pytest.fixture
def broken(site: Site, proxy: FaultProxy) -> Site:
    """The same buckets, behind the proxy."""
    return site.through(impatient(proxy.endpoint))


def published(site: Site) -> Version:
    extract = site.extract("a/b", SPLIT)
    materialize(site, extract)
    target = site.target(extract)
    version = require_version(target.store, target.key)
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    pin(site.state, version, "ada", "accounts")
    point_to(site.state, site.manifest.uri, save_snapshot(site.state, site.snapshot()))
    return version


def readings(site: Site, version: Version) -> dict[str, Callable[[], object]]:
    """Everything that is read in one piece."""
    snapshot_id = save_snapshot(site.state, site.snapshot())
    version = require_version(site.data.store, version.key, version.version_id)
    return {
        "manifest": lambda: read_manifest(site.manifest, DIALECTS),
        "snapshot": lambda: load_snapshot(site.state, snapshot_id),
        "pointer": lambda: marked_snapshot(site.state, site.manifest.uri),
        "receipt": lambda: receipt_of(site.state, version),
        "parts": lambda: load_manifest(version),
        "pins": lambda: read_pins(site.state, version.key),
    }


@pytest.mark.parametrize("fault", BREAKS)
def test_what_breaks_off_once_is_read_again(
    site: Site, broken: Site, proxy: FaultProxy, fault: Fault
) -> None:
    version = published(site)
    expected = {what: read() for what, read in readings(site, version).items()}
    for what, read in readings(broken, version).items():
        seen: set[str] = set()

        def once(request: Request, seen: set[str] = seen) -> Fault | None:
            is_first = request.operation == "GetObject" and request.key not in seen
            seen.add(request.key)
            return fault if is_first else None

        with proxy.choosing(once):
            assert read() == expected[what], what
            assert proxy.spoilt, what


@pytest.mark.parametrize("fault", BREAKS)
def test_what_never_comes_whole_is_an_error(
    site: Site, broken: Site, proxy: FaultProxy, fault: Fault
) -> None:
    version = published(site)
    for what, read in readings(broken, version).items():
        with (
            proxy.choosing(lambda request: fault if request.operation == "GetObject" else None),
            pytest.raises(Exception, match=r"(?i)read|clos|checksum|connection") as raised,
        ):
            read()
        assert isinstance(raised.value, StoreUnreachable), what


def test_a_body_is_compared_with_the_checksum_that_s3_keeps(
    site: Site, broken: Site, proxy: FaultProxy
) -> None:
    site.s3.put_object(Bucket=site.data.bucket, Key="x", Body=b"0123456789")
    with (
        proxy.choosing(lambda request: Fault.DAMAGED if request.key == "x" else None),
        pytest.raises(StoreUnreachable) as raised,
    ):
        broken.data.store.read("x")
    assert isinstance(raised.value.__cause__, FlexibleChecksumError)


def test_a_range_is_that_range_or_an_error(site: Site) -> None:
    """ministack answers a range of a given version with the whole object, as HTTP lets it."""
    put = site.s3.put_object(Bucket=site.data.bucket, Key="x", Body=b"0123456789")
    store, version_id = site.data.store, put["VersionId"]
    assert store.read_range("x", version_id, 3, 6) == b"345"
    assert store.read_range("x", version_id, 0, 10) == b"0123456789"
    with pytest.raises(BucketError, match="gave 2 bytes of the 4 from 8 on"):
        store.read_range("x", version_id, 8, 12)

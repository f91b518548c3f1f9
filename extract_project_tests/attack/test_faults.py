"""Single faults, each of which was once answered wrongly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest

from extract_project.errors import AuditError, StagingError, StoreRefused
from extract_project.history.parts import load_manifest
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import find_version
from extract_project.publish.publishing import publish
from extract_project.publish.rollback import Order, restore
from extract_project.store.folder import Folder
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import SHAPES, Rig, Shape, impatient, sql


def at(operation: str, fault: Fault, times: int = 1000) -> Callable[[Request], Fault | None]:
    """That fault at the first so many requests of an operation."""
    left = times

    def choose(request: Request) -> Fault | None:
        nonlocal left
        hit = request.operation == operation and left > 0
        left -= hit
        return fault if hit else None

    return choose


def published(site: Site, shape: Shape, mark: int = 1) -> Rig:
    rig = Rig(site, "a/b", shape)
    rig.run(site.s3, site.extract(rig.path, sql(shape, mark)), f"run-{mark}")
    return rig


def test_expired_credentials_do_not_look_like_an_empty_bucket(
    site: Site, proxy: FaultProxy
) -> None:
    """The reply to HEAD has no body: S3 says 400 of them, and of what is no VersionId."""
    target = published(site.through(impatient(proxy.endpoint)), "one put").target
    with (
        proxy.choosing(lambda _: Fault.EXPIRED_TOKEN),
        pytest.raises(StoreRefused, match="Expired"),
    ):
        find_version(target.store, target.key)
    with proxy.choosing(at("HeadObject", Fault.EXPIRED_TOKEN, times=1)):
        assert find_version(target.store, target.key) is not None
    with proxy.choosing(lambda _: Fault.INVALID_ARGUMENT):
        assert find_version(target.store, target.key, "no id") is None


@pytest.mark.parametrize("shape", SHAPES)
def test_g4_what_was_deleted_in_the_last_moment_is_published(
    site: Site, proxy: FaultProxy, shape: Shape
) -> None:
    """Amazon's S3 answers 404 then, where the condition is the ETag of what was there."""
    rig = published(site, shape)
    s3, extract = impatient(proxy.endpoint), site.extract(rig.path, sql(shape, 2))

    def delete(request: Request) -> Fault | None:
        if not request.is_conditional or rig.current() is None:
            return None
        site.s3.delete_object(Bucket=rig.target.store.name, Key=rig.target.key)
        return Fault.NO_SUCH_KEY

    with rig.staged(s3, extract, "run-2") as staged, proxy.choosing(delete):
        version_id = publish(site.through(s3).state, staged)
    current = rig.current()
    assert current is not None
    assert current.version_id == version_id
    assert rig.read(current).mark == 2


@pytest.mark.parametrize("shape", ["multipart", "split"])
def test_an_abort_that_fails_does_not_hide_why_the_run_did(
    site: Site, proxy: FaultProxy, shape: Shape, caplog: pytest.LogCaptureFixture
) -> None:
    rig, s3 = Rig(site, "a/b", shape), impatient(proxy.endpoint)
    extract = site.extract(rig.path, sql(shape, 1, header="checks: [{sql: select x from result}]"))
    with proxy.choosing(at("AbortMultipartUpload", Fault.SLOW_DOWN)), pytest.raises(AuditError):
        rig.run(s3, extract, "run")
    assert "was left open; a later run will abort it" in caplog.text
    assert rig.open_uploads()


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.RESET_REPLY])
def test_a_reply_that_breaks_off_is_asked_for_again(
    site: Site, proxy: FaultProxy, fault: Fault
) -> None:
    """The client's own retries end where the body begins."""
    through = site.through(impatient(proxy.endpoint))
    rig = published(site, "split")
    version, proxied = rig.current(), replace(rig, site=through).current()
    assert version is not None
    assert proxied is not None
    for read in (
        load_manifest,
        lambda each: receipt_of(Folder.of(each.store, site.state.prefix), each),
    ):
        with proxy.choosing(at("GetObject", fault, times=1)):
            assert read(proxied) == read(version)
        assert len(proxy.spoilt) == 1


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.ERROR_IN_200, Fault.CONFLICT])
@pytest.mark.parametrize("shape", ["one put", "split"])
def test_a_rollback_survives_the_same_faults(
    site: Site, proxy: FaultProxy, shape: Shape, fault: Fault
) -> None:
    """At each of its writes once; a conflict ends it, because people decide on rollbacks."""
    rig = published(site, shape, 1)
    old = rig.current()
    assert old is not None
    published(site, shape, 2)
    met = set[Request]()

    def once(request: Request) -> Fault | None:
        first = request not in met and request.may_suffer(fault)
        met.add(request)
        return fault if first and request.operation in _WRITES else None

    expected = pytest.raises(StagingError) if fault is Fault.CONFLICT else nullcontext()
    order = Order(old.version_id, "why", "ada")
    through = site.through(impatient(proxy.endpoint))
    with proxy.choosing(once), expected:
        restore(through.state, replace(rig, site=through).target, order)
    current = rig.current()
    assert current is not None
    assert rig.read(current).mark == (2 if fault is Fault.CONFLICT else 1)
    assert rig.open_uploads() == {}


_WRITES = ("CompleteMultipartUpload", "UploadPartCopy", "PutObject")

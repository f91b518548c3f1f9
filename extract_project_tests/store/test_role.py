"""A destination's role: assumed with the first request, renewed, and refused with the fix."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from extract_project.errors import BucketError, Cause, StoreError
from extract_project.store.s3.client import connect
from extract_project.store.s3.role import Role
from extract_project.store.s3.store import S3Store
from extract_project_tests.conftest import Site
from extract_project_tests.support.sts import Sts, sts_server

pytestmark = pytest.mark.parametrize("server", ["ministack"], indirect=True)  # takes any key

ROLE = Role("arn:aws:iam::123456789012:role/extracts", "acme-1")


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with sts_server() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.endpoint)
        yield running


def test_requests_are_signed_with_the_credentials_of_the_role(site: Site, sts: Sts) -> None:
    s3 = connect(role=ROLE)
    signed = []

    def note(request: Any, **_: Any) -> None:
        signed.append(str(request.headers["Authorization"]).partition("Credential=")[2][:9])

    s3.meta.events.register("before-send.s3", note)
    assert sts.asked == []
    store = S3Store(s3, site.data.bucket)
    store.require_versioning()
    store.put("a", b"1", "text/plain")
    assert signed == ["ASIAROLE1", "ASIAROLE1"]
    (asked,) = sts.asked
    assert (asked["RoleArn"], asked["ExternalId"]) == (ROLE.arn, ROLE.external_id)


def test_credentials_are_renewed_before_they_expire(site: Site, sts: Sts) -> None:
    store = S3Store(connect(role=ROLE), site.data.bucket)
    sts.lifetime = timedelta(minutes=5)  # within the SDK's window of renewal
    store.put("a", b"1", "text/plain")
    sts.lifetime = timedelta(hours=1)
    store.put("a", b"2", "text/plain")
    store.put("a", b"3", "text/plain")
    assert len(sts.asked) == 2


def test_a_role_that_may_not_be_assumed_is_named_with_the_fix(site: Site, sts: Sts) -> None:
    sts.denies = True
    store = S3Store(connect(role=ROLE), site.data.bucket)
    with pytest.raises(BucketError, match=r"role/extracts cannot be assumed .*trust policy"):
        store.require_versioning()
    with pytest.raises(BucketError, match=r"role/extracts cannot be assumed"):
        store.put("a", b"1", "text/plain")


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [("", r"STS refused AssumeRole \(ExpiredToken\)"), ("http://127.0.0.1:9", "Could not connect")],
)
def test_a_role_that_cannot_be_assumed_for_now_is_named_too(
    site: Site, sts: Sts, monkeypatch: pytest.MonkeyPatch, endpoint: str, reason: str
) -> None:
    sts.denies, sts.code = True, "ExpiredToken"
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
    store = S3Store(connect(role=ROLE), site.data.bucket)
    with pytest.raises(StoreError, match=rf"role/extracts cannot be assumed: {reason}") as raised:
        store.require_versioning()
    assert raised.value.transient
    assert raised.value.cause is (Cause.NETWORK if endpoint else Cause.S3)

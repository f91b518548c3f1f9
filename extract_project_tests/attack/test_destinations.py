"""Two destinations of one result, and one of them failing at each request in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from extract_project.errors import Cause, ExtractError
from extract_project.pipeline.attempt import publish_staged
from extract_project.pipeline.everywhere import PartlyPublished
from extract_project.publish.publishing import publish
from extract_project.store.folder import Folder
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy
from extract_project_tests.support.attack.rig import SHAPES, Shape, impatient, sql
from extract_project_tests.support.attack.two import Two, from_the, header_of
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.destinations import another_bucket

FAULTS = (Fault.ACCESS_DENIED, Fault.INTERNAL_ERROR, Fault.LOST_REPLY)


@pytest.fixture
def others(site: Site, buckets: Buckets) -> Iterator[Folder]:
    with another_bucket(site, buckets) as folder:
        yield folder


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("spoilt", ["crm", pytest.param("data", marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "shape",
    [each if each == "one put" else pytest.param(each, marks=pytest.mark.soak) for each in SHAPES],
)
def test_g1_g2_the_others_publish_whatever_one_does(
    site: Site, others: Folder, proxy: FaultProxy, shape: Shape, spoilt: str
) -> None:
    """Each has its former or the new whole version; and a rerun makes them equal."""
    two = Two(site, others, impatient(proxy.endpoint), spoilt)
    bucket = (site.data if spoilt == "data" else others).bucket
    sound = "crm" if spoilt == "data" else "data"
    former = site.extract("a/b", header_of(sql(shape, 1)))
    with proxy.choosing(lambda _: None):
        two.run(former, "former")
        requests = sum(each.bucket == bucket for each in proxy.seen)
    assert requests >= 4
    failed = 0
    for fault in FAULTS:
        for number in range(1, requests + 1):
            former, new = (
                site.extract("a/b", header_of(sql(shape, mark)))
                for mark in (10 * number, 10 * number + 1)
            )
            two.run(former, "former")
            reached = two.versions(sound, new)
            with proxy.choosing(from_the(number, fault, bucket)):
                error = two.attempted(new)
            if error is not None:
                failed += 1
                (lacking,) = (each for each in error.settled if each.published is None)
                assert lacking.place.destination == spoilt
                assert f"destination '{spoilt}'" in str(error)
                assert f"destination '{sound}' has this result: s3://" in error.standing
            assert two.mark(sound, new) == 10 * number + 1
            assert two.mark(spoilt, new) in (10 * number, 10 * number + 1)
            two.run(new, "rerun")
            assert two.mark(spoilt, new) == 10 * number + 1
            assert two.versions(sound, new) == reached + 1, "the rerun published there again"
    assert failed > requests / 2
    assert two.open_uploads(sound) == 0


def test_g2_none_publishes_where_each_fails(site: Site, others: Folder, proxy: FaultProxy) -> None:
    two = Two(site, others, impatient(proxy.endpoint), "crm")
    former = site.extract("a/b", header_of(sql("one put", 1)))
    two.run(former, "former")
    new = site.extract("a/b", header_of(sql("one put", 2)))
    site.s3.put_bucket_versioning(
        Bucket=site.data.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    denied = proxy.choosing(from_the(1, Fault.ACCESS_DENIED, others.bucket))
    with (
        denied,
        pytest.raises(ExtractError, match=r"s3:GetBucketVersioning on arn:aws:s3:::others"),
    ):
        two.run(new, "new")
    assert [two.mark(name, new) for name in ("data", "crm")] == [1, 1]


def test_g12_with_unchanged_publish_a_rerun_adds_no_version_where_the_result_is(
    site: Site, others: Folder, proxy: FaultProxy
) -> None:
    two = Two(site, others, impatient(proxy.endpoint), "crm")
    text = header_of(sql("one put", 1)).replace("---*/", "unchanged: publish\n---*/")
    extract = site.extract("a/b", text)
    down = from_the(1, Fault.ACCESS_DENIED, others.bucket)
    with proxy.choosing(down), pytest.raises(PartlyPublished):
        two.run(extract, "first")
    two.run(extract, "rerun")
    assert [two.versions(name, extract) for name in ("data", "crm")] == [1, 1]
    two.run(extract, "next")
    assert [two.versions(name, extract) for name in ("data", "crm")] == [2, 2]


def test_g4_of_two_runs_the_later_started_wins_at_each(
    site: Site, others: Folder, proxy: FaultProxy
) -> None:
    """The earlier one comes first at one of them, and last at the other."""
    two = Two(site, others, impatient(proxy.endpoint), "")
    earlier, later = (site.extract("a/b", header_of(sql("one put", mark))) for mark in (1, 2))
    with ExitStack() as attempts:
        first = attempts.enter_context(two.staging(earlier, "earlier"))
        second = attempts.enter_context(two.staging(later, "later"))
        (_, at_crm) = first.branches
        assert at_crm.publishable is not None
        publish(at_crm.place.state, at_crm.publishable)
        publish_staged(second, later)
        with pytest.raises(PartlyPublished) as lost:
            publish_staged(first, earlier)
    assert lost.value.cause is Cause.SUPERSEDED
    assert [two.mark(name, later) for name in ("data", "crm")] == [2, 2]
    assert [two.versions(name, later) for name in ("data", "crm")] == [1, 2]

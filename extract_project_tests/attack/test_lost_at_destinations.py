"""Two destinations of one result: the run is killed, one stops answering, or its role is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from extract_project.errors import ExtractError, QueryTimeout
from extract_project.pipeline.attempt import publish_staged
from extract_project.pipeline.everywhere import PartlyPublished, found_out
from extract_project.store.folder import Folder, Location
from extract_project.store.s3.client import connect
from extract_project.store.s3.role import Role
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.killed import Killer, When
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import SHAPES, Shape, impatient, short_grace, sql
from extract_project_tests.support.attack.two import Two, from_the, header_of
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.destinations import another_bucket
from extract_project_tests.support.sts import Sts, sts_server
from extract_project_tests.support.waiting import await_value

ROLE = Role("arn:aws:iam::123456789012:role/crm", "acme-1")
NAMES = ("data", "crm")


@pytest.fixture
def others(site: Site, buckets: Buckets) -> Iterator[Folder]:
    with another_bucket(site, buckets) as folder:
        yield folder


@pytest.fixture
def killer(site: Site, others: Folder, proxy: FaultProxy) -> Killer:
    return Killer(
        proxy,
        *(Location(each.bucket, each.prefix) for each in (site.manifest, site.data, others)),
    )


def assert_rerun_publishes_what_is_lacking(two: Two, former: int, new: int, text: str) -> None:
    """Each has the former or the new whole version; a rerun adds one where the new one is not."""
    extract = two.site.extract("a/b", text)
    marks = [two.mark(name, extract) for name in NAMES]
    assert set(marks) <= {former, new}
    before = [two.versions(name, extract) for name in NAMES]
    two.run(extract, "rerun")
    assert [two.mark(name, extract) for name in NAMES] == [new, new]
    added = [two.versions(name, extract) for name in NAMES]
    assert added == [count + (mark != new) for count, mark in zip(before, marks, strict=True)], (
        "the rerun published there again"
    )


def test_g1_g2_killed_between_two_destinations(
    site: Site, others: Folder, proxy: FaultProxy, killer: Killer
) -> None:
    two = Two(site, others, impatient(proxy.endpoint), "")
    former, new = (header_of(sql("one put", mark)) for mark in (1, 2))
    two.run(site.extract("a/b", former), "former")
    extract = site.extract("a/b", new)
    key = site.data.key(extract.published_path())
    killer.run(new, lambda request: request.publishes(key), "after")
    assert [two.mark(name, extract) for name in NAMES] == [2, 1]
    assert_rerun_publishes_what_is_lacking(two, 1, 2, new)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_g1_g2_killed_at_each_request(
    site: Site, others: Folder, killer: Killer, shape: Shape, when: When
) -> None:
    proxy = killer.proxy
    through = site.through(impatient(proxy.endpoint))
    two, counted = Two(site, others, through.s3, ""), Two(through, others, through.s3, "crm")
    for mark in (1, 2):
        with proxy.choosing(lambda _: None):
            counted.run(site.extract("a/b", header_of(sql(shape, mark))), "counted")
            requests = len(proxy.seen)
    reached = set()
    for number in range(1, requests + 1):
        former, new = (header_of(sql(shape, mark)) for mark in (10 * number, 10 * number + 1))
        two.run(site.extract("a/b", former), "former")
        killer.run(new, nth(number), when)
        extract = site.extract("a/b", new)
        reached.add(tuple(two.mark(name, extract) == 10 * number + 1 for name in NAMES))
        assert_rerun_publishes_what_is_lacking(two, 10 * number, 10 * number + 1, new)
    assert {(False, False), (True, False)} <= reached


def nth(number: int) -> Callable[[Request], bool]:
    seen = 0

    def choose(_: Request) -> bool:
        nonlocal seen
        seen += 1
        return seen >= number

    return choose


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("spoilt", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_g1_g2_a_destination_that_stops_answering_is_left_out(
    site: Site, others: Folder, proxy: FaultProxy, shape: Shape, spoilt: str
) -> None:
    two = Two(site, others, impatient(proxy.endpoint, read_seconds=1), spoilt)
    bucket = (site.data if spoilt == "data" else others).bucket
    (sound,) = set(NAMES) - {spoilt}
    with proxy.choosing(lambda _: None):
        two.run(site.extract("a/b", header_of(sql(shape, 1))), "former")
        requests = sum(each.bucket == bucket for each in proxy.seen)
    failed = 0
    for number in range(1, requests + 1):
        former, new = (header_of(sql(shape, mark)) for mark in (10 * number, 10 * number + 1))
        two.run(site.extract("a/b", former), "former")
        extract = site.extract("a/b", new)
        with proxy.choosing(from_the(number, Fault.STALL, bucket)):
            error = two.attempted(extract)
        if error is not None:
            failed += 1
            (lacking,) = (each for each in error.settled if each.published is None)
            assert lacking.place.destination == spoilt
            assert f"destination '{spoilt}'" in str(error)
        assert two.mark(sound, extract) == 10 * number + 1
        assert_rerun_publishes_what_is_lacking(two, 10 * number, 10 * number + 1, new)
    assert failed > requests / 2


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("spoilt", NAMES)
def test_g8_a_timeout_at_a_destination_that_does_not_answer_names_it(
    site: Site, others: Folder, proxy: FaultProxy, spoilt: str
) -> None:
    """The other has the result if its turn came before."""
    two = Two(site, others, impatient(proxy.endpoint, read_seconds=5), spoilt)
    two.run(site.extract("a/b", header_of(sql("one put", 1))), "former")
    text = header_of(sql("one put", 2, header="timeout: 3s"))
    new = site.extract("a/b", text)
    key = two.place(spoilt, new).target.key

    def choose(request: Request) -> Fault | None:
        return Fault.STALL if request.publishes(key) else None

    with short_grace(), two.staging(new, "new") as staged, proxy.choosing(choose):
        with pytest.raises(QueryTimeout) as late:
            publish_staged(staged, new)
        with pytest.raises(ExtractError) as raised:
            found_out(staged, late.value)
        await_value("the end of the work", lambda: not working())
    assert (
        f"not done after 3s: it was publishing, and waiting for destination '{spoilt}'; see "
    ) in str(raised.value)
    if spoilt == "crm":
        assert isinstance(raised.value, PartlyPublished)
        assert "destination 'data' has this result" in raised.value.standing
    assert [two.mark(name, new) for name in NAMES] == ([2, 1] if spoilt == "crm" else [1, 1])
    assert_rerun_publishes_what_is_lacking(two, 1, 2, text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "stage"), [("GetBucketVersioning", "connecting"), ("UploadPart", "uploading")]
)
def test_g8_a_timeout_before_publishing_names_the_destination_too(
    site: Site, others: Folder, proxy: FaultProxy, operation: str, stage: str
) -> None:
    two = Two(site, others, impatient(proxy.endpoint, read_seconds=10), "crm")
    two.run(site.extract("a/b", header_of(sql("multipart", 1))), "former")
    new = site.extract("a/b", header_of(sql("multipart", 2, header="timeout: 6s")))

    def choose(request: Request) -> Fault | None:
        return Fault.STALL if request.operation == operation else None

    with short_grace(), proxy.choosing(choose), pytest.raises(QueryTimeout) as late:
        two.run(new, "new")
    assert f": it was {stage}, and waiting for destination 'crm'; see " in str(late.value)
    assert [two.mark(name, new) for name in NAMES] == [1, 1]


def working() -> bool:
    return any(thread.name == "work" for thread in threading.enumerate())


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with sts_server() as running:
        running.lifetime = timedelta(
            minutes=5
        )  # within the SDK's window of renewal: at each request
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.endpoint)
        yield running


class Losing:
    """Two destinations, one of which has a role that may not be assumed any more from a request."""

    def __init__(self, site: Site, others: Folder, sts: Sts, spoilt: str) -> None:
        s3 = connect(role=ROLE)
        s3.meta.events.register("before-call.s3", self._note)
        self.two, self._sts = Two(site, others, s3, spoilt), sts
        self.requests, self._denied_from = 0, 0

    def _note(self, **_: Any) -> None:
        self.requests += 1
        self._sts.denies = 0 < self._denied_from <= self.requests

    def run(self, shape: Shape, mark: int, denied_from: int = 0) -> PartlyPublished | None:
        self.requests, self._denied_from = 0, denied_from
        error = self.two.attempted(self.two.site.extract("a/b", header_of(sql(shape, mark))))
        self._denied_from = 0
        return error

    def assert_only_it_is_left_out(self, shape: Shape, number: int) -> None:
        """A run whose request with this number needs the role in vain; and a rerun."""
        spoilt, former, new = self.two.spoilt, 10 * number, 10 * number + 1
        (sound,) = set(NAMES) - {spoilt}
        assert self.run(shape, former) is None
        error = self.run(shape, new, denied_from=number)
        text = header_of(sql(shape, new))
        if error is not None:
            assert f"not published at destination '{spoilt}': " in str(error)
            assert f"{ROLE.arn} cannot be assumed" in str(error)
            assert f"destination '{sound}' has this result: s3://" in error.standing
        assert self.two.mark(sound, self.two.site.extract("a/b", text)) == new
        assert_rerun_publishes_what_is_lacking(self.two, former, new, text)


@pytest.mark.soak
@pytest.mark.parametrize("server", ["ministack"], indirect=True)  # takes any key
def test_g1_g2_a_role_that_is_lost_at_the_start_and_while_publishing(
    site: Site, others: Folder, sts: Sts
) -> None:
    losing = Losing(site, others, sts, "crm")
    losing.run("one put", 1)
    for number in (1, losing.requests):
        losing.assert_only_it_is_left_out("one put", number)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("server", ["ministack"], indirect=True)
@pytest.mark.parametrize("spoilt", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_g1_g2_a_role_that_is_lost_at_each_request(
    site: Site, others: Folder, sts: Sts, shape: Shape, spoilt: str
) -> None:
    losing = Losing(site, others, sts, spoilt)
    losing.run(shape, 1)
    for number in range(1, losing.requests + 1):
        losing.assert_only_it_is_left_out(shape, number)

"""Two destinations of one result, and one of them failing at each request in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from extract_project.errors import ExtractError
from extract_project.history.reading import open_version
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import find_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.attempt import Done, attempt
from extract_project.pipeline.everywhere import PartlyPublished
from extract_project.pipeline.provenance import Provenance
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project.store.folder import Folder
from extract_project.store.s3.store import S3Store
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import SHAPES, Shape, impatient, sql

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FAULTS = (Fault.ACCESS_DENIED, Fault.INTERNAL_ERROR, Fault.LOST_REPLY)


@dataclass(frozen=True)
class Two:
    """One extract at two destinations, of which requests to one go through the proxy."""

    site: Site
    others: Folder
    through: S3Client
    spoilt: str
    """Which destination the proxy is in front of."""

    def place(self, name: str, extract: Extract) -> Place:
        folder = self.site.data if name == "data" else self.others
        is_spoilt = name == self.spoilt
        store = S3Store(self.through, folder.bucket) if is_spoilt else folder.store
        data = Folder.of(store, folder.prefix)
        state = self.site.state if name == "data" else self.site.state / f"destinations/{name}"
        return Place(name, Target.of(data, extract), state)

    def run(self, extract: Extract, run_id: str) -> Done:
        first, second = (self.place(name, extract) for name in ("data", "crm"))
        return attempt(
            DuckDBWarehouse(type="duckdb"),
            extract,
            first.target,
            Provenance(run_id),
            state=first.state,
            stop=Stop(extract.header.timeout),
            further=[second],
        )

    def attempted(self, extract: Extract) -> PartlyPublished | None:
        """How a run ended that one destination may have failed."""
        try:
            self.run(extract, "new")
        except PartlyPublished as error:
            return error
        return None

    def open_uploads(self, name: str) -> int:
        folder = self.site.data if name == "data" else self.others
        return len(list(folder.store.abandoned(folder.key(""))))

    def mark(self, name: str, extract: Extract) -> int:
        """Which result readers of a destination have: a whole one, with its receipt."""
        plain = Two(self.site, self.others, self.through, "")
        place = plain.place(name, extract)
        version = find_version(place.target.store, place.target.key)
        assert version is not None
        receipt = receipt_of(place.state, version)
        assert receipt is not None
        rows = open_version(version).read_all()
        assert rows.num_rows == receipt.rows
        (mark,) = pc.unique(rows.column("mark")).to_pylist()
        return int(mark)

    def versions(self, name: str, extract: Extract) -> int:
        folder = self.site.data if name == "data" else self.others
        key = folder.key(extract.published_path())
        return sum(each.key == key for each in folder.store.history(key))


@pytest.fixture
def others(site: Site) -> Iterator[Folder]:
    bucket = f"others-{site.data.bucket}"
    site.server.make_bucket(bucket)
    yield Folder.of(S3Store(site.s3, bucket), "inbound")
    site.s3.delete_bucket(Bucket=bucket)


def header_of(text: str) -> str:
    """With two destinations."""
    if text.startswith("/*---"):
        return text.replace("/*---\n", "/*---\nto: [data, crm]\n", 1)
    return f"/*---\nto: [data, crm]\n---*/{text}"


def from_the(number: int, fault: Fault, bucket: str) -> Callable[[Request], Fault | None]:
    """Spoils that request to a bucket; where S3 refuses, all that follow too."""
    seen = 0

    def choose(request: Request) -> Fault | None:
        nonlocal seen
        if request.bucket != bucket:
            return None
        seen += 1
        return fault if seen == number or (seen > number and not fault.is_applied) else None

    return choose


@pytest.mark.parametrize("spoilt", ["crm", "data"])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(each, marks=pytest.mark.slow) if each == "multipart" else each
        for each in SHAPES
    ],
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

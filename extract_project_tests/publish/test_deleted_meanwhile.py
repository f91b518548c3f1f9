"""A key that is deleted between a run's look and its write: Amazon answers 404, others 412."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.errors import StagingError
from extract_project.history.versions import find_version
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import publish, settle
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

SHAPES = {
    "one put": "select i from range({}) t(i)",
    "multipart": "/*---\ncompression: none\n---*/\n"
    "select i + {} as i, md5(i::varchar) as d from range(200000) t(i)",
    "split": "/*---\nsplit: {{rows: 10}}\n---*/\nselect i from range(2{}) t(i)",
}
CODES = (None, Fault.NO_SUCH_KEY, Fault.CONFLICT)
"""What the server says itself, and what others say of a condition that they could not check."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "_FIRST_PART", SMALLEST_PART)


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


@contextmanager
def deleting(site: Site, proxy: FaultProxy, key: str, answer: Fault | None) -> Iterator[list[str]]:
    """Delete the key just before the write that replaces it; the VersionIds of the markers."""
    markers: list[str] = []

    def choose(request: Request) -> Fault | None:
        if markers or not (request.publishes(key) and request.is_conditional):
            return None
        deleted = site.s3.delete_object(Bucket=site.data.bucket, Key=key)
        markers.append(deleted["VersionId"])
        return answer

    with proxy.choosing(choose):
        yield markers


@pytest.mark.parametrize("answer", CODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_g4_a_run_publishes_where_the_key_was_deleted_meanwhile(
    site: Site, proxy: FaultProxy, shape: str, answer: Fault | None
) -> None:
    text = SHAPES[shape]
    first = materialize(site, site.extract("a/b", text.format(1))).version_id
    extract = site.extract("a/b", text.format(2))
    through = site.through(impatient(proxy.endpoint))
    target = through.target(extract)
    warehouse, provenance = DuckDBWarehouse(type="duckdb"), Provenance("run")
    with (
        deleting(site, proxy, target.key, answer) as markers,
        stage(warehouse, extract, [Place(DATA, target, through.state)], provenance) as staged,
    ):
        published = settle(through.state, staged, extract.header)
    assert len(markers) == 1
    assert published.outcome == "published"
    assert site.version_ids(target.key) == [published.version_id, first]
    assert site.open_uploads() == 0


def test_g4_rows_are_not_added_to_what_was_deleted(site: Site, proxy: FaultProxy) -> None:
    text = (
        "/*---\nincremental: {{cursor: i}}\n---*/\n"
        "select i from range({}) t(i) where :watermark is null or i >= :watermark"
    )
    first = materialize(site, site.extract("a/b", text.format(5))).version_id
    extract = site.extract("a/b", text.format(5))
    extract = extract.model_copy(update={"text": extract.text.replace("range(5)", "range(9)")})
    through = site.through(impatient(proxy.endpoint))
    target = through.target(extract)
    warehouse, provenance = DuckDBWarehouse(type="duckdb"), Provenance("run")
    with (
        deleting(site, proxy, target.key, None),
        stage(warehouse, extract, [Place(DATA, target, through.state)], provenance) as staged,
        pytest.raises(StagingError, match="run it again") as raised,
    ):
        publish(through.state, staged)
    assert raised.value.transient
    assert find_version(target.store, target.key) is None
    assert site.version_ids(target.key) == [first]


@pytest.mark.parametrize("answer", CODES[:2])
@pytest.mark.parametrize("shape", ["one put", "split"])
def test_a_rollback_of_what_was_deleted_meanwhile_restores_nothing(
    site: Site, proxy: FaultProxy, shape: str, answer: Fault | None
) -> None:
    text = SHAPES[shape]
    versions = [materialize(site, site.extract("a/b", text.format(n))).version_id for n in (1, 2)]
    target: Target = site.target(site.extract("a/b", text.format(1)))
    order = Order(versions[0], "wrong", "ada")
    through = site.through(impatient(proxy.endpoint))
    with (
        deleting(site, proxy, target.key, answer),
        pytest.raises(StagingError, match="nothing was restored"),
    ):
        restore(through.state, Target(through.data.store, target.key), order)
    assert site.version_ids(target.key) == versions[::-1]
    assert find_version(target.store, target.key) is None
    restore(site.state, target, order)
    assert find_version(target.store, target.key) is not None

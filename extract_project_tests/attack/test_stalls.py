"""`timeout` ends an attempt wherever it hangs, and says where that is (G8)."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.synchronize import Event
from socket import create_server

import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.errors import ExtractError, QueryTimeout
from extract_project.pipeline.attempt import attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.publish.places import Place
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project.store.destination import DATA
from extract_project.store.folder import Location
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import Warehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request
from extract_project_tests.support.attack.rig import (
    Rig,
    Shape,
    impatient,
    short_grace,
    sql,
    without_patience,
)
from extract_project_tests.support.waiting import await_value

DUCKDB = DuckDBWarehouse(type="duckdb")
ENDLESS = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"

pytestmark = pytest.mark.slow

_EXIT_SECONDS = 55
"""Less than the client waits for one answer; the grace that stopped work has is well within it."""


@pytest.fixture(autouse=True)
def _short_grace() -> Iterator[None]:
    with short_grace():
        yield


def stalling(operation: str, nth: int = 1) -> Callable[[Request], Fault | None]:
    """S3 answers nothing any more, from that request on."""
    seen = 0

    def choose(request: Request) -> Fault | None:
        nonlocal seen
        seen += request.operation == operation
        return Fault.STALL if seen >= nth else None

    return choose


def late(
    rig: Rig,
    proxy: FaultProxy,
    text: str,
    *,
    warehouse: Warehouse = DUCKDB,
    limit: timedelta = timedelta(seconds=2),
) -> tuple[str, Stop]:
    """What an attempt says that takes too long."""
    stop, through = Stop(limit), rig.site.through(impatient(proxy.endpoint, read_seconds=5))
    extract = rig.site.extract(rig.path, text)
    with pytest.raises(QueryTimeout) as raised:
        attempt(
            warehouse,
            extract,
            [Place(DATA, Target(through.data.store, rig.target.key), through.state)],
            Provenance("late"),
            stop=stop,
        )
    return str(raised.value), stop


@pytest.mark.parametrize(
    ("request_", "shape", "stage"),
    [
        (("HeadObject", 1), "multipart", "connecting"),
        (("ListMultipartUploads", 1), "multipart", "connecting"),
        (("CreateMultipartUpload", 1), "multipart", "uploading"),
        (("UploadPart", 1), "multipart", "uploading"),
        (("UploadPart", 2), "split", "uploading"),
        (("HeadObject", 2), "multipart", "publishing"),
        (("PutObject", 1), "one put", "publishing"),
        (("CompleteMultipartUpload", 1), "split", "publishing"),
    ],
)
def test_g8_a_timeout_ends_an_attempt_that_waits_for_s3(
    site: Site, proxy: FaultProxy, request_: tuple[str, int], shape: Shape, stage: str
) -> None:
    rig = Rig(site, "a/b", shape)
    with proxy.choosing(stalling(*request_)):
        told, stop = late(rig, proxy, sql(shape, 1))
    assert f": it was {stage}; " in told
    assert not stop.is_sending
    assert rig.current() is None


@pytest.mark.soak
@pytest.mark.parametrize(
    ("shape", "operation", "nth"),
    [
        ("one put", "PutObject", 2),
        ("multipart", "CompleteMultipartUpload", 1),
        ("split", "PutObject", 2),
    ],
)
def test_g8_a_timeout_after_the_request_to_publish_leaves_its_outcome_open(
    site: Site, proxy: FaultProxy, shape: Shape, operation: str, nth: int
) -> None:
    rig = Rig(site, "a/b", shape)
    with proxy.choosing(stalling(operation, nth)):
        # Long enough for the request to be on its way, also on a busy machine.
        told, stop = late(rig, proxy, sql(shape, 1), limit=timedelta(seconds=6))
    assert ": it was publishing; " in told
    assert stop.is_sending


@pytest.mark.parametrize(
    "checks",
    [
        f"[{{sql: '{ENDLESS}'}}]",
        f"[{{sql: 'select * from result, ({ENDLESS})'}}, {{unique: i}}]",
    ],
)
def test_g8_a_timeout_ends_the_checks(site: Site, proxy: FaultProxy, checks: str) -> None:
    rig = Rig(site, "a/b", "one put")
    told, _ = late(rig, proxy, sql("one put", 1, header=f"checks: {checks}"))
    assert ": it was running checks; " in told
    await_value("the end of the work", lambda: not working())


def test_g8_a_timeout_ends_an_attempt_whose_warehouse_does_not_answer(
    site: Site, proxy: FaultProxy
) -> None:
    rig = Rig(site, "a/b", "one put")
    with silent_server() as port:
        warehouse = PostgresWarehouse(type="postgres", host="127.0.0.1", port=port, user="u")
        told, _ = late(rig, proxy, "select 1 as i", warehouse=warehouse)
    assert "not done after 2s: it was connecting; " in told


def _attempt(endpoint: str, buckets: tuple[Location, Location], shape: Shape, told: Event) -> None:
    """In a process of its own: an attempt that is told to end."""
    site = Site.of(S3Server(endpoint, 0), impatient(endpoint), *buckets)
    rig = Rig(site, "a/b", shape)
    with without_patience(), short_grace(), suppress(ExtractError):
        attempt(
            DUCKDB,
            site.extract(rig.path, sql(shape, 1)),
            [Place(DATA, rig.target, site.state)],
            Provenance("late"),
            stop=Stop(is_ended=told.is_set),
        )


@pytest.mark.soak
@pytest.mark.parametrize(
    ("operation", "shape", "refused"),
    [
        ("UploadPart", "multipart", ""),
        ("UploadPart", "split", ""),
        ("CompleteMultipartUpload", "split", ""),
        ("AbortMultipartUpload", "split", "CompleteMultipartUpload"),
    ],
)
def test_g8_a_process_ends_though_s3_never_answers_its_threads(
    site: Site, proxy: FaultProxy, operation: str, shape: Shape, refused: str
) -> None:
    silent = stalling(operation)
    buckets = [Location(each.bucket, each.prefix) for each in (site.manifest, site.data)]
    context = multiprocessing.get_context("spawn")
    told = context.Event()
    process = context.Process(target=_attempt, args=(proxy.endpoint, tuple(buckets), shape, told))

    def choose(request: Request) -> Fault | None:
        fault = Fault.INVALID_ARGUMENT if request.operation == refused else silent(request)
        if fault is Fault.STALL:
            told.set()
        return fault

    with proxy.choosing(choose):
        process.start()
        assert told.wait(_EXIT_SECONDS)
        process.join(_EXIT_SECONDS)
        ended = process.exitcode is not None
        process.kill()
        process.join()
    assert ended


@contextmanager
def silent_server() -> Iterator[int]:
    with create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def working() -> bool:
    return any(thread.name == "work" for thread in threading.enumerate())

"""BigQuery, when the network, the service or a stream is not as it should be.

A result is whole, or the run fails (G1). A cancel reaches the job wherever the run waits (G8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pyarrow as pa
import pytest

from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.warehouses.bigquery import BigQuerySession
from extract_project_tests.support.background import Run, cancelled
from extract_project_tests.support.bigquery_server import (
    BigQueryServer,
    Break,
    bigquery_server,
    table,
)
from extract_project_tests.support.http_faults import Kind
from extract_project_tests.support.patience import has_patience
from extract_project_tests.support.rigs import LABEL, bigquery_service, bigquery_warehouse, read
from extract_project_tests.support.waiting import await_value

MANY = "select a from shop.many"
IN_ORDER = f"{MANY} order by a"
SLOW = "select count(*) as n from unnest(generate_array(1, 100000000000)) as i where mod(i, 7) = 3"


@pytest.fixture
def server() -> Iterator[BigQueryServer]:
    with bigquery_server(bigquery_service()) as server:
        rows = table({"a": ("INTEGER", pa.array(range(1, 8001)))}, chunk_rows=500)
        for sql in (MANY, IN_ORDER):
            server.service.engine.script(sql, rows)
        yield server


@pytest.fixture
def session(server: BigQueryServer) -> Iterator[BigQuerySession]:
    with bigquery_warehouse(server).connect(LABEL, timedelta(hours=1)) as session:
        yield session


def whole(found: pa.Table) -> bool:
    return sorted(found.column(0).to_pylist()) == list(range(1, 8001))


def taken(server: BigQueryServer) -> bool:
    """Whether each fault has met a request."""
    faults, breaks = server.service.faults.pending, server.service.breaks
    return not any(each.times for each in faults) and not any(each.times for each in breaks)


# Requests.


@pytest.mark.parametrize(
    "fault",
    [
        ("/jobs", "status", 429, "0.05"),
        ("/jobs", "status", 503, ""),
        ("/jobs", "status", 500, ""),
        ("/jobs", "drop", 0, ""),
        ("/bigquery/v2/projects/acme/queries/", "status", 502, ""),
        ("/bigquery/v2/projects/acme/jobs/", "drop", 0, ""),
        ("/bigquery/v2/projects/acme/jobs/", "status", 503, "0.05"),
    ],
)
def test_a_fault_on_the_way_is_survived(
    server: BigQueryServer, session: BigQuerySession, fault: tuple[str, Kind, int, str]
) -> None:
    path, kind, status, after = fault
    server.service.faults.add(path, kind, times=2, status=status, retry_after=after)
    assert whole(read(session, MANY))
    assert taken(server)
    assert len(server.service.jobs) == 1, "the query ran once"


def test_a_job_whose_answer_was_lost_is_found_and_not_started_again(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    """The answer to a first insert is lost, and then the job is not to be seen for a while."""
    original = server.service.insert

    def insert(body: Any) -> dict[str, Any]:
        reply = original(body)
        if not body["configuration"].get("dryRun"):
            server.service.hidden_for = 2
            server.service.insert = original  # type: ignore[method-assign]
            raise ConnectionResetError
        return reply

    server.service.insert = insert  # type: ignore[method-assign]
    assert whole(read(session, MANY))
    assert server.service.inserts == 2
    assert len(server.service.jobs) == 1


def test_a_rate_that_is_exceeded_is_waited_for(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    server.service.refuses = ["rateLimitExceeded", "rateLimitExceeded"]
    assert whole(read(session, MANY))
    server.service.refuses = ["quotaExceeded"]
    with pytest.raises(WarehouseError, match="a quota of the project is used up") as raised:
        read(session, MANY)
    assert not raised.value.transient


# Streams.


@pytest.mark.parametrize("sql", [MANY, IN_ORDER])
@pytest.mark.parametrize(
    "fault",
    [
        Break("abort", 0, 3),
        Break("abort", 2, 3),
        Break("abort", 1, 100, grpc.StatusCode.INTERNAL),
        Break("abort", 4, 1, grpc.StatusCode.RESOURCE_EXHAUSTED),
        Break("session", 0, 2),
        Break("count", 1, 2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.after}-{fault.code.name}",
)
def test_a_stream_that_breaks_is_resumed_where_it_broke(
    server: BigQueryServer, session: BigQuerySession, sql: str, fault: Break
) -> None:
    server.service.breaks.append(replace(fault))
    found = read(session, sql)
    assert whole(found)
    assert sql == MANY or found.column(0).to_pylist() == list(range(1, 8001))
    if fault.kind == "abort":
        assert any(offset == 500 * fault.after for _, offset in server.service.reads)


def test_a_stream_that_is_silent_is_read_again(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    has_patience(session, stall_seconds=0.2)
    server.service.breaks.append(Break("stall", 2))
    assert read(session, IN_ORDER).column(0).to_pylist() == list(range(1, 8001))


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([Break("end", 1)], "announced 8,000 rows and sent "),
        ([Break("end", 0, 100)], "announced 8,000 rows and sent 0"),
        ([Break("again", 1)], "announced 8,000 rows and sent 8,500"),
        ([Break("abort", 2), Break("deaf", 0)], "announced 8,000 rows and sent 9,000"),
        ([Break("count", 0, 100)], "500 of 501 rows of a batch arrived"),
        ([Break("abort", 0, 100)], "after 4 tries (UNAVAILABLE: the stream broke): run it again"),
        ([Break("session", 0, 100)], "after 4 tries (UNAVAILABLE: no session now)"),
    ],
)
def test_g1_rows_that_are_lost_or_doubled_are_a_transient_failure(
    server: BigQueryServer, session: BigQuerySession, faults: list[Break], said: str
) -> None:
    server.service.breaks += [replace(each) for each in faults]
    with pytest.raises(WarehouseError) as raised:
        read(session, IN_ORDER)
    assert said in str(raised.value)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


@pytest.mark.parametrize(
    ("code", "cause", "said"),
    [
        ("PERMISSION_DENIED", Cause.PERMISSION, "Read Session User"),
        ("FAILED_PRECONDITION", Cause.TIMEOUT, "six hours"),
        ("INVALID_ARGUMENT", Cause.NETWORK, "INVALID_ARGUMENT: the stream broke"),
    ],
)
def test_what_trying_again_does_not_help_is_not_tried_again(
    server: BigQueryServer, session: BigQuerySession, code: str, cause: Cause, said: str
) -> None:
    server.service.breaks.append(Break("abort", 1, 100, grpc.StatusCode[code]))
    with pytest.raises(WarehouseError) as raised:
        read(session, IN_ORDER)
    assert said in str(raised.value)
    assert (raised.value.cause, raised.value.transient) == (cause, False)
    assert [offset for _, offset in server.service.reads] == [0]


_THREE = {"a": ("INTEGER", pa.array(range(6)))}


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"rows": 7}, "announced 7 rows and sent 6"),
        ({"rows": 0}, "announced 0 rows and sent 6"),
        ({"fields": [{"name": "b", "type": "INTEGER"}]}, "column 1 is 'b', but was sent as 'a'"),
        (
            {"fields": [{"name": "a", "type": "FLOAT"}]},
            "described as FLOAT, and sent as int64",
        ),
        (
            {"fields": [{"name": "a", "type": "NUMERIC"}]},
            "described as NUMERIC, and sent as int64",
        ),
        (
            {"fields": [{"name": "a", "type": "INTEGER", "mode": "REPEATED"}]},
            "described as ARRAY of INTEGER, and sent as int64",
        ),
        (
            {"fields": [{"name": n, "type": "INTEGER"} for n in "ab"]},
            "2 columns were described, 1 sent",
        ),
    ],
)
def test_g1_a_result_that_is_not_what_was_announced_is_an_error(
    server: BigQueryServer, session: BigQuerySession, claims: dict[str, Any], said: str
) -> None:
    server.service.engine.script("select a", replace(table(_THREE, 2), **claims))
    with pytest.raises(WarehouseError) as raised:
        read(session, "select a")
    assert said in str(raised.value)
    assert raised.value.transient


@pytest.mark.parametrize("said", [{"jobComplete": False}, {"jobComplete": True}])
def test_g1_a_result_of_which_nothing_is_said_is_an_error(
    server: BigQueryServer, session: BigQuerySession, said: dict[str, Any]
) -> None:
    server.service.results = lambda *_: said  # type: ignore[method-assign]
    with pytest.raises(WarehouseError, match="described no result") as raised:
        read(session, MANY)
    assert raised.value.transient
    assert raised.value.query_id == server.service.jobs[-1].id


def test_a_result_without_rows_is_read_too(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    answer = table({"a": ("INTEGER", pa.array([], pa.int64()))})
    server.service.engine.script("select a", answer)
    assert read(session, "select a").num_rows == 0
    server.service.engine.script("select a", replace(table(_THREE), batches=()))
    assert read(session, "select a").num_rows == 0
    assert len(server.service.sessions) == 2


# Cancels.


@pytest.mark.parametrize("sql", [MANY, IN_ORDER])
def test_g8_a_cancel_ends_the_wait_for_rows(
    server: BigQueryServer, session: BigQuerySession, sql: str
) -> None:
    server.service.breaks.append(Break("stall", 1))
    run = Run(lambda: read(session, sql))
    await_value("the stream", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)

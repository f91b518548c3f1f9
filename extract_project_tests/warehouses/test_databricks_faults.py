"""Databricks, when the network, the service or a chunk is not as it should be.

A result is whole, or the run fails (G1). A cancel reaches the statement wherever the run waits
(G8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.warehouses.databricks import DatabricksSession
from extract_project.warehouses.protocol import Query
from extract_project_tests.support.background import Run, cancelled
from extract_project_tests.support.databricks_server import (
    DatabricksServer,
    databricks_server,
    table,
)
from extract_project_tests.support.http_faults import Kind
from extract_project_tests.support.patience import has_patience
from extract_project_tests.support.rigs import (
    LABEL,
    databricks_service,
    databricks_warehouse,
    read,
)
from extract_project_tests.support.waiting import await_value

MANY = "select i as a from range(8000) t(i) order by i"
SLOW = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"


@pytest.fixture
def server() -> Iterator[DatabricksServer]:
    with databricks_server(databricks_service(chunk_rows=1000)) as server:
        yield server


@pytest.fixture
def session(server: DatabricksServer) -> Iterator[DatabricksSession]:
    with databricks_warehouse(server).connect(LABEL, timedelta(hours=1)) as session:
        yield session


def whole(found: pa.Table) -> bool:
    return bool(found.column(0).to_pylist() == list(range(8000)))


def taken(server: DatabricksServer) -> bool:
    """Whether each fault has met a request."""
    return all(not fault.times for fault in server.service.faults.pending)


# Requests.


@pytest.mark.parametrize(
    "fault",
    [
        ("/statements", "status", 429, "0.05"),
        ("/statements", "status", 503, ""),
        ("/result/chunks/3", "status", 503, "0.05"),
        ("/result/chunks/3", "status", 500, ""),
        ("/result/chunks/3", "drop", 0, ""),
        ("/external/", "status", 503, ""),
        ("/external/", "drop", 0, ""),
        ("/external/", "truncate", 0, ""),
        ("/external/", "short", 0, ""),
        ("/external/", "stall", 0, ""),
    ],
)
def test_a_fault_on_the_way_is_survived(
    server: DatabricksServer,
    session: DatabricksSession,
    fault: tuple[str, Kind, int, str],
) -> None:
    path, kind, status, after = fault
    server.service.faults.add(path, kind, times=2, status=status, retry_after=after)
    assert whole(read(session, MANY))
    assert taken(server)
    assert len(server.service.statements) == 1, "the query ran once"


def test_a_statement_that_may_have_started_is_not_started_again(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    server.service.faults.add("/statements", "drop")
    with pytest.raises(WarehouseError, match="no proper answer") as raised:
        read(session, MANY)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)
    assert len(server.service.statements) == 1


# Results that are not what was announced.


def test_links_that_have_expired_are_asked_for_again(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    result = session.execute(Query(MANY))
    batches = [next(rows := result.batches())]
    asked = server.service.links
    server.service.expire_links()
    batches += rows
    assert whole(pa.Table.from_batches(batches))
    assert server.service.links > asked


@pytest.mark.parametrize("kind", ["truncate", "short", "drop", "status", "stall"])
def test_g1_a_chunk_that_never_arrives_whole_is_a_transient_failure(
    server: DatabricksServer, session: DatabricksSession, kind: Kind
) -> None:
    has_patience(session, tries=2, stall_seconds=0.2)
    server.service.faults.add("/external/", kind, 10_000, 403)
    with pytest.raises(WarehouseError) as raised:
        read(session, MANY)
    assert "chunk 1 of 8 of the result did not arrive whole in 2 tries" in str(raised.value)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)
    assert ("HTTP 403" in str(raised.value)) == (kind == "status")
    assert "hunter2" not in str(raised.value), "a link is a secret"


def test_g1_a_link_to_another_chunk_is_not_followed(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    original = server.service.link

    def link(statement_id: str, number: int) -> dict[str, Any]:
        (other,) = original(statement_id, (number + 1) % 7)["external_links"]
        return {"external_links": [{**other, "chunk_index": number}]}

    server.service.link = link  # type: ignore[method-assign]
    with pytest.raises(WarehouseError, match="its link has 1000 rows from 1000: expected 1000"):
        read(session, MANY)


def test_a_manifest_that_lists_no_chunks_leaves_them_to_the_links(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    answer = table({"a": ("BIGINT", pa.array(range(8000)))}, 1000)
    server.service.engine.script("select a", replace(answer, without=("chunks",)))
    assert whole(read(session, "select a"))
    for claims, said in (
        ({"total_chunk_count": 7}, "behind it is chunk 8, which was not announced"),
        ({"total_row_count": 8001}, "announced 8,001 rows and sent 8,000"),
    ):
        lying = replace(answer, without=("chunks",), manifest=claims)
        server.service.engine.script("select a", lying)
        with pytest.raises(WarehouseError, match=said):
            read(session, "select a")


def test_g1_a_manifest_that_speaks_of_no_rows_is_not_believed_beside_some(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    """That of a result without rows has no chunks (ray-project/ray issue 54369)."""
    left_out = ("chunks", "total_chunk_count", "total_row_count")
    answer = replace(table({"a": ("BIGINT", pa.array(range(6)))}, 2), without=left_out)
    server.service.engine.script("select a", answer)
    with pytest.raises(WarehouseError, match="a result without rows, and sent some") as raised:
        read(session, "select a")
    assert raised.value.transient
    server.service.engine.script("select a", replace(answer, chunks=[]))
    assert read(session, "select a").num_rows == 0


def test_g1_a_chunk_behind_the_last_one_is_noticed(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    has_patience(session, tries=2)
    original = server.service.link

    def link(statement_id: str, number: int) -> dict[str, Any]:
        (each,) = original(statement_id, number)["external_links"]
        return {"external_links": [{**each, "next_chunk_index": number + 1}]}

    server.service.link = link  # type: ignore[method-assign]
    with pytest.raises(WarehouseError, match=r"chunk 8 of 8 .*behind it is chunk 9, which was not"):
        read(session, MANY)


_CHUNKS = [{"chunk_index": n, "row_offset": 2 * n, "row_count": 2} for n in range(3)]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"truncated": True}, "truncated the result"),
        ({"total_row_count": 7}, "announced 7 rows, and chunks of 6"),
        ({"total_chunk_count": 4}, "announced 4 chunks and listed 3"),
        ({"chunks": _CHUNKS[:2], "total_chunk_count": 2}, "announced 6 rows, and chunks of 4"),
        ({"chunks": _CHUNKS[1:], "total_chunk_count": 2}, "listed chunk 1 with rows from 2"),
        ({"chunks": [_CHUNKS[0], *_CHUNKS], "total_chunk_count": 4}, "listed chunk 0 with rows"),
        (
            {
                "chunks": [*_CHUNKS, {"chunk_index": 3, "row_offset": 6, "row_count": 1}],
                "total_chunk_count": 4,
                "total_row_count": 7,
            },
            "no longer there",
        ),
        (
            {"chunks": [{**_CHUNKS[0], "row_count": 3}, {**_CHUNKS[1], "row_offset": 3},
                        {**_CHUNKS[2], "row_offset": 5, "row_count": 1}]},
            "did not arrive whole",
        ),
        ({"format": "JSON_ARRAY"}, "not as ARROW_STREAM"),
        ({"schema": {"column_count": 2, "columns": [{"name": "a", "type_text": "BIGINT"}]}},
         "announced 2 columns and described 1"),
        ({"schema": {"columns": [{"name": "b", "type_text": "BIGINT"}]}},
         "column 1 is 'b', but was sent as 'a'"),
        ({"schema": {"columns": [{"name": "a", "type_text": "INT"}]}},
         "was described as INT, and sent as int64"),
        ({"schema": {"columns": [{"name": n, "type_text": "BIGINT"} for n in "ab"]}},
         "2 columns were described, 1 sent"),
        ({"schema": None}, "described no result"),
    ],
)  # fmt: skip
def test_g1_a_result_that_is_not_what_was_announced_is_an_error(
    server: DatabricksServer, session: DatabricksSession, claims: dict[str, Any], said: str
) -> None:
    rows = {"a": ("BIGINT", pa.array(range(6)))}
    server.service.engine.script("select a", table(rows, 2, **claims))
    with pytest.raises(WarehouseError) as raised:
        read(session, "select a")
    assert said in str(raised.value)
    assert raised.value.transient is (said not in ("truncated the result", "no longer there"))


# Cancels.


@pytest.mark.parametrize("kind", ["stall", "trickle", "silence"])
def test_g8_a_cancel_ends_a_download_at_once(
    server: DatabricksServer, session: DatabricksSession, kind: Kind
) -> None:
    server.service.faults.add("/external/", kind, times=4)
    run = Run(lambda: read(session, MANY))
    await_value("the downloads", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)

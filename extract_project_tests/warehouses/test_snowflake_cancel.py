"""A cancel and the end of `timeout` reach a Snowflake run wherever it waits (G8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.stopping import Stop, supervised
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.snowflake import SnowflakeSession
from extract_project.warehouses.snowflake.chunks import Patience
from extract_project_tests.support.background import Run, cancelled
from extract_project_tests.support.http_faults import Kind
from extract_project_tests.support.rigs import read
from extract_project_tests.support.snowflake_server import SnowflakeServer
from extract_project_tests.support.waiting import await_value

SLOW = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"
MANY = "select i as a from range(20000) t(i) order by i"
NEVER = Patience(stall_seconds=10_000)
"""Nothing ends a download but a cancel."""


def taken(server: SnowflakeServer) -> bool:
    """Whether the fault has met a request."""
    return all(not fault.times for fault in server.service.faults.pending)


# Aborts that are refused.


def _refuse(server: SnowflakeServer, times: int) -> None:
    server.service.aborts_refused = times


def _break(server: SnowflakeServer, times: int) -> None:
    server.service.faults.add("/abort-request", "status", times=times, status=400)


@pytest.mark.parametrize("times", [0, 1, 2, 5])
@pytest.mark.parametrize("refuse", [_refuse, _break], ids=["success: false", "http"])
def test_g8_a_refused_abort_is_tried_again_until_the_query_has_ended(
    server: SnowflakeServer,
    session: SnowflakeSession,
    refuse: Callable[[SnowflakeServer, int], None],
    times: int,
) -> None:
    run = Run(lambda: read(session, SLOW))
    query = await_value("the query", lambda: next(iter(server.service.queries), None))
    refuse(server, times)
    assert isinstance(cancelled(run, session), QueryCancelled)
    assert query.state == "ABORTED"


def test_g8_an_abort_that_is_never_accepted_does_not_hold_up_the_run(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    session.patience = Patience(abort_seconds=0.5)
    server.service.aborts_refused = 10_000
    run = Run(lambda: read(session, SLOW))
    query = await_value("the query", lambda: next(iter(server.service.queries), None))
    error = cancelled(run, session)
    assert isinstance(error, QueryCancelled)
    assert f"has not confirmed that query {query.id}" in str(error)
    assert error.query_id == query.id
    server.service.aborts_refused = 0
    server.service.abort(query.id)


def test_g8_a_query_that_ends_by_itself_meanwhile_needs_no_abort(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    server.service.hold = 60
    server.service.aborts_refused = 10_000
    run = Run(lambda: read(session, SLOW))
    query = await_value("the query", lambda: next(iter(server.service.queries), None))
    session.cancel()
    await_value("the first refusal", lambda: server.service.aborts or None)
    server.service.aborts_refused = 0
    server.service.abort(query.id)
    await_value("the end of the run", run.ended)
    assert isinstance(run.error, QueryCancelled)
    assert "confirmed" not in str(run.error)


# Connections that say nothing.


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/queries/v1/query-request", "/result"])
@pytest.mark.parametrize("kind", ["silence", "stall"])
def test_g8_a_cancel_ends_a_request_that_is_not_answered(
    server: SnowflakeServer, session: SnowflakeSession, path: str, kind: Kind
) -> None:
    session.patience = Patience(abort_seconds=1)
    server.service.faults.add(path, kind)
    run = Run(lambda: read(session, SLOW))
    await_value("the request", lambda: taken(server) or None)
    error = cancelled(run, session)
    assert isinstance(error, QueryCancelled)
    assert ("has not said whether it has" in str(error)) == path.startswith("/queries")


@pytest.mark.parametrize("ask", ["describe", "last_changes"])
def test_g8_a_cancel_ends_questions_too(
    server: SnowflakeServer, session: SnowflakeSession, ask: str
) -> None:
    server.service.faults.add("/queries/v1/query-request", "silence")
    asked: dict[str, Callable[[], Any]] = {
        "describe": lambda: session.describe(Query(MANY)),
        "last_changes": lambda: session.last_changes(["shop.orders"]),
    }
    run = Run(asked[ask])
    await_value("the request", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)


# Chunks that do not come.


@pytest.mark.parametrize("kind", ["stall", "trickle", "silence"])
def test_g8_a_cancel_ends_a_download_at_once(
    server: SnowflakeServer, session: SnowflakeSession, kind: Kind
) -> None:
    session.patience = NEVER
    server.service.faults.add("/chunks/", kind, times=4)
    run = Run(lambda: read(session, MANY))
    await_value("the downloads", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)


@pytest.mark.parametrize("kind", ["stall", "trickle", "silence"])
def test_g8_the_end_of_timeout_ends_a_download_at_once(
    server: SnowflakeServer, session: SnowflakeSession, kind: Kind
) -> None:
    session.patience = NEVER
    server.service.faults.add("/chunks/", kind, times=10_000)
    stop = Stop(timedelta(seconds=1))

    def work() -> None:
        with stop.cancelling(session.cancel):
            read(session, MANY)

    with pytest.raises(QueryTimeout, match="'timeout' in the header"):
        supervised(work, stop)


def test_g8_a_cancel_ends_the_pause_between_two_downloads(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    session.patience = replace(NEVER, first_pause=10_000)
    server.service.faults.add("/chunks/", "drop", times=1)
    run = Run(lambda: read(session, MANY))
    await_value("the download", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)


def test_g8_a_cancel_ends_the_wait_for_fresh_addresses(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    session.patience = replace(NEVER, first_pause=0.001)
    batches = session.execute(Query(MANY)).batches()
    next(batches)
    server.service.expire_urls()
    server.service.faults.add("/result", "silence")
    run = Run(lambda: list(batches))
    await_value("the request", lambda: taken(server) or None)
    assert isinstance(cancelled(run, session), QueryCancelled)


def _end_sessions(server: SnowflakeServer) -> None:
    server.service.end_sessions()


def _refuse_results(server: SnowflakeServer) -> None:
    server.service.faults.add("/result", "status", times=10_000, status=400)


@pytest.mark.parametrize("refuse", [_end_sessions, _refuse_results])
def test_addresses_that_cannot_be_renewed_are_a_transient_error(
    server: SnowflakeServer, session: SnowflakeSession, refuse: Callable[[SnowflakeServer], None]
) -> None:
    session.patience = Patience(first_pause=0.001)
    batches = session.execute(Query(MANY)).batches()
    next(batches)
    server.service.expire_urls()
    refuse(server)
    with pytest.raises(WarehouseError) as raised:
        list(batches)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)

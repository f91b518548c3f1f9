"""BigQuery and Databricks, which run a query by themselves: what both do when the service is not as
it should be.

A query is started once. A cancel reaches it wherever the run waits (G8).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, WarehouseError
from extract_project.stopping import Stop, supervised
from extract_project.warehouses.protocol import Query
from extract_project_tests.support import bigquery_server, databricks_server
from extract_project_tests.support.background import Run, cancelled
from extract_project_tests.support.http_faults import Kind
from extract_project_tests.support.patience import has_patience
from extract_project_tests.support.rigs import (
    LABEL,
    bigquery_service,
    bigquery_warehouse,
    databricks_service,
    databricks_warehouse,
    read,
)
from extract_project_tests.support.waiting import await_value

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Remote:
    """A service, a session on it, and what differs between the two."""

    service: Any
    session: Any
    many: str
    """A query of some rows."""
    slow: str
    start: str
    """The double's method that starts a query."""
    queries: Sequence[Any]
    """The queries that were started."""
    ended: str
    """The state of a query that was cancelled."""
    requests: str
    """What the path of a request begins with that asks a question."""
    starts: str
    """How the path of the request ends that starts a query."""
    result: str
    """Part of the path of the first request for its result."""
    waits: str
    """What the log says of a query that has not begun."""
    by_hand: str
    """What a person is told to do who wants to end a query."""
    fail_polls: Callable[[], object]
    """Refuse the next request that asks how the query is."""
    cancel: Callable[[str], object]

    def has_met_its_fault(self) -> bool | None:
        return None if any(each.times for each in self.service.faults.pending) else True


@contextmanager
def bigquery() -> Iterator[Remote]:
    with bigquery_server.bigquery_server(bigquery_service()) as server:
        service = server.service
        rows = {"a": ("INTEGER", pa.array(range(8000)))}
        service.engine.script("select a", bigquery_server.table(rows, chunk_rows=1000))
        with bigquery_warehouse(server).connect(LABEL, HOUR) as session:
            yield Remote(
                service=service,
                session=session,
                many="select a",
                slow="select count(*) as n from unnest(generate_array(1, 100000000000)) as i "
                "where mod(i, 7) = 3",
                start="insert",
                queries=service.jobs,
                ended="DONE",
                requests="/bigquery/v2/projects/acme/",
                starts="/jobs",
                result="/bigquery/v2/projects/acme/queries/",
                waits="for slots",
                by_hand="has confirmed that bigquery job {id} was: it ends by itself at its "
                "timeout, or run: bq --project_id=acme --location=EU cancel {id}",
                fail_polls=lambda: setattr(
                    service, "on_poll", lambda job: service.faults.add(job.id, "status", 1, 400)
                ),
                cancel=lambda query_id: service.cancel(query_id, "EU"),
            )


@contextmanager
def databricks() -> Iterator[Remote]:
    with databricks_server.databricks_server(databricks_service(chunk_rows=1000)) as server:
        service = server.service
        original = service.status

        def refused(statement_id: str) -> dict[str, Any]:
            service.status = original  # type: ignore[method-assign]
            service.faults.add(statement_id, "status", 1, 400)
            return original(statement_id)

        with databricks_warehouse(server).connect(LABEL, HOUR) as session:
            yield Remote(
                service=service,
                session=session,
                many="select i as a from range(8000) t(i) order by i",
                slow="select count(*) as n from range(100000000000) t(n) where n % 7 = 3",
                start="submit",
                queries=service.statements,
                ended="CANCELED",
                requests="/api/2.0/sql/statements",
                starts="/statements",
                result="/result/chunks/0",
                waits="whose state is starting",
                by_hand="has confirmed that databricks statement {id} was: it ends by itself at "
                "its timeout, or run: databricks api post /api/2.0/sql/statements/{id}/cancel",
                fail_polls=lambda: setattr(service, "status", refused),
                cancel=service.cancel,
            )


@pytest.fixture(params=[bigquery, databricks], ids=lambda made: made.__name__)
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    with request.param() as made:
        yield made


def test_a_service_that_stays_busy_is_a_transient_failure_and_logged(
    remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    has_patience(remote.session, busy_seconds=0.2)
    remote.service.faults.add(remote.starts, "status", 10_000, 429, retry_after="0.05")
    with pytest.raises(WarehouseError, match="HTTP 429") as raised:
        read(remote.session, remote.many)
    assert (raised.value.cause, raised.value.transient) == (Cause.BUSY, True)
    assert "waiting for" in caplog.text
    assert not remote.queries


def test_a_poll_that_fails_for_good_ends_the_query(remote: Remote) -> None:
    remote.service.running.clear()
    remote.fail_polls()
    with pytest.raises(WarehouseError, match="HTTP 400") as raised:
        remote.session.execute(Query(remote.slow))
    assert raised.value.query_id == remote.queries[-1].id
    assert remote.queries[-1].state == remote.ended


def test_the_wait_for_a_query_to_begin_is_logged(
    remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    remote.service.running.clear()
    with caplog.at_level(logging.WARNING):
        run = Run(lambda: read(remote.session, remote.many))
        await_value("the log", lambda: remote.waits in caplog.text or None)
    remote.service.running.set()
    await_value("the end of the run", run.ended)
    assert run.error is None
    assert remote.queries[-1].id in caplog.text


@pytest.mark.parametrize("times", [0, 1, 3])
def test_g8_a_cancel_that_is_lost_is_sent_again_until_the_query_has_ended(
    remote: Remote, times: int
) -> None:
    run = Run(lambda: read(remote.session, remote.slow))
    await_value("the query", lambda: remote.queries or None)
    remote.service.cancels_refused = times
    assert isinstance(cancelled(run, remote.session), QueryCancelled)
    assert remote.queries[-1].state == remote.ended
    assert remote.service.cancels > times


def test_g8_a_cancel_that_is_never_heeded_does_not_hold_up_the_run(remote: Remote) -> None:
    has_patience(remote.session, abort_seconds=0.2)
    run = Run(lambda: read(remote.session, remote.slow))
    (query,) = await_value("the query", lambda: remote.queries or None)
    remote.service.cancels_refused = 10_000
    error = cancelled(run, remote.session)
    assert remote.by_hand.format(id=query.id) in str(error)
    remote.service.cancels_refused = 0
    remote.cancel(query.id)


def test_g8_a_cancel_before_the_query_has_started_still_ends_it(remote: Remote) -> None:
    has_patience(remote.session, start_seconds=30)
    original = getattr(remote.service, remote.start)

    def start(body: Any) -> dict[str, Any]:
        reply: dict[str, Any] = original(body)
        if remote.queries:  # and no dry run
            remote.session.cancel()
            threading.Event().wait(0.3)  # longer than it takes a run to notice
        return reply

    setattr(remote.service, remote.start, start)
    run = Run(lambda: read(remote.session, remote.slow))
    await_value("the end of the run", run.ended)
    assert isinstance(run.error, QueryCancelled)
    assert remote.queries[-1].state == remote.ended


@pytest.mark.parametrize("request_for", ["starts", "result"])
@pytest.mark.parametrize("kind", ["silence", "stall"])
def test_g8_a_cancel_ends_a_request_that_is_not_answered(
    remote: Remote, request_for: str, kind: Kind
) -> None:
    remote.service.faults.add(getattr(remote, request_for), kind)
    run = Run(lambda: read(remote.session, remote.many))
    await_value("the request", remote.has_met_its_fault)
    assert isinstance(cancelled(run, remote.session), QueryCancelled)


def test_g8_a_cancel_ends_the_wait_that_the_service_asks_for(remote: Remote) -> None:
    remote.service.faults.add(remote.starts, "status", status=503, retry_after="60")
    run = Run(lambda: read(remote.session, remote.many))
    await_value("the request", remote.has_met_its_fault)
    assert isinstance(cancelled(run, remote.session), QueryCancelled)


@pytest.mark.parametrize("ask", ["describe", "last_changes", "facts"])
def test_g8_a_cancel_ends_questions_too(remote: Remote, ask: str) -> None:
    remote.service.faults.add(remote.requests, "silence")
    asked: dict[str, Callable[[], Any]] = {
        "describe": lambda: remote.session.describe(Query(remote.many)),
        "last_changes": lambda: remote.session.last_changes(["shop.orders"]),
        "facts": lambda: remote.session.facts("shop.orders"),
    }
    run = Run(asked[ask])
    await_value("the request", remote.has_met_its_fault)
    assert isinstance(cancelled(run, remote.session), QueryCancelled)


def test_g8_the_end_of_timeout_ends_the_query(remote: Remote) -> None:
    stop = Stop(timedelta(seconds=0.5))

    def work() -> None:
        with stop.cancelling(remote.session.cancel):
            read(remote.session, remote.slow)

    with pytest.raises(QueryTimeout, match="'timeout' in the header"):
        supervised(work, stop)
    assert remote.queries[-1].state == remote.ended

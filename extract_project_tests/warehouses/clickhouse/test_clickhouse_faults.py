"""ClickHouse: answers that are cut, and queries that do not end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from extract_project.errors import Cause, QueryCancelled, WarehouseError
from extract_project.warehouses.clickhouse.session import ClickHouseSession
from extract_project.warehouses.clickhouse.stream import END
from extract_project.warehouses.conformance.waiting import await_value
from extract_project.warehouses.protocol import Query
from extract_project_tests.support.background import Run, cancelled
from extract_project_tests.support.chdb_server import ChdbServer, Cut
from extract_project_tests.support.rigs import LABEL, clickhouse_warehouse, read

pytestmark = pytest.mark.own_engine
HOUR = timedelta(hours=1)
ROWS = "select number, toString(number) as text from numbers(400) settings max_block_size = 100"
SLOW = "select count() as n from numbers(100000000000000) where number % 7 = 3"


@pytest.mark.parametrize("how", ["broken", "ended", "error"])
def test_an_answer_that_is_cut_anywhere_is_an_error(server: ChdbServer, how: str) -> None:
    """Also between two messages, where Arrow's reader takes it for the end."""
    service = server.service
    body = b"".join(service.engine.run(ROWS, "ArrowStream"))
    assert body.endswith(END)
    borders = [i for i in range(len(body)) if body.startswith(END[:4], i)]
    places = {*range(0, len(body), len(body) // 12), *borders, *(i + 4 for i in borders)}
    places |= {len(body) - 1, len(body) - len(END)} | ({len(body)} if how == "error" else set())
    assert len(borders) >= 6  # the schema, the batches, the end
    with clickhouse_warehouse(server).connect(LABEL, HOUR) as session:
        for after in sorted(places):
            service.cut = Cut(after, how)  # type: ignore[arg-type]
            with pytest.raises(WarehouseError) as raised:
                read(session, ROWS)
            assert raised.value.transient, after
            if how == "error":
                assert "Memory limit (total) exceeded" in str(raised.value), after
                assert raised.value.cause is Cause.BUSY
            else:
                assert raised.value.cause is Cause.NETWORK, after
        service.cut = Cut(len(body), "ended")
        assert read(session, ROWS).num_rows == 400


def test_g8_a_kill_that_is_lost_is_repeated(server: ChdbServer) -> None:
    server.service.kills_ignored = 2
    failure = _cancelled_while_it_runs(server)
    assert server.service.kills >= 3
    assert not server.service.running
    assert isinstance(failure, QueryCancelled)


def test_g8_a_kill_without_effect_is_told_with_the_statement(server: ChdbServer) -> None:
    server.service.kills_ignored = 1000
    failure = _cancelled_while_it_runs(server)
    (query_id,) = server.service.running
    assert "clickhouse has not confirmed" in str(failure)
    assert f"run: kill query where query_id = '{query_id}'" in str(failure)
    server.service.engine.kill()
    await_value("the query to end", lambda: not server.service.running)


def _cancelled_while_it_runs(server: ChdbServer) -> Exception | None:
    with _running(server) as (session, run):
        return cancelled(run, session)


@contextmanager
def _running(server: ChdbServer) -> Iterator[tuple[ClickHouseSession, Run]]:
    """A session whose slow query runs on the server."""
    with clickhouse_warehouse(server).connect(LABEL, HOUR) as session:
        run = Run(lambda: session.execute(Query(SLOW)))
        await_value("the query to run", lambda: any(a.sql == SLOW for a in server.service.asked))
        yield session, run


def test_a_query_that_is_silent_is_waited_for_while_the_server_runs_it(server: ChdbServer) -> None:
    """Longer than what is taken for silence; it is gone when the server no longer knows it."""
    with _running(server) as (_, run):
        server.service.hosts = ("a", "another")
        await_value("it to be asked for", lambda: server.service.looks >= 4)
        assert not run.ended()
        server.service.hosts = ("a",)
        server.service.running.clear()
        await_value("the end of the run", run.ended)
    failure = run.error
    assert isinstance(failure, WarehouseError)
    assert "has stopped answering, and no longer runs the query" in str(failure)
    assert failure.transient
    server.service.engine.kill()

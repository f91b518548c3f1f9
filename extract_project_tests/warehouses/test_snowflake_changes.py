"""Which tables have changed: many in one question, and no answer that is none."""

from __future__ import annotations

from typing import Any

import pytest

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.snowflake import SnowflakeSession
from extract_project_tests.support.snowflake_server import SnowflakeError, SnowflakeServer

NOON = 1_774_785_600_000_000_000


def asked(server: SnowflakeServer) -> int:
    return len(server.service.queries)


def test_many_tables_are_one_question(server: SnowflakeServer, session: SnowflakeSession) -> None:
    tables = [f"shop.t{n}" for n in range(500)]
    server.service.engine.changed = {table: NOON + n for n, table in enumerate(tables)}
    changes = session.last_changes(tables)
    assert {table: each.token for table, each in changes.items()} == {
        table: str(NOON + n) for n, table in enumerate(tables)
    }
    assert asked(server) == 3  # 200 at a time


@pytest.mark.parametrize(
    ("missing", "questions"),
    [([], 1), ([0], 17), ([199], 17), ([3, 150], 31)],
    ids=["none", "the first", "the last", "two"],
)
def test_unknown_tables_leave_the_others_known(
    server: SnowflakeServer, session: SnowflakeSession, missing: list[int], questions: int
) -> None:
    tables = [f"shop.t{n}" for n in range(200)]
    known = [table for n, table in enumerate(tables) if n not in missing]
    server.service.engine.changed = dict.fromkeys(known, NOON)
    assert set(session.last_changes(tables)) == set(known)
    assert asked(server) <= questions


def test_names_are_quoted(server: SnowflakeServer, session: SnowflakeSession) -> None:
    server.service.engine.changed = {"shop.it''s": NOON}
    assert set(session.last_changes(["shop.it's"])) == {"shop.it's"}


def test_no_tables_are_no_question(server: SnowflakeServer, session: SnowflakeSession) -> None:
    assert session.last_changes([]) == {}
    assert asked(server) == 0


@pytest.mark.parametrize("code", ["000603", "000606", "000608", "090073", "000604", "000630"])
def test_an_error_that_is_not_about_tables_is_an_error(
    server: SnowflakeServer, session: SnowflakeSession, code: str
) -> None:
    """Else a warehouse that is down would look like a table that is gone."""
    question = "select system$last_change_commit_time('shop.a')"
    server.service.engine.script(question, SnowflakeError(code, "XX000", "not now"))
    with pytest.raises(WarehouseError):
        session.last_changes(["shop.a"])


def _end_sessions(server: SnowflakeServer) -> Any:
    return server.service.end_sessions()


def _break_replies(server: SnowflakeServer) -> Any:
    return server.service.faults.add(
        "/queries/v1/query-request", "status", times=10_000, status=400
    )


@pytest.mark.parametrize("lose", [_end_sessions, _break_replies])
def test_a_lost_connection_is_not_an_unknown_table(
    server: SnowflakeServer, session: SnowflakeSession, lose: Any
) -> None:
    server.service.engine.changed = {"shop.a": NOON}
    lose(server)
    with pytest.raises(WarehouseError) as raised:
        session.last_changes(["shop.a", "shop.b"])
    assert raised.value.cause is Cause.NETWORK

"""Each kind of failure, from a real refusal to its cause, and what its report says to do next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from extract_project.errors import Cause, ExtractError, StoreError, WarehouseError
from extract_project.orchestration.run.failures import (
    Attempt,
    cause_of,
    failure,
    is_transient,
)
from extract_project.orchestration.run.standing import Current
from extract_project.store.s3.errors import translated
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import Query, Warehouse
from extract_project_tests.support.parsing import valid
from extract_project_tests.support.rigs import LABEL, snowflake_service, snowflake_warehouse
from extract_project_tests.support.snowflake_server import SnowflakeServer, snowflake_server

ATTEMPT = Attempt(valid("/*---\nretries: {max: 2}\n---*/\nselect 1 as a"))


def refusal(warehouse: Warehouse, sql: str) -> ExtractError:
    with (
        pytest.raises(ExtractError) as raised,
        warehouse.connect(LABEL, timedelta(minutes=1)) as session,
    ):
        list(session.execute(Query(sql)).batches())
    return raised.value


def report(error: Exception, attempt: Attempt = ATTEMPT) -> str:
    return failure(error, attempt, Current(None)).description or ""


def test_a_limit_of_the_header_is_told_at_its_line() -> None:
    error = WarehouseError("it reads too much")
    error.key = "max_bytes"
    text = "/*---\ngroup: a\nmax_bytes: 1MB\n---*/\nselect 1 as a"
    told = report(error, Attempt(valid(text, "bigquery")))
    assert told.startswith("a/b.sql:3:1: it reads too much\n\n    3 | max_bytes: 1MB\n")


@pytest.fixture
def limited(postgres: PostgresWarehouse) -> Iterator[PostgresWarehouse]:
    """A user without any grant, who may have one connection."""
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as connection:
        connection.execute("create table if not exists secrets as select 1 as a")
        connection.execute("create role nobody login connection limit 1")
        yield postgres.model_copy(update={"user": "nobody"})
        connection.execute("drop role nobody")


def test_postgres_permission(limited: PostgresWarehouse) -> None:
    error = refusal(limited, "select * from secrets")
    assert cause_of(error) is Cause.PERMISSION
    assert "grant select on it" in report(error)
    assert not is_transient(error)


def test_postgres_busy(limited: PostgresWarehouse) -> None:
    with limited.connect(LABEL, timedelta(minutes=1)):
        error = refusal(limited, "select 1")
    assert cause_of(error) is Cause.BUSY
    assert is_transient(error)


def test_postgres_sign_in(postgres: PostgresWarehouse) -> None:
    error = refusal(postgres.model_copy(update={"user": "stranger"}), "select 1")
    assert cause_of(error) is Cause.SIGN_IN
    assert not is_transient(error)
    assert "next: correct the sign-in of warehouse 'shop'" in report(error)


def test_postgres_unreachable(postgres: PostgresWarehouse) -> None:
    error = refusal(postgres.model_copy(update={"host": "127.0.0.1", "port": 1}), "select 1")
    assert cause_of(error) is Cause.NETWORK
    assert is_transient(error)


def test_postgres_timeout(postgres: PostgresWarehouse) -> None:
    with (
        pytest.raises(ExtractError) as raised,
        postgres.connect(LABEL, timedelta(seconds=-59)) as session,  # the server's own, a second
    ):
        list(session.execute(Query("select pg_sleep(30)")).batches())
    assert cause_of(raised.value) is Cause.TIMEOUT


@pytest.fixture
def snowflake() -> Iterator[SnowflakeServer]:
    with snowflake_server(snowflake_service()) as server:
        yield server


def test_snowflake_sign_in(snowflake: SnowflakeServer) -> None:
    stranger = snowflake_warehouse(
        snowflake, token="wrong", authenticator="programmatic_access_token"
    )
    assert cause_of(refusal(stranger, "select 1")) is Cause.SIGN_IN


def test_snowflake_unknown_table(snowflake: SnowflakeServer) -> None:
    error = refusal(snowflake_warehouse(snowflake), "select * from shop.nothing")
    assert cause_of(error) in (Cause.PERMISSION, Cause.SQL)
    assert not is_transient(error)


def test_duckdb_memory(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(type="duckdb", memory_limit="8MB", threads=1)
    error = refusal(warehouse, "select list(i) as l from range(100000000) t(i)")
    assert cause_of(error) is Cause.MEMORY
    assert "raise MEMORY_LIMIT" in report(error)


def of_s3(error: Exception) -> Exception:
    """What the store raises for an error of its client."""
    with pytest.raises(StoreError) as raised, translated():
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("error", "cause", "transient"),
    [
        (
            of_s3(ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")),
            Cause.PERMISSION,
            False,
        ),
        (of_s3(ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")), Cause.S3, True),
        (of_s3(EndpointConnectionError(endpoint_url="https://s3")), Cause.NETWORK, True),
        (of_s3(NoCredentialsError()), Cause.SETTINGS, False),
        (MemoryError(), Cause.MEMORY, False),
        (KeyError("x"), Cause.OURS, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_failures(error: Exception, cause: Cause, transient: bool) -> None:
    assert cause_of(error) is cause
    assert is_transient(error) is transient
    assert "next: " in report(error)


def test_a_card_says_whether_another_try_follows() -> None:
    error = WarehouseError("gone", cause=Cause.NETWORK, transient=True)
    assert "this was attempt 1 of 3, and the next follows" in report(error)
    last = Attempt(ATTEMPT.extract, None, 3)
    assert "when the network works again: extract rerun --failed" in report(error, last)


def test_every_cause_has_a_next_step() -> None:
    for cause in Cause:
        error = WarehouseError("what happened", cause=cause)
        text = report(error)
        assert "\n\nnext: " in text
        assert "{" not in text

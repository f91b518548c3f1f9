"""The session's parameters are ours, whatever the account or the user has set (G5)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extract_project.errors import Cause, QueryTimeout, WarehouseError
from extract_project.warehouses.snowflake.parameters import LEFT, LIMITS, OURS, REFUSED
from extract_project_tests.support.rigs import LABEL, read, snowflake_warehouse
from extract_project_tests.support.snowflake_server import SnowflakeServer, table
from extract_project_tests.support.snowflake_server.parameters import DEFAULTS
from extract_project_tests.support.snowflake_server.wire import Column

HOUR = timedelta(hours=1)

HOSTILE = {
    "ROWS_PER_RESULTSET": "7",
    "SEARCH_PATH": "$current, other",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "true",
    "DEFAULT_NULL_ORDERING": "FIRST",
    "MULTI_STATEMENT_COUNT": "0",
    "AUTOCOMMIT": "false",
    "TIMEZONE": "Pacific/Honolulu",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_LTZ",
    "TIMESTAMP_DAY_IS_ALWAYS_24H": "true",
    "WEEK_START": "7",
    "WEEK_OF_YEAR_POLICY": "1",
    "TWO_DIGIT_CENTURY_START": "2000",
    "DATE_INPUT_FORMAT": "DD/MM/YYYY",
    "TIME_INPUT_FORMAT": "HH12:MI AM",
    "TIMESTAMP_INPUT_FORMAT": "DD/MM/YYYY HH24:MI",
    "BINARY_INPUT_FORMAT": "UTF-8",
    "BINARY_OUTPUT_FORMAT": "BASE64",
    "DATE_OUTPUT_FORMAT": "DD.MM.YY",
    "TIME_OUTPUT_FORMAT": "HH24:MI",
    "TIMESTAMP_OUTPUT_FORMAT": "DD.MM.YY",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "DD.MM.YY",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "DD.MM.YY",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "DD.MM.YY",
    "GEOGRAPHY_OUTPUT_FORMAT": "WKB",
    "GEOMETRY_OUTPUT_FORMAT": "WKT",
    "JSON_INDENT": "8",
    "STRICT_JSON_OUTPUT": "false",
    "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": "true",
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON",
    "ABORT_DETACHED_QUERY": "false",
    "CLIENT_RESULT_CHUNK_SIZE": "160",
}

Look = Callable[[list[dict[str, Any]]], Any]

SEEN: dict[str, tuple[str, Look, Any]] = {
    "ROWS_PER_RESULTSET": ("select i from range(20) t(i)", len, 20),
    "JSON_INDENT": ("select v from documents", lambda rows: rows[0]["v"], '{"a":[1,2.50]}'),
    "STRICT_JSON_OUTPUT": ("select w from documents", lambda rows: rows[0]["w"], "[1,null]"),
    "GEOGRAPHY_OUTPUT_FORMAT": (
        "select place from documents",
        lambda rows: rows[0]["place"],
        '{"type":"Point","coordinates":[1,2]}',
    ),
    "GEOMETRY_OUTPUT_FORMAT": (
        "select shape from documents",
        lambda rows: rows[0]["shape"],
        "SRID=4326;POINT(1 2)",
    ),
    "TIMEZONE": (
        "select '2026-07-01 00:00:00+00:00'::timestamp_ltz::date as d",
        lambda rows: rows[0]["D"],
        date(2026, 7, 1),
    ),
    "TIMESTAMP_TYPE_MAPPING": (
        "select '2026-07-01 01:00:00'::timestamp as t",
        lambda rows: rows[0]["T"],
        datetime(2026, 7, 1, 1),
    ),
    "QUOTED_IDENTIFIERS_IGNORE_CASE": (
        'select 1 as "orderId"',
        lambda rows: list(rows[0]),
        ["orderId"],
    ),
    "DEFAULT_NULL_ORDERING": (
        "select * from (values (1), (null)) t(n) order by n",
        lambda rows: [row["N"] for row in rows],
        [1, None],
    ),
}
"""What a parameter shows in: a query, what to look at, and what it is in every account."""

POINT = '{"type":"Point","coordinates":[1,2]}'


@pytest.fixture
def documents(server: SnowflakeServer) -> None:
    columns = {
        "v": Column("v", "VARIANT"),
        "w": Column("w", "ARRAY"),
        "place": Column("place", "OBJECT", extended="GEOGRAPHY"),
        "shape": Column("shape", "OBJECT", extended="GEOMETRY"),
    }
    values = {"v": '{"a":[1,2.50]}', "w": "[1,undefined]", "place": POINT, "shape": POINT}
    for name, column in columns.items():
        answer = table([column], [[values[name]]])
        server.service.engine.script(f"select {name} from documents", answer)


def test_every_parameter_that_snowflake_documents_is_decided_on() -> None:
    decided = [*OURS, *LIMITS, *LEFT]
    assert sorted(decided) == sorted(set(decided))
    assert set(decided) == set(DEFAULTS)
    assert set(REFUSED) <= set(LEFT)
    assert set(HOSTILE) == set(OURS)


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("level", ["account_parameters", "user_parameters"])
@pytest.mark.parametrize("name", SEEN)
def test_g5_a_result_is_the_same_whatever_the_account_has_set(
    server: SnowflakeServer, name: str, level: str
) -> None:
    """First that the double obeys the parameter: only then does it show that ours wins."""
    sql, look, expected = SEEN[name]
    getattr(server.service, level)[name] = HOSTILE[name]
    assert look(_rows_of_another_client(server, sql)) != expected
    with snowflake_warehouse(server).connect(LABEL, HOUR) as session:
        assert look(read(session, sql).to_pylist()) == expected


@pytest.mark.usefixtures("documents")
def test_g5_an_account_with_every_parameter_hostile(server: SnowflakeServer) -> None:
    server.service.account_parameters.update(HOSTILE)
    server.service.user_parameters.update(HOSTILE)
    with snowflake_warehouse(server).connect(LABEL, HOUR) as session:
        for sql, look, expected in SEEN.values():
            assert look(read(session, sql).to_pylist()) == expected, sql
    values = server.service.sessions[-1].parameters
    assert {name: values[name] for name in OURS} == {n: each.value for n, each in OURS.items()}


@pytest.mark.parametrize("name", OURS)
def test_g5_a_parameter_that_the_account_does_not_let_us_set_is_an_error(
    server: SnowflakeServer, name: str
) -> None:
    server.service.account_parameters[name] = HOSTILE[name]
    server.service.unsettable.add(name)
    with (
        pytest.raises(WarehouseError, match=f"{name} is '.*unset them") as raised,
        snowflake_warehouse(server).connect(LABEL, HOUR),
    ):
        pass
    assert raised.value.cause is Cause.SETTINGS
    assert server.service.sessions[-1].state == "gone"


def test_g5_secure_views_are_not_seen_as_another_account(server: SnowflakeServer) -> None:
    server.service.user_parameters["SIMULATED_DATA_SHARING_CONSUMER"] = "XY12345"
    with (
        pytest.raises(WarehouseError, match="SIMULATED_DATA_SHARING_CONSUMER is 'XY12345'"),
        snowflake_warehouse(server).connect(LABEL, HOUR),
    ):
        pass


def test_values_are_compared_as_snowflake_may_spell_them(server: SnowflakeServer) -> None:
    respelt = {"AUTOCOMMIT": "TRUE", "SEARCH_PATH": "$current,$public", "TIMEZONE": "utc"}
    server.service.account_parameters.update(respelt)
    server.service.unsettable.update(respelt)
    with snowflake_warehouse(server).connect(LABEL, HOUR) as session:
        assert read(session, "select 1 as i").num_rows == 1


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, ("3660", "3660", "3660")),
        (dict.fromkeys(LIMITS, "60"), ("60", "60", "60")),
        (dict.fromkeys(LIMITS, "0"), ("3660", "3660", "0")),
        (dict.fromkeys(LIMITS, "604800"), ("3660", "3660", "3660")),
    ],
    ids=["defaults", "lower", "zero", "higher"],
)
@pytest.mark.parametrize("level", ["account_parameters", "user_parameters"])
def test_g8_the_lower_of_two_limits_counts(
    server: SnowflakeServer, level: str, theirs: dict[str, str], expected: tuple[str, ...]
) -> None:
    getattr(server.service, level).update(theirs)
    with snowflake_warehouse(server).connect(LABEL, HOUR):
        values = server.service.sessions[-1].parameters
    assert tuple(values[name] for name in LIMITS) == expected


def test_g8_the_users_own_timeout_ends_a_query(server: SnowflakeServer) -> None:
    server.service.user_parameters["STATEMENT_TIMEOUT_IN_SECONDS"] = "1"
    slow = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"
    with (
        snowflake_warehouse(server).connect(LABEL, HOUR) as session,
        pytest.raises(QueryTimeout, match=r"timeout of 1 second"),
    ):
        read(session, slow)


def _rows_of_another_client(server: SnowflakeServer, sql: str) -> list[dict[str, Any]]:
    """As the account itself would have it."""
    import snowflake.connector

    connection = snowflake.connector.connect(
        account="acme-prod",
        user="loader",
        authenticator="programmatic_access_token",
        token="pat",
        host=server.host,
        port=server.port,
        protocol="http",
        enable_server_session_keep_alive_auto_detection=False,
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(sql)
        names = [each.name for each in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_the_page_for_users_has_every_parameter() -> None:
    page = (Path(__file__).parents[2] / "docs" / "snowflake.md").read_text()
    missing = [name for name in [*OURS, *LIMITS, *REFUSED] if f"`{name}`" not in page]
    assert not missing

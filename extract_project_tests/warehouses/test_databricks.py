"""Databricks: signing in, types, errors, and what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from extract_project.doctor.warehouses import sign_in
from extract_project.errors import (
    Cause,
    QueryCancelled,
    QueryTimeout,
    TypeMappingError,
    WarehouseError,
)
from extract_project.warehouses.databricks import DatabricksSession, DatabricksWarehouse
from extract_project.warehouses.facts import ColumnFacts
from extract_project.warehouses.protocol import Label, Query
from extract_project_tests.support.databricks_server import (
    DatabricksServer,
    StatementError,
    databricks_server,
    table,
)
from extract_project_tests.support.rigs import (
    LABEL,
    databricks_service,
    databricks_warehouse,
    read,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def server() -> Iterator[DatabricksServer]:
    with databricks_server(databricks_service(chunk_rows=1000)) as server:
        yield server


@pytest.fixture
def session(server: DatabricksServer) -> Iterator[DatabricksSession]:
    with databricks_warehouse(server).connect(LABEL, HOUR) as session:
        yield session


def scripted(
    server: DatabricksServer, session: DatabricksSession, kind: str, *values: pa.Array
) -> pa.Table:
    """One column, `c`, of this type, with a chunk for each array."""
    rows = pa.concat_arrays(values)
    server.service.engine.script("select c", table({"c": (kind, rows)}, len(values[0])))
    return read(session, "select c")


# Types.


@pytest.mark.parametrize(
    "case",
    [
        ("BOOLEAN", pa.array([True]), pa.bool_(), True),
        ("TINYINT", pa.array([-128], pa.int8()), pa.int8(), -128),
        ("BIGINT", pa.array([2**63 - 1]), pa.int64(), 2**63 - 1),
        ("FLOAT", pa.array([0.5], pa.float32()), pa.float32(), 0.5),
        (
            "DECIMAL(38,10)",
            pa.array([Decimal("9999999999999999999999999999.9999999999")], pa.decimal128(38, 10)),
            pa.decimal128(38, 10),
            Decimal("9999999999999999999999999999.9999999999"),
        ),
        ("DECIMAL(18,0)", pa.array([7], pa.decimal128(18, 0)), pa.int64(), 7),
        (
            "DECIMAL(38,0)",
            pa.array([-(2**63)], pa.decimal128(38, 0)),
            pa.int64(),
            -(2**63),
        ),
        ("DATE", pa.array([date(9999, 12, 31)]), pa.date32(), date(9999, 12, 31)),
        (
            "TIMESTAMP",
            pa.array([datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)]).cast(
                pa.timestamp("us", "America/Los_Angeles")
            ),
            pa.timestamp("us", "UTC"),
            datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        ),
        (
            "TIMESTAMP_NTZ",
            pa.array([datetime(1, 1, 1, 0, 0, 0, 1)]),
            pa.timestamp("us"),
            datetime(1, 1, 1, 0, 0, 0, 1),
        ),
        ("STRING", pa.array(["Größe\n"]), pa.string(), "Größe\n"),
        ("VARCHAR(20)", pa.array([""]), pa.string(), ""),
        ("STRING COLLATE UTF8_LCASE", pa.array(["A"]), pa.string(), "A"),
        ("BINARY", pa.array([b"\x00\xff"]), pa.binary(), b"\x00\xff"),
        ("VARIANT", pa.array(['{"a":1}']), pa.string(), '{"a":1}'),
        ("ARRAY<INT>", pa.array(["[1,2]"]), pa.string(), "[1,2]"),
        ("STRING", pa.array(["x"], pa.large_string()), pa.string(), "x"),
        ("BINARY", pa.array([b"x"], pa.large_binary()), pa.binary(), b"x"),
        ("VOID", pa.nulls(1), pa.string(), None),
    ],
)
def test_g5_types_and_limits(
    server: DatabricksServer,
    session: DatabricksSession,
    case: tuple[str, pa.Array, pa.DataType, Any],
) -> None:
    kind, sent, expected, value = case
    found = scripted(server, session, kind, sent, pa.nulls(1, sent.type))
    assert found.schema.types == [expected]
    assert found.column(0).to_pylist() == [value, None]
    assert session.describe(Query("select c")) == found.schema


def test_g5_nested_values_are_json_with_every_digit(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    struct = pa.struct(
        {
            "id": pa.int64(),
            "price": pa.decimal128(38, 2),
            "at": pa.timestamp("us", "Europe/Berlin"),
            "day": pa.date32(),
            "tags": pa.map_(pa.string(), pa.list_(pa.float64())),
            "raw": pa.binary(),
        }
    )
    full = {
        "id": 2**63 - 1,
        "price": Decimal("999999999999999999999999999999999999.10"),
        "at": datetime(2026, 1, 31, 6, tzinfo=UTC),
        "day": date(2026, 1, 31),
        "tags": [('a"b', [0.1, float("nan"), None])],
        "raw": b"\xff",
    }
    found = scripted(server, session, "STRUCT<…>", pa.array([full, {"id": None}], struct))
    assert found.column(0).to_pylist() == [
        '{"id":9223372036854775807,"price":999999999999999999999999999999999999.10,'
        '"at":"2026-01-31T06:00:00Z","day":"2026-01-31",'
        '"tags":{"a\\"b":[0.1,"NaN",null]},"raw":"/w=="}',
        '{"id":null,"price":null,"at":null,"day":null,"tags":null,"raw":null}',
    ]
    late = pa.array([None, [253402300800000000]], pa.list_(pa.timestamp("us")))
    with pytest.raises(TypeMappingError, match=r"'c' has a value in row 2 .* to_json\(c\)"):
        scripted(server, session, "ARRAY<TIMESTAMP_NTZ>", late)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("INTERVAL DAY TO SECOND", r"INTERVAL has no exact type in files: .*cast\(c as string\)"),
        ("GEOMETRY(4326)", r"convert it, st_asewkt\(c\)"),
        ("HYPERCUBE", r"the type HYPERCUBE is unknown here"),
    ],
)
def test_g5_what_no_file_keeps_is_refused_when_it_is_described(
    server: DatabricksServer, session: DatabricksSession, kind: str, said: str
) -> None:
    server.service.engine.script("select c", table({"c": (kind, pa.array(["x"]))}))
    links = server.service.links
    for ask in (session.describe, session.execute):
        with pytest.raises(TypeMappingError, match=said):
            ask(Query("select c"))
    assert server.service.links < links + 2, "nothing was fetched"


@pytest.mark.parametrize(
    ("kind", "sent", "said"),
    [
        (
            "ARRAY<INTERVAL DAY TO SECOND>",
            pa.array([None, [timedelta(1)]], pa.list_(pa.duration("us"))),
            "in row 2 that cannot be written as JSON .*it has an INTERVAL",
        ),
        (
            "STRUCT<a: VARIANT>",
            pa.array(
                [{"a": {"value": b"\0", "metadata": b"\1"}}],
                pa.struct(
                    [("a", pa.struct([("value", pa.binary()), ("metadata", pa.binary())]))]
                ),
            ),
            "in row 1 that cannot be written as JSON .*it has a VARIANT",
        ),
    ],
    ids=["interval", "variant"],
)  # fmt: skip
def test_g5_what_no_json_keeps_is_refused_within_a_value(
    server: DatabricksServer, session: DatabricksSession, kind: str, sent: pa.Array, said: str
) -> None:
    server.service.engine.script("select c", table({"c": (kind, sent)}))
    with pytest.raises(TypeMappingError, match=said):
        read(session, "select c")


# What is sent.


def test_a_run_says_who_asks_and_what_decides_its_values(server: DatabricksServer) -> None:
    label = Label("sales/orders", "v1", "run-1", "2026-01-31")
    with databricks_warehouse(server).connect(label, HOUR) as session:
        zone = read(session, "select cast(timestamp '2026-01-31 06:00:00' as string) as c")
        found = session.execute(Query("select 1 as a"))
        (parameters,) = server.service.sessions.values()
    assert zone.column(0).to_pylist() == ["2026-01-31 06:00:00+00"]
    assert parameters == {
        "ansi_mode": "true",
        "timezone": "UTC",
        "legacy_time_parser_policy": "EXCEPTION",
        "statement_timeout": "3660",
    }
    request = server.service.statements[-1].request
    assert {each["key"]: each["value"] for each in request["query_tags"]} == {
        "extract": "sales/orders",
        "sql_version": "v1",
        "run_id": "run-1",
        "partition": "2026-01-31",
    }
    assert found.query_id == server.service.statements[-1].id
    assert found.query_url == f"{server.service.address}/sql/history?queryId={found.query_id}"
    assert (server.service.sessions, server.service.closed_sessions) == ({}, 1)


def test_a_service_without_sessions_gets_the_names_with_each_statement(
    server: DatabricksServer,
) -> None:
    server.service.has_sessions = False
    warehouse = databricks_warehouse(server, token="pat", catalog="main", schema="shop")
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select 1 as a").num_rows == 1
    request = server.service.statements[-1].request
    assert (request["catalog"], request["schema"]) == ("main", "shop")


@pytest.mark.parametrize("has_sessions", [True, False])
def test_g5_a_session_that_does_not_have_our_parameters_is_refused(
    server: DatabricksServer, caplog: pytest.LogCaptureFixture, has_sessions: bool
) -> None:
    """A service may pass over what it does not know; without sessions it knows none."""
    service = server.service
    service.has_sessions = has_sessions
    service.passes_over = ("ansi_mode", "timezone", "legacy_time_parser_policy")
    warehouse = databricks_warehouse(server)
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select 1 as a").num_rows == 1
    service.parameters |= {"ansi_mode": "FALSE", "timezone": "America/Los_Angeles"}
    said = r"ansi_mode is 'FALSE', not 'true'; timezone is 'America/Los_Angeles', not 'UTC': set"
    with pytest.raises(WarehouseError, match=said) as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.SETTINGS, False)
    assert not service.sessions
    service.parameters.clear()
    with warehouse.connect(LABEL, HOUR):
        assert "does not say what ansi_mode, timezone, legacy_time_parser_policy" in caplog.text


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "dbc-1.cloud.databricks.com"}, "https://dbc-1.cloud.databricks.com"),
        ({"host": "https://dbc-1.cloud.databricks.com/"}, "https://dbc-1.cloud.databricks.com"),
        ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({"host": "h", "port": "8443"}, "https://h:8443"),
    ],
)
def test_a_host_is_given_in_any_form(fields: dict[str, str], address: str) -> None:
    given = {"type": "databricks", "warehouse_id": "w", "token": "t", **fields}
    assert DatabricksWarehouse.model_validate(given).address == address


def test_the_text_is_sent_as_it_stands_and_values_beside_it(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    from extract_project.sql.databricks import Databricks
    from extract_project.sql.guard import read_statement

    text = "/*---\n---*/\nselect :a as a, :A as b, :t as t -- end\n;"
    found = read_statement(text, Databricks(), ["a", "A", "t"])
    at = datetime(2026, 1, 31, 6, tzinfo=UTC)
    query = Query(text, found.placeholders, found.end, {"a": Decimal("-0.50"), "A": 2**64, "t": at})
    session.execute(query)
    request = server.service.statements[-1].request
    assert request["statement"] == text.replace(":A", ":A_2")
    assert request["parameters"] == [
        {"name": "a", "type": "DECIMAL(2,2)", "value": "-0.50"},
        {"name": "A_2", "type": "DECIMAL(38,0)", "value": "18446744073709551616"},
        {"name": "t", "type": "TIMESTAMP", "value": "2026-01-31 06:00:00+00:00"},
    ]


def test_a_timeout_is_never_longer_than_databricks_allows(server: DatabricksServer) -> None:
    with databricks_warehouse(server).connect(LABEL, timedelta(days=9)):
        (parameters,) = server.service.sessions.values()
    assert parameters["statement_timeout"] == "172800"


# Signing in.


def test_a_service_principal_gets_a_token_and_another_when_it_has_expired(
    server: DatabricksServer,
) -> None:
    warehouse = databricks_warehouse(server, client_id="principal", client_secret="hunter2")
    with warehouse.connect(LABEL, HOUR) as session:
        batches = session.execute(Query("select i from range(5000) t(i)")).batches()
        rows = next(batches).num_rows
        assert server.service.issued == 1
        server.service.expire_tokens()
        rows += sum(each.num_rows for each in batches)
    assert rows == 5000
    assert 2 <= server.service.issued <= 5, "one for each request that was under way"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token": "wrong"}, r"signing in: HTTP 401 UNAUTHENTICATED: .*: check TOKEN, or CLIENT"),
        (
            {"client_id": "principal", "client_secret": "wrong"},
            r"sign-in failed for service principal 'principal' \(HTTP 401\): check CLIENT_ID",
        ),
    ],
)
def test_g11_a_refused_sign_in_names_the_setting_and_no_secret(
    server: DatabricksServer, fields: dict[str, str], said: str
) -> None:
    warehouse = databricks_warehouse(server, **fields)
    with pytest.raises(WarehouseError, match=said) as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.SIGN_IN, False)
    assert "wrong" not in str(raised.value)


def test_a_warehouse_that_is_not_there_is_a_setting(server: DatabricksServer) -> None:
    warehouse = databricks_warehouse(server, token="pat", warehouse_id="nope")
    with (
        pytest.raises(
            WarehouseError, match=r"SQL warehouse nope does not exist: check HOST"
        ) as raised,
        warehouse.connect(LABEL, HOUR),
    ):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.SETTINGS, False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing is set"),
        ({"token": "hunter2", "client_id": "c", "client_secret": "hunter2"}, "both are set"),
        ({"client_secret": "hunter2"}, "CLIENT_ID is not set"),
        ({"client_id": "c"}, "CLIENT_SECRET is not set"),
    ],
)
def test_g11_settings_that_cannot_sign_in_say_which_to_set(
    fields: dict[str, str], said: str
) -> None:
    given = {"type": "databricks", "host": "h", "warehouse_id": "w", **fields}
    with pytest.raises(ValueError, match=said) as raised:
        DatabricksWarehouse.model_validate(given)
    (error,) = raised.value.errors()  # type: ignore[attr-defined]
    assert "hunter2" not in error["msg"]


# Errors.


@pytest.mark.parametrize(
    "case",
    [
        (StatementError("42501", "[INSUFFICIENT_PERMISSIONS] no"), Cause.PERMISSION, False,
         "grant USE CATALOG"),
        (StatementError("42P01", "[TABLE_OR_VIEW_NOT_FOUND] no"), Cause.SQL, False,
         "check the name"),
        (StatementError("22012", "[DIVIDE_BY_ZERO] no"), Cause.SQL, False, "(22012)"),
        (StatementError("08KD1", "[CONNECTION] lost"), Cause.NETWORK, True, "lost"),
        (StatementError("", "full", "RESOURCE_EXHAUSTED"), Cause.BUSY, True, "full"),
        (StatementError("XXKDA", "died", "TEMPORARILY_UNAVAILABLE"), Cause.BUSY, True, "died"),
    ],
)  # fmt: skip
def test_errors_are_told_apart_by_their_code(
    server: DatabricksServer,
    session: DatabricksSession,
    case: tuple[StatementError, Cause, bool, str],
) -> None:
    error, cause, transient, said = case
    server.service.engine.script("select 1 as a", error)
    with pytest.raises(WarehouseError) as raised:
        session.execute(Query("select 1 as a"))
    assert (raised.value.cause, raised.value.transient) == (cause, transient)
    assert said in str(raised.value)
    assert raised.value.query_id == server.service.statements[-1].id
    assert raised.value.query_url is not None


def test_g8_the_server_ends_what_outlives_its_timeout(server: DatabricksServer) -> None:
    slow = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"
    with databricks_warehouse(server).connect(LABEL, HOUR) as session:
        for parameters in server.service.sessions.values():
            parameters["statement_timeout"] = "0.2"
        with pytest.raises(QueryTimeout, match="STATEMENT_TIMEOUT"):
            session.execute(Query(slow))


def test_g8_a_query_cancelled_by_somebody_else_is_no_transient_failure(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    server.service.running.clear()
    original = server.service.warehouse

    def cancelled() -> dict[str, Any]:
        server.service.cancel(server.service.statements[-1].id)
        return original()

    server.service.warehouse = cancelled  # type: ignore[method-assign]
    with pytest.raises(QueryCancelled, match="but not by this run") as raised:
        session.execute(Query("select 1 as a"))
    assert not raised.value.transient


@pytest.mark.parametrize("admin", [True, False])
def test_the_doctor_signs_in_and_minds_an_administrator(
    server: DatabricksServer, admin: bool
) -> None:
    answer = table({"answer": ("BOOLEAN", pa.array([admin]))})
    server.service.engine.script("select is_member('admins') as answer", answer)
    signed_in, rights = sign_in("bricks", databricks_warehouse(server))
    assert (signed_in.ok, rights.ok) == (True, not admin)


# Tables.


def test_a_table_is_described_with_its_keys_and_comments(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    server.service.engine.cursor().execute(
        "create table shop.lines (id int primary key, note varchar);"
        "comment on column shop.lines.note is 'free text'"
    )
    found = session.facts("shop.lines")
    assert found.columns == (
        ColumnFacts("id", is_nullable=False),
        ColumnFacts("note", is_nullable=True, comment="free text"),
    )
    assert found.keys == (("id",),)
    with pytest.raises(WarehouseError, match=r"there is no table shop\.nothing"):
        session.facts("shop.nothing")


def test_a_version_that_only_rewrites_files_is_no_change(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    at = datetime(2026, 1, 31, 6, tzinfo=UTC)
    versions = [(7, at, "WRITE"), (6, at - HOUR, "MERGE")]
    server.service.engine.history["main.shop.orders"] = versions
    before = session.last_changes(["main.shop.orders"])["main.shop.orders"]
    assert (before.token, before.at) == ("7", at)
    versions.insert(0, (8, at + HOUR, "OPTIMIZE"))
    assert session.last_changes(["main.shop.orders"])["main.shop.orders"] == before
    versions.insert(0, (9, at + HOUR, "DELETE"))
    assert session.last_changes(["main.shop.orders"])["main.shop.orders"].token == "9"


def test_changes_that_cannot_be_asked_for_are_an_error(
    server: DatabricksServer, session: DatabricksSession
) -> None:
    for state, raises in (("42501", False), ("08KD1", True)):
        error = StatementError(state, "no")
        server.service.engine.script("describe history `shop`.`orders` limit 50", error)
        if raises:
            with pytest.raises(WarehouseError, match="no"):
                session.last_changes(["shop.orders"])
        else:
            assert session.last_changes(["shop.orders"]) == {}

"""ClickHouse: types, what is sent, errors, and signing in."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from extract_project.doctor.warehouses import sign_in
from extract_project.errors import Cause, TypeMappingError, WarehouseError
from extract_project.schema.choices import TypeChoices
from extract_project.warehouses.clickhouse import ClickHouseSession
from extract_project.warehouses.facts import ColumnFacts
from extract_project.warehouses.protocol import Label, Query
from extract_project_tests.support.chdb_server import ChdbServer, Engine
from extract_project_tests.support.rigs import LABEL, clickhouse_warehouse, read

pytestmark = pytest.mark.own_engine
HOUR = timedelta(hours=1)
SECOND = datetime(2026, 1, 31, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "expected", "value"),
    [
        ("true", "bool", True),
        ("toInt8(-128)", "int8", -128),
        ("toInt64('-9223372036854775808')", "int64", -(2**63)),
        ("toUInt8(255)", "uint8", 255),
        ("toUInt32(4294967295)", "uint32", 2**32 - 1),
        ("toUInt64('9223372036854775807')", "int64", 2**63 - 1),
        ("toInt128('-9223372036854775808')", "int64", -(2**63)),
        ("toUInt128('7')", "int64", 7),
        ("toInt256('-7')", "int64", -7),
        ("toUInt256('7')", "int64", 7),
        ("toDecimal32('-1.5', 2)", "decimal128(9, 2)", Decimal("-1.50")),
        ("toDecimal128('1.5', 37)", "decimal128(38, 37)", Decimal("1.5")),
        ("toDecimal256('1.5', 75)", "decimal256(76, 75)", Decimal("1.5")),
        ("toDecimal64('12', 0)", "int64", 12),
        ("toFloat32(0.5)", "float", 0.5),
        ("inf", "double", float("inf")),
        ("'Größe\\n\\0'", "string", "Größe\n\0"),
        ("toFixedString('a\\xff', 4)", "binary", b"a\xff\0\0"),
        (
            "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
            "string",
            "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
        ),
        ("toDate('2149-06-06')", "date32[day]", date(2149, 6, 6)),
        ("toDate32('1900-01-01')", "date32[day]", date(1900, 1, 1)),
        ("toDateTime('2026-01-31 06:00:00')", "timestamp[us, tz=UTC]", SECOND),
        ("toDateTime('2026-01-31 07:00:00', 'Europe/Berlin')", "timestamp[us, tz=UTC]", SECOND),
        ("toDateTime64('2026-01-31 06:00:00', 0)", "timestamp[us, tz=UTC]", SECOND),
        (
            "toDateTime64('2026-01-31 07:00:00.123456', 6, 'Europe/Berlin')",
            "timestamp[us, tz=UTC]",
            SECOND.replace(microsecond=123456),
        ),
        (
            "toDateTime64('2026-01-31 06:00:00.123456000', 9)",
            "timestamp[us, tz=UTC]",
            SECOND.replace(microsecond=123456),
        ),
        ("cast('b,)' as Enum8('a' = 1, 'b,)' = -2, 'it\\'s' = 3))", "string", "b,)"),
        ("toIPv4('1.2.3.4')", "string", "1.2.3.4"),
        ("toIPv6('2001:db8::1')", "string", "2001:db8::1"),
        ("toIPv6('1.2.3.4')", "string", "::ffff:1.2.3.4"),
        ("cast('x' as LowCardinality(Nullable(String)))", "string", "x"),
        ("cast(7 as SimpleAggregateFunction(max, UInt32))", "uint32", 7),
        ("NULL", "string", None),
        ("cast(NULL as Nullable(DateTime))", "timestamp[us, tz=UTC]", None),
        ("cast(NULL as Nullable(Enum8('a' = 1)))", "string", None),
        ("cast(NULL as Nullable(UUID))", "string", None),
        ("[1, 2]", "string", "[1,2]"),
        ("[]", "string", "[]"),
        ("(1.5, 2.5)::Point", "string", "[1.5,2.5]"),
        ("cast([(1, 'x')] as Nested(a UInt8, b String))", "string", '[{"a":1,"b":"x"}]'),
        ("map('a\"', [toDate('2026-01-31')])", "string", '{"a\\"":["2026-01-31"]}'),
        ("map(1, NULL)", "string", '{"1":null}'),
        ("""'{"a":{"b":[1,"x"]}}'::JSON""", "string", '{"a":{"b":[1,"x"]}}'),
        (
            "cast((toDateTime64('2026-01-31 06:00:00.120', 3), toIPv4('1.2.3.4'), 'a', NULL, "
            "toUInt64('18446744073709551615'), 1.10, nan, toDateTime('2026-01-31 06:00:00')) as "
            "Tuple(at DateTime64(3), `i p` IPv4, e Enum8('a' = 1), n Nullable(String), u UInt64, "
            "d Decimal(20, 2), f Float64, s DateTime))",
            "string",
            '{"at":"2026-01-31T06:00:00.12Z","i p":"1.2.3.4","e":"a","n":null,'
            '"u":18446744073709551615,"d":1.10,"f":"NaN","s":"2026-01-31T06:00:00Z"}',
        ),
    ],
)
def test_g5_types_and_limits(
    session: ClickHouseSession, sql: str, expected: str, value: Any
) -> None:
    text = f"select {sql} as c from numbers(2) order by number"
    found = read(session, text)
    assert [str(kind) for kind in found.schema.types] == [expected]
    assert found.column(0).to_pylist() == [value, value]
    none = read(session, f"select * from ({text}) limit 0")
    assert (none.num_rows, none.schema) == (0, found.schema)
    assert session.describe(Query(text)) == found.schema


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("if(number = 1, unhex('ff'), 'a')", "'c' has bytes in row 2 that are no UTF-8 text"),
        ("[unhex('ff')]", "'c' has a value in row 1 that cannot be written as JSON"),
        ("toUInt64('18446744073709551615')", "'integers: decimal' in the header"),
        (f"toInt128('{10**38}')", "has more than 38 digits|beyond int64"),
        (f"toUInt256('{10**38}')", "has more than 38 digits: cast it in the SQL, toString"),
        ("toDateTime64('2026-01-31 06:00:00.123456789', 9)", "'timestamps: ns' in the header"),
        ("toIntervalDay(3)", "IntervalDay has no exact type in files: convert it, toInt64"),
        ("sumState(number)", r"AggregateFunction.* has no exact type .*finalizeAggregation\(c\)"),
        ("toBFloat16(1)", r"BFloat16 has no exact type in files: convert it, toFloat32\(c\)"),
        ("cast('30:00:00' as Time)", r"Time has no exact type in files: convert it, toString"),
        ("[cast('30:00:00' as Time)]", r"Time has no exact type in files"),
        ("cast(1 as Variant(UInt8, String))", r"Variant.* has no exact type in files"),
    ],
)
def test_g5_what_no_file_keeps_is_refused_with_the_way_out(
    session: ClickHouseSession, sql: str, reason: str
) -> None:
    with pytest.raises(TypeMappingError, match=reason):
        read(session, f"select {sql} as c from numbers(2)")


def test_g5_wide_numbers_are_kept_if_the_author_wants_it(session: ClickHouseSession) -> None:
    sql = f"select toUInt64('{2**64 - 1}') as u, toInt128('-{10**38 - 1}') as i"
    found = read(session, sql, TypeChoices(integers="decimal"))
    assert found.schema.types == [pa.decimal128(20, 0), pa.decimal128(38, 0)]
    assert found.to_pylist() == [{"u": Decimal(2**64 - 1), "i": Decimal("-" + "9" * 38)}]


def test_what_is_sent_decides_the_values_and_says_where_it_comes_from(server: ChdbServer) -> None:
    label = Label("sales/orders", "v1", "run-1", "2026-01-01")
    with clickhouse_warehouse(server).connect(label, timedelta(minutes=5)) as session:
        result = session.execute(Query("select 1 as a -- Größe"))
        assert sum(batch.num_rows for batch in result.batches()) == 1
    described, run = server.service.asked
    assert (run.sql, run.query_id) == ("select 1 as a -- Größe", result.query_id)
    assert described.query_id != run.query_id
    for asked in (described, run):
        assert asked.settings["readonly"] == "1"
        assert asked.settings["session_timezone"] == "UTC"
        assert asked.settings["result_overflow_mode"] == "throw"
        assert asked.settings["max_execution_time"] == "360"
        assert json.loads(asked.settings["log_comment"]) == {
            "extract": "sales/orders",
            "sql_version": "v1",
            "run_id": "run-1",
            "partition": "2026-01-01",
        }


HOSTILE = {
    "compatibility": "'20.1'",
    "enable_positional_arguments": "0",
    "asterisk_include_alias_columns": "1",
    "prefer_column_name_to_alias": "1",
    "count_distinct_implementation": "'uniqHLL12'",
    "join_use_nulls": "1",
    "transform_null_in": "1",
    "cast_keep_nullable": "1",
    "date_time_overflow_behavior": "'saturate'",
    "session_timezone": "'Asia/Tokyo'",
    "limit": "1",
    "extremes": "1",
    "formatdatetime_f_prints_single_zero": "1",
    "formatdatetime_parsedatetime_m_is_month_name": "0",
    "splitby_max_substrings_includes_remaining_string": "1",
    "function_locate_has_mysql_compatible_argument_order": "0",
    "function_json_value_return_type_allow_complex": "1",
    "aggregate_functions_null_for_empty": "1",
}
READ = (
    "select number % 3 as number from numbers(9) order by 1 desc",
    "select * from shop.with_alias",
    "select least(1, null) as a",
    "select count(distinct number) as n from numbers(70000)",
    "select r.b as b from numbers(2) l left join (select 1 as b) r on l.number = r.b order by b",
    "select 1 in (select null) as a, cast(toNullable(1) as Int64) as b, sum(number) as c "
    "from numbers(3) where number > 9",
    "select toHour(toDateTime(0)) as a, formatDateTime(toDateTime(0), '%f %M') as b",
    "select splitByChar(',', 'a,b,c', 2) as a, locate('b', 'ab') as b",
    "select JSON_VALUE('{\"a\": [1]}', '$.a') as a",
)


def test_g5_no_setting_of_a_profile_changes_what_is_read(
    server: ChdbServer, engine: Engine
) -> None:
    engine.execute("create database if not exists shop")
    engine.execute("create or replace table shop.with_alias (a Int8, b Int8 alias a) engine = Log")
    engine.execute("insert into shop.with_alias values (1)")

    def read_all() -> list[Any]:
        with clickhouse_warehouse(server).connect(LABEL, HOUR) as session:
            return [read(session, each) for each in READ]

    plain = read_all()
    try:
        engine.kill()
        engine.execute(f"set {', '.join(f'{name} = {each}' for name, each in HOSTILE.items())}")
        assert read_all() == plain
        with (
            clickhouse_warehouse(server).connect(LABEL, HOUR) as session,
            pytest.raises(WarehouseError, match="is out of bounds of type Date"),
        ):
            read(session, "select toDate(toDateTime64('2299-01-01 00:00:00', 0)) as a")
    finally:
        engine.kill()
        engine.execute("drop table shop.with_alias")


@pytest.mark.parametrize(
    ("sql", "cause", "said", "place"),
    [
        ("select a,\n  b c d", Cause.SQL, "Syntax error", (2, 7)),
        ("select 'Größe' as a, 'ß' as b c", Cause.SQL, "Syntax error", (1, 31)),
        ("selec 1", Cause.SQL, "Syntax error", (1, 7)),
        ("select nope", Cause.SQL, "nope", (1, 8)),
        ("select\n nofunction(1)", Cause.SQL, "nofunction", (2, 2)),
        ("select * from shop.nothing", Cause.SQL, "check the name, and DATABASE", (1, 20)),
        ("select throwIf(number = 1) from numbers(2)", Cause.SQL, "non-zero", (1, 8)),
    ],
)
def test_errors_have_a_cause_and_a_place(
    server: ChdbServer,
    sql: str,
    cause: Cause,
    said: str,
    place: tuple[int | None, int | None],
) -> None:
    server.service.engine.execute("create database if not exists shop")
    with (
        clickhouse_warehouse(server).connect(LABEL, HOUR) as session,
        pytest.raises(WarehouseError) as raised,
    ):
        read(session, sql)
    error = raised.value
    assert said in str(error)
    assert (error.cause, error.transient) == (cause, False)
    assert (error.line, error.column) == place
    assert error.query_id == server.service.asked[-1].query_id


def test_a_wrong_password_is_a_matter_of_the_settings(server: ChdbServer) -> None:
    warehouse = clickhouse_warehouse(server, password="wrong")
    (finding,) = sign_in("click", warehouse)
    assert "check USER and PASSWORD" in finding.detail
    assert "wrong" not in repr(warehouse)


@pytest.mark.parametrize("user", ["reader", "default"])
def test_the_doctor_minds_the_user_who_may_do_everything(server: ChdbServer, user: str) -> None:
    server.service.users["default"] = "hunter2"
    signed_in, rights = sign_in("click", clickhouse_warehouse(server, user=user))
    assert (signed_in.ok, rights.ok) == (True, user == "reader")


def test_facts_are_the_columns_and_their_comments(
    server: ChdbServer, session: ClickHouseSession
) -> None:
    engine = server.service.engine
    engine.execute("create database if not exists shop")
    engine.execute(
        "create or replace table shop.facts (id UInt8 comment 'the number', n Nullable(String)) "
        "engine = MergeTree order by id"
    )
    found = session.facts("shop.facts")
    assert found.columns == (ColumnFacts("id", False, "the number"), ColumnFacts("n", True))
    with pytest.raises(WarehouseError, match=r"there is no table shop\.nothing"):
        session.facts("shop.nothing")

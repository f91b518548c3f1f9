"""Every type of MySQL's and MariaDB's at its limits, in a real MariaDB server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.schema.choices import TypeChoices
from extract_project.sql.query import Query
from extract_project.values import Value
from extract_project.warehouses.conformance.rig import LABEL
from extract_project_tests.support.mariadb_server import MariaDB, read, table
from extract_project_tests.support.postgres_admin import HOUR, query


@pytest.fixture
def shop(mariadb: MariaDB) -> Iterator[MariaDB]:
    yield mariadb
    mariadb.execute("drop table if exists shop.t")


TYPES: list[tuple[str, str, str, Any]] = [
    ("tinyint", "int8", "-128", -128),
    ("tinyint unsigned", "uint8", "255", 255),
    ("boolean", "int8", "true", 1),
    ("smallint", "int16", "-32768", -32768),
    ("smallint unsigned", "uint16", "65535", 65535),
    ("mediumint", "int32", "-8388608", -8388608),
    ("mediumint unsigned", "uint32", "16777215", 16777215),
    ("int", "int32", "-2147483648", -2147483648),
    ("int unsigned zerofill", "uint32", "4294967295", 4294967295),
    ("bigint", "int64", "-9223372036854775808", -(2**63)),
    ("bigint unsigned", "int64", "9223372036854775807", 2**63 - 1),
    ("year", "int16", "2155", 2155),
    ("bit(1)", "bool", "1", True),
    ("bit(12)", "int64", "b'101000000001'", 0b101000000001),
    ("bit(63)", "int64", "0x7fffffffffffffff", 2**63 - 1),
    ("bit(64)", "int64", "0x7fffffffffffffff", 2**63 - 1),
    ("float", "float", "16777217.0", 16777216.0),
    ("float", "float", "0.1", 0.10000000149011612),
    ("double", "double", "1.7976931348623157e308", 1.7976931348623157e308),
    ("decimal(10,2)", "decimal128(10, 2)", "-99999999.99", Decimal("-99999999.99")),
    ("decimal(20,5) unsigned", "decimal128(20, 5)", "1.5", Decimal("1.50000")),
    ("decimal(38,38)", "decimal128(38, 38)", f"0.{'9' * 38}", Decimal(f"0.{'9' * 38}")),
    ("decimal(65,30)", "decimal256(65, 30)", f"-{'9' * 35}.{'8' * 30}",
     Decimal(f"-{'9' * 35}.{'8' * 30}")),
    ("decimal(18,0)", "int64", "-999999999999999999", -(10**18 - 1)),
    ("decimal(65,0)", "int64", "9223372036854775807", 2**63 - 1),
    ("date", "date32[day]", "'9999-12-31'", date(9999, 12, 31)),
    ("date", "date32[day]", "'0001-01-01'", date(1, 1, 1)),
    ("date", "date32[day]", "'2024-02-29'", date(2024, 2, 29)),
    ("time", "time64[us]", "'23:59:59'", time(23, 59, 59)),
    ("time", "time64[us]", "0", time(0)),
    ("time(6)", "time64[us]", "'00:00:00.000001'", time(0, 0, 0, 1)),
    ("datetime", "timestamp[us]", "'9999-12-31 23:59:59'", datetime(9999, 12, 31, 23, 59, 59)),
    ("datetime", "timestamp[us]", "'2026-01-31'", datetime(2026, 1, 31)),
    ("datetime(3)", "timestamp[us]", "'2026-01-31 00:00:00.123'",
     datetime(2026, 1, 31, 0, 0, 0, 123000)),
    ("datetime(6)", "timestamp[us]", "'0001-01-01 00:00:00.000001'", datetime(1, 1, 1, 0, 0, 0, 1)),
    ("timestamp null", "timestamp[us, tz=UTC]", "'2038-01-19 03:14:07'",
     datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)),
    ("timestamp(6) null", "timestamp[us, tz=UTC]", "'1970-01-01 00:00:00.000001'",
     datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
    ("char(5)", "string", "'a  '", "a"),
    ("varchar(50) character set latin1", "string", "'Größe €'", "Größe €"),
    ("varchar(50) character set utf8mb3", "string", "'日本'", "日本"),
    ("varchar(50) character set utf8mb4", "string", "'😀 '", "😀 "),
    ("varchar(50) character set ucs2", "string", "'日本'", "日本"),
    ("varchar(500)", "string", "''", ""),
    ("text", "string", "repeat('ä', 300)", "ä" * 300),
    ("mediumtext", "string", "repeat('m', 70000)", "m" * 70000),
    ("longtext", "string", "repeat('l', 16777214)", "l" * 16777214),
    ("binary(4)", "binary", "x'01'", b"\1\0\0\0"),
    ("varbinary(4)", "binary", "x'00ff'", b"\0\xff"),
    ("blob", "binary", "repeat(x'ff', 65535)", b"\xff" * 65535),
    ("longblob", "binary", "x''", b""),
    ("enum('a', 'ä')", "string", "'ä'", "ä"),
    ("set('x', 'y', 'z')", "string", "'z,x'", "x,z"),
    ("json", "string", """'{"a": 1.10}'""", '{"a": 1.10}'),
    ("uuid", "string", "'123E4567-e89b-12d3-a456-426655440000'",
     "123e4567-e89b-12d3-a456-426655440000"),
    ("inet6", "string", "'2001:DB8::42:8329'", "2001:db8::42:8329"),
]  # fmt: skip


def test_g5_every_type_at_its_limits(shop: MariaDB) -> None:
    """With NULLs above and below, in rows whose values have all kinds of lengths."""
    shop.execute("set session sql_mode = ''; set session time_zone = '+00:00'; " + _filled(TYPES))
    found = read(shop, "select * from shop.t order by n").drop_columns(["n"])
    assert [str(kind) for kind in found.schema.types] == [kind for _, kind, _, _ in TYPES]
    values = [value for _, _, _, value in TYPES]
    first, second, third, fourth = ([row[name] for name in found.column_names] for row in
                                    found.to_pylist())  # fmt: skip
    assert (second, fourth) == (values, values)
    assert (set(first), set(third)) == ({None}, {None})
    none = read(shop, "select * from shop.t where n < 0").drop_columns(["n"])
    assert (none.num_rows, none.schema) == (0, found.schema)


def _filled(types: list[tuple[str, str, str, Any]]) -> str:
    """A table with a column for each type, and rows that are NULL and filled in turn."""
    columns = ", ".join(f"c{i} {kind}" for i, (kind, *_) in enumerate(types))
    nulls, literals = ", ".join(["null"] * len(types)), ", ".join(each for _, _, each, _ in types)
    rows = f"(1, {nulls}), (2, {literals}), (3, {nulls}), (4, {literals})"
    return f"create table shop.t (n int, {columns}); insert into shop.t values {rows}"


@pytest.mark.parametrize(
    ("kind", "literal", "said"),
    [
        ("date", "'0000-00-00'", "column 'c' has 0000-00-00 in row 3, which is no date"),
        ("date", "'2024-00-10'", "column 'c' has 2024-00-10 in row 3, which is no date"),
        ("date", "'2024-10-00'", "column 'c' has 2024-10-00 in row 3, which is no date"),
        ("date", "'2026-02-29'", "column 'c' has 2026-02-29 in row 3, which is no date"),
        ("datetime", "'0000-00-00 00:00:00'", "column 'c' has 0000-00-00 in row 3"),
        ("datetime(6)", "'2024-00-10 12:30:00.5'", "column 'c' has 2024-00-10 in row 3"),
        ("timestamp", "0", "column 'c' has 0000-00-00 in row 3, which is no date"),
        ("time", "'24:00:00'", "column 'c' has 24:00:00 in row 3, which is no time of day"),
        ("time", "'-00:00:01'", "column 'c' has -00:00:01 in row 3, which is no time of day"),
        ("time(6)", "'-838:59:59.000001'", "column 'c' has -838:59:59.000001 in row 3"),
        ("decimal(20,0)", "9223372036854775808", "has 9223372036854775808 in row 3, beyond int64"),
    ],
)
def test_g5_a_value_that_no_file_has_is_refused_with_its_row(
    shop: MariaDB, kind: str, literal: str, said: str
) -> None:
    """And with a way out that works."""
    good = {"date": "'2026-01-31'", "time": "'06:00:00'"}.get(
        kind.partition("(")[0], "'2026-01-31'"
    )
    good = "1" if kind.startswith("decimal") else good
    shop.execute(
        "set session sql_mode = 'ALLOW_INVALID_DATES'",
        f"create table shop.t (n int, c {kind} null)",
        f"insert into shop.t values (1, {good}), (2, null), (3, {literal}), (4, {good})",
    )
    with pytest.raises(TypeMappingError) as raised:
        read(shop, "select c from shop.t order by n")
    assert said in str(raised.value)
    assert read(shop, "select cast(c as char) as c from shop.t order by n").num_rows == 4
    if "month(c)" in str(raised.value) and "02-29" not in literal:
        found = read(shop, "select if(month(c) and day(c), c, null) as c from shop.t order by n")
        assert [each is None for each in found.column(0).to_pylist()] == [False, True, True, False]
    if "time_to_sec(c)" in str(raised.value):
        assert read(shop, "select time_to_sec(c) as c from shop.t").num_rows == 4


@pytest.mark.parametrize("kind", ["geometry", "point", "multipolygon"])
def test_g5_a_type_that_no_file_has_is_refused_before_it_runs(shop: MariaDB, kind: str) -> None:
    shop.execute(f"create table shop.t (n int, g {kind})")
    with shop.warehouse.connect(LABEL, HOUR) as session:
        for ask in (session.describe, session.execute):
            with pytest.raises(TypeMappingError, match=r"column 'g': GEOMETRY .*st_astext\(g\)"):
                ask(Query("select n, g from shop.t"))
        assert session.describe(Query("select st_astext(g) as g from shop.t")).types == [
            pa.string()
        ]


@pytest.mark.parametrize(
    "computed",
    ["coalesce(b, b)", "if(n > 0, b, b)", "max(b)", "(select b from shop.t limit 1)"],
)
def test_g5_a_computed_bit_is_refused_and_exact_as_a_number(shop: MariaDB, computed: str) -> None:
    """The server sends 255 as the text `255`, and as one byte where a window function has it."""
    shop.execute("create table shop.t (n int, b bit(8))", "insert into shop.t values (1, 255)")
    with pytest.raises(TypeMappingError, match=r"column 'x': a BIT that is computed.*x \+ 0"):
        read(shop, f"select {computed} as x from shop.t")
    found = read(shop, f"select {computed} + 0 as x from shop.t")
    assert found.column(0).to_pylist() == [255]


@pytest.mark.parametrize(
    "sql",
    [
        "select b from shop.t union select b from shop.t",
        "select distinct b from shop.t",
        "select b from (select max(b) as b from shop.t group by n limit 9) q",
    ],
)
def test_g5_a_bit_from_a_temporary_table_is_exact(shop: MariaDB, sql: str) -> None:
    shop.execute(
        "create table shop.t (n int, b bit(17))", "insert into shop.t values (1, 65537), (2, 50)"
    )
    assert sorted(read(shop, sql).column(0).to_pylist()) == [50, 65537]


def test_g5_integers_are_as_the_author_chooses(shop: MariaDB) -> None:
    columns = "a decimal(19,0), b decimal(65,0), c bigint unsigned, d bit(64), e decimal(18,0)"
    shop.execute(
        f"create table shop.t ({columns})",
        "insert into shop.t values (1, 2, 3, 4, 5)",
    )
    text = "select a, b, c, d, sum(e) as s, e, avg(e) as f from shop.t group by a, b, c, d, e"
    wide = (
        "decimal128(19, 0)",
        "decimal256(65, 0)",
        *["decimal128(20, 0)"] * 2,
        "decimal128(38, 0)",
    )
    kinds = {"int64": ("int64",) * len(wide), "decimal": wide}
    with shop.warehouse.connect(LABEL, HOUR) as session:
        for choice, chosen in kinds.items():
            types = TypeChoices.model_validate({"integers": choice})
            found = table(session, Query(text, types=types))
            wanted = [*chosen, "int64", "decimal128(22, 4)"]
            assert [str(kind) for kind in found.schema.types] == wanted
            (row,) = found.to_pylist()
            assert [row[name] for name in "abcdse"] == [1, 2, 3, 4, 5, 5]


@pytest.mark.parametrize("kind", ["bigint unsigned", "bit(64)"])
def test_g5_an_unsigned_integer_beyond_int64_is_refused_or_declared(
    shop: MariaDB, kind: str
) -> None:
    shop.execute(f"create table shop.t (n {kind})", f"insert into shop.t values ({2**64 - 1})")
    text = "select n from shop.t"
    with pytest.raises(TypeMappingError, match=r"beyond int64: .*'integers: decimal'"):
        read(shop, text)
    with shop.warehouse.connect(LABEL, HOUR) as session:
        found = table(session, Query(text, declared={"n": pa.uint64()}))
    assert found == pa.table({"n": pa.array([2**64 - 1], pa.uint64())})


def test_g5_a_sum_has_no_more_digits_than_readers_take(shop: MariaDB) -> None:
    """Unless it is declared: the server gives it 22 more than its column."""
    whole = "9" * 30
    shop.execute(
        "create table shop.t (a decimal(32,2))",
        f"insert into shop.t values {', '.join([f'({whole}.99)'] * 200)}",
    )
    assert read(shop, "select sum(a) as a from shop.t where a = 0").schema.types == [
        pa.decimal128(38, 2)
    ]
    text = "select sum(a) as a from (select * from shop.t union all select * from shop.t) t"
    assert str(read(shop, text).column(0)[0]) == "399999999999999999999999999999996.00"
    ten_million = f"select sum(1000000.00 * a) as a from ({text}) t"
    with pytest.raises(TypeMappingError, match=r"has no room for: declare a wider type"):
        read(shop, ten_million)
    with shop.warehouse.connect(LABEL, HOUR) as session:
        found = table(session, Query(ten_million, declared={"a": pa.decimal256(60, 4)}))
    assert found.schema.types == [pa.decimal256(65, 4)]


def test_g5_names_that_no_file_has_are_refused(shop: MariaDB) -> None:
    for text, said in (
        ("select 1 as a, 2 as A", "have the same name"),
        ("select 1 as ``", "has no name"),
    ):
        with pytest.raises((TypeMappingError, WarehouseError), match=said):
            read(shop, text)


def test_g5_a_value_has_the_type_of_what_it_is(shop: MariaDB) -> None:
    """Described with a stand-in, and then with the value, it is the same."""
    moment = datetime(2026, 1, 31, 6, 0, 0, 7)
    values: dict[str, Value] = {
        "i": 7, "least": -(2**63), "u": 2**63, "under": -(2**63) - 1, "h": 10**30,
        "d": Decimal("1.50"), "whole": Decimal(5), "t": "it's", "b": True,
        "day": date(2026, 1, 31), "at": moment, "utc": moment.replace(tzinfo=UTC), "none": None,
    }  # fmt: skip
    text = ", ".join(f":{name} as {name}, (select :{name}) as again_{name}" for name in values)
    asked = replace(query(f"select {text}", **values), types=TypeChoices(integers="decimal"))
    with shop.warehouse.connect(LABEL, HOUR) as session:
        described = session.describe(asked)
        found = table(session, asked)
    assert found.schema == described
    (row,) = found.to_pylist()
    for name, value in values.items():
        plain = value.replace(tzinfo=None) if isinstance(value, datetime) else value
        assert row[name] == row[f"again_{name}"] == plain, name

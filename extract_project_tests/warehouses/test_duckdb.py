"""DuckDB: exact types, a locked-down session, errors with their line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.schema.choices import WIDEST
from extract_project.warehouses.duckdb import DuckDBSession, DuckDBWarehouse
from extract_project.warehouses.protocol import Label, Placeholder, Query
from extract_project_tests.support.rigs import read

LABEL, HOUR = Label("a/b", "v1", "run-1"), timedelta(hours=1)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[DuckDBSession]:
    """A session on a database file with one table."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table orders as select i as id from range(10) t(i)")
    with DuckDBWarehouse(type="duckdb", path=str(path)).connect(LABEL, HOUR) as session:
        yield session


SORTED = "select * from large order by h"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database file whose one table is far larger than the memory that a session has."""
    path = str(tmp_path_factory.mktemp("duckdb") / "large.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute(
            "create table large as select i, hash(i) >> 1 as h, 'some text ' || hash(i * 7) as t, "
            "date '2000-01-01' + (i % 9999)::int as d, (i / 7)::decimal(15, 2) as n "
            "from range(3000000) t(i)"
        )
    return path


@pytest.mark.slow
def test_g9_sorting_more_than_memory_holds_spills(large: str) -> None:
    with DuckDBWarehouse(type="duckdb", path=large).connect(LABEL, HOUR) as session:
        batches = session.execute(Query(SORTED)).batches()
        assert sum(batch.num_rows for batch in batches) == 3_000_000


def test_too_little_memory_names_the_setting(large: str) -> None:
    warehouse = DuckDBWarehouse(type="duckdb", path=large, memory_limit="10MB")
    with (
        warehouse.connect(LABEL, HOUR) as session,
        pytest.raises(WarehouseError, match="raise MEMORY_LIMIT"),
    ):
        list(session.execute(Query(SORTED)).batches())


def table(session: DuckDBSession, sql: str) -> pa.Table:
    """With every value of every type."""
    return read(session, sql, WIDEST)


TYPES = [
    ("true", pa.bool_(), True),
    ("'-128'::tinyint", pa.int8(), -128),
    ("32767::smallint", pa.int16(), 32767),
    ("'-2147483648'::integer", pa.int32(), -(2**31)),
    ("9223372036854775807::bigint", pa.int64(), 2**63 - 1),
    ("255::utinyint", pa.uint8(), 255),
    ("18446744073709551615::ubigint", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    ("99999999999999999999999999999999999999::hugeint", pa.decimal128(38, 0), Decimal(10**38 - 1)),
    ("12::decimal(18, 0)", pa.int64(), 12),
    ("12::decimal(19, 0)", pa.decimal128(19, 0), Decimal(12)),
    (
        "'1234567890123456789012345678.0123456789'::decimal(38, 10)",
        pa.decimal128(38, 10),
        Decimal("1234567890123456789012345678.0123456789"),
    ),
    ("0.1::float", pa.float32(), pytest.approx(0.1)),
    ("'-inf'::double", pa.float64(), float("-inf")),
    ("date '0001-01-01'", pa.date32(), date(1, 1, 1)),
    ("date '9999-12-31'", pa.date32(), date(9999, 12, 31)),
    ("time '23:59:59.999999'", pa.time64("us"), datetime(1, 1, 1, 23, 59, 59, 999999).time()),
    ("timestamp '0001-01-01 00:00:00'", pa.timestamp("us"), datetime(1, 1, 1)),
    (
        "timestamp '9999-12-31 23:59:59.999999'",
        pa.timestamp("us"),
        datetime(9999, 12, 31, 23, 59, 59, 999999),
    ),
    ("timestamp_s '2026-01-01 00:00:01'", pa.timestamp("us"), datetime(2026, 1, 1, 0, 0, 1)),
    (
        "timestamp_ms '2026-01-01 00:00:00.001'",
        pa.timestamp("us"),
        datetime(2026, 1, 1, 0, 0, 0, 1000),
    ),
    ("''", pa.string(), ""),
    ("'\\x00\\xff'::blob", pa.binary(), b"\x00\xff"),
    ("'a'::enum('a', 'b')", pa.string(), "a"),
    (
        "'2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f'::uuid",
        pa.string(),
        "2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f",
    ),
    ("99999999999999999999999999999999999999::uhugeint", pa.decimal128(38, 0), Decimal(10**38 - 1)),
    ("sum(1)", pa.decimal128(38, 0), Decimal(1)),
    ("'{\"a\": 1}'::json", pa.string(), '{"a": 1}'),
    (
        "[uuid '2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f', null]",
        pa.list_(pa.field("element", pa.string())),
        ["2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f", None],
    ),
    (
        "{'h': 5::hugeint, 'b': [true]}",
        pa.struct([("h", pa.decimal128(38, 0)), ("b", pa.list_(pa.field("element", pa.bool_())))]),
        {"h": Decimal(5), "b": [True]},
    ),
    ("map {'k': 7::hugeint}", pa.map_(pa.string(), pa.decimal128(38, 0)), [("k", Decimal(7))]),
    (
        "[1::hugeint, 2]::hugeint[2]",
        pa.list_(pa.field("element", pa.decimal128(38, 0))),
        [Decimal(1), Decimal(2)],
    ),
    ("[1, null]", pa.list_(pa.field("element", pa.int32())), [1, None]),
    ("{'a': 1.5::decimal(2,1)}", pa.struct([("a", pa.decimal128(2, 1))]), {"a": Decimal("1.5")}),
]


@pytest.mark.parametrize(("sql", "kind", "value"), TYPES, ids=[sql for sql, _, _ in TYPES])
def test_g5_types_and_limits(
    session: DuckDBSession, sql: str, kind: pa.DataType, value: object
) -> None:
    found = table(session, f"select {sql} as a union all select null")
    assert found.schema.field("a").type == kind
    assert sorted(found["a"].to_pylist(), key=lambda v: v is None) == [value, None]
    nothing = table(session, f"select {sql} as a where false")
    assert nothing.schema == found.schema


def test_g5_nanoseconds_and_time_zones(session: DuckDBSession) -> None:
    found = table(
        session,
        "select timestamp_ns '2026-01-01 00:00:00.123456789' as ns, "
        "timestamptz '2026-03-29 02:30:00+01:00' as tz",
    )
    assert found.schema.types == [pa.timestamp("ns"), pa.timestamp("us", "UTC")]
    assert found["ns"].cast(pa.string()).to_pylist() == ["2026-01-01 00:00:00.123456789"]
    assert found["tz"].cast(pa.string()).to_pylist() == ["2026-03-29 01:30:00.000000Z"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select interval 1 day as i", "column 'i': .* cast it in the SQL"),
        ("select 1::bignum as b", "column 'b': .* cast it in the SQL"),
        ("select '101'::bit as b", "column 'b': DuckDB bit"),
        ("select timetz '01:00:00+02' as t", "column 't': DuckDB time_tz"),
        (
            "select 10000000000000000000::hugeint * 10000000000000000000 as h",
            "column 'h' .* 38 digits",
        ),
        (
            "select 340282366920938463463374607431768211455::uhugeint as u",
            "column 'u' .* 38 digits",
        ),
        ("select 1 as a, 2 as A", "columns 'a' and 'A' have the same name"),
        ('select 1 as ""', "column 1 has no name|zero-length"),
        ("select date 'infinity' as d", "column 'd' holds 'infinity'"),
        ("select timestamptz '-infinity' as t", "column 't' holds 'infinity'"),
    ],
)
def test_g5_what_no_file_keeps_is_an_error(session: DuckDBSession, sql: str, message: str) -> None:
    with pytest.raises((TypeMappingError, WarehouseError), match=message):
        table(session, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/passwd'",
        "select * from glob('/*')",
        "select * from read_parquet('s3://bucket/key')",
        "select * from read_csv('http://127.0.0.1/x.csv')",
        "select getenv('HOME')",
        "attach '/tmp/other.db'",
        "copy orders to '/tmp/orders.csv'",
        "export database '/tmp/exported'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "insert into orders values (1)",
        "create table t as select 1 as a",
        "create temp table t as select 1 as a",
        "select 1; select 2",
        "select * from secret_of_python",
        "call enable_logging()",
    ],
)
def test_g7_the_session_reads_its_own_tables_and_nothing_else(
    session: DuckDBSession, sql: str
) -> None:
    secret_of_python = pa.table({"a": [1]})
    assert secret_of_python.num_rows
    with pytest.raises(WarehouseError):
        table(session, sql)
    assert table(session, "select count(*) as n from orders")["n"].to_pylist() == [10]


def test_an_error_points_at_the_line_of_the_file(session: DuckDBSession) -> None:
    with pytest.raises(WarehouseError) as raised:
        session.execute(Query("/*---\n---*/\nselect id,\n  nope\nfrom orders"))
    assert (raised.value.line, raised.value.column) == (4, 3)
    assert 'column "nope"' in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a, 2 as a",
        "/*---\n---*/\nwith t as (select 1 as a) select *, 2 as A from t -- two",
        "select * from orders join orders as o on true",
    ],
)
def test_describe_refuses_two_columns_of_one_name_as_a_run_does(
    session: DuckDBSession, sql: str
) -> None:
    """Within the query that describes it, DuckDB renames the second."""
    with pytest.raises(TypeMappingError, match="have the same name") as executed:
        session.execute(Query(sql))
    with pytest.raises(TypeMappingError) as described:
        session.describe(Query(sql))
    assert str(described.value) == str(executed.value)


def test_describe_of_what_cannot_be_described(session: DuckDBSession) -> None:
    assert session.describe(Query("show tables")).names == ["name"]


def test_a_database_that_is_not_there() -> None:
    warehouse = DuckDBWarehouse(type="duckdb", path="no-such.duckdb")
    with pytest.raises(WarehouseError, match=r"no-such\.duckdb"), warehouse.connect(LABEL, HOUR):
        pass


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (7, pa.int32()),
        (True, pa.bool_()),
        ("x' or 1=1 --", pa.string()),
        ("a\0b", pa.string()),
        (Decimal("1.50"), pa.decimal128(3, 2)),
        (date(2026, 1, 1), pa.date32()),
        (datetime(2026, 1, 1, 6), pa.timestamp("us")),
    ],
    ids=str,
)
def test_values_are_bound_with_their_types(
    session: DuckDBSession, value: object, kind: pa.DataType
) -> None:
    query = Query("select :v as v", (Placeholder("v", 7, 9),), values={"v": value})  # type: ignore[dict-item]
    result = session.execute(query)
    (batch,) = result.batches()
    assert batch["v"].to_pylist() == [value]
    assert result.schema.field("v").type == kind


def test_g9_rows_are_streamed(session: DuckDBSession) -> None:
    """The first batch of more rows than fit anywhere is there at once."""
    result = session.execute(Query("select i from range(1000000000000) t(i)"))
    assert 0 < next(iter(result.batches())).num_rows < 1_000_000


def test_g8_cancel_ends_the_query(session: DuckDBSession) -> None:
    failed: list[Exception] = []

    def run() -> None:
        try:
            table(
                session,
                "select sum(a.i * b.i) as s from range(10000000) a(i), range(10000000) b(i)",
            )
        except WarehouseError as error:
            failed.append(error)

    running = threading.Thread(target=run)
    running.start()
    while running.is_alive():
        session.cancel()
        running.join(0.05)
    assert "nterrupt" in str(failed[0])

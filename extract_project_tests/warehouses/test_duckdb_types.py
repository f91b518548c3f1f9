"""G5: every type that DuckDB knows is published as another reader reads it, or refused."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from extract_project.errors import ExtractError, TypeMappingError, WarehouseError
from extract_project.formats.registry import chosen_format
from extract_project.history.reading import read_rows
from extract_project.schema.choices import DEFAULTS, WIDEST, TypeChoices
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project.warehouses.protocol import Label, Query
from extract_project_tests.support.rigs import read

LABEL, HOUR = Label("a/b", "v1", "run-1"), timedelta(hours=1)
REFUSED = "refused"
PARQUET = chosen_format("parquet", "none")

# Values of each logical type of `duckdb_types()`; REFUSED where no file keeps the type.
VALUES: dict[str, list[tuple[str, str]]] = {
    "ARRAY": [("[1, null]::int[2]", ""), ("[[1, 2]]::int[2][1]", "")],
    "BIGINT": [("'-9223372036854775808'::bigint", "")],
    "BIGNUM": [("12::bignum", REFUSED), ("[12::bignum]", REFUSED)],
    "BIT": [("'101'::bit", REFUSED), ("{'b': '101'::bit}", REFUSED)],
    "BLOB": [(r"'\x00\xff'::blob", ""), ("''::blob", "")],
    "BOOLEAN": [("true", ""), ("[true, null]", "")],
    "DATE": [
        ("date '0044-03-15 (BC)'", ""),
        ("date '12022-01-01'", ""),
        ("date '5877642-06-25 (BC)'", ""),
        ("date '5881580-07-10'", ""),
    ],
    "DECIMAL": [("'0.00000000000000000000000000000000000001'::decimal(38, 38)", "")],
    "DOUBLE": [("'-0'::double", ""), ("'nan'::double", ""), ("5e-324::double", "")],
    "ENUM": [("'a'::enum('b', 'a')", ""), ("map {'x'::enum('x'): 1}", "")],
    "FLOAT": [("0.1::float", "")],
    "GEOMETRY": [("'POINT(1 2)'::geometry", "")],
    "HUGEINT": [("'-99999999999999999999999999999999999999'::hugeint", "")],
    "INTEGER": [("'-2147483648'::integer", "")],
    "INTERVAL": [("interval 1 day", REFUSED), ("[interval 1 day]", REFUSED)],
    "LIST": [("[1, null]", ""), ("[]", ""), ("[[[[1]]]]", ""), ("range(100000)", "")],
    "MAP": [("map {'k': 7::hugeint}", ""), ("map {{'a': 1}: [2]}", ""), ("map {}", "")],
    "NULL": [("null", "")],
    "SMALLINT": [("32767::smallint", "")],
    "STRUCT": [("{'a': 1, 'b': {'c': uuid '2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f'}}", "")],
    "TIME": [("time '23:59:59.999999'", "")],
    "TIME WITH TIME ZONE": [("'12:00:00+02'::timetz", REFUSED)],
    "TIMESTAMP": [
        ("timestamp '0044-03-15 (BC) 01:02:03'", ""),
        ("timestamp '12022-01-01 00:00:00.000001'", ""),
        ("timestamp '290309-12-22 (BC) 00:00:00'", ""),
    ],
    "TIMESTAMP WITH TIME ZONE": [("timestamptz '294247-01-10 04:00:54'", "")],
    "TIMESTAMP_MS": [("timestamp_ms '294247-01-10 00:00:00.001'", "")],
    "TIMESTAMP_NS": [("timestamp_ns '2262-04-11 23:47:16.854775806'", "")],
    "TIMESTAMP_S": [("timestamp_s '290309-12-22 (BC) 00:00:00'", "")],
    "TIME_NS": [("time_ns '23:59:59.999999999'", "")],
    "TINYINT": [("'-128'::tinyint", "")],
    "TYPE": [("get_type(1)", REFUSED)],
    "UBIGINT": [("18446744073709551615::ubigint", "")],
    "UHUGEINT": [("99999999999999999999999999999999999999::uhugeint", "")],
    "UINTEGER": [("4294967295::uinteger", "")],
    "UNION": [("union_value(k := 1)", REFUSED), ("[union_value(k := 1)]", REFUSED)],
    "USMALLINT": [("65535::usmallint", "")],
    "UTINYINT": [("255::utinyint", "")],
    "UUID": [("uuid '2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f'", "")],
    "VARCHAR": [("'a' || chr(0) || 'é'", ""), ("''", "")],
    "VARIANT": [
        ("1::variant", REFUSED),
        ("[1::variant]", REFUSED),
        ("{'a': map {1: 2::variant}}", REFUSED),
    ],
}
CASES = [(sql, fate) for values in VALUES.values() for sql, fate in values]


class Memory(io.BytesIO):
    """A sink whose bytes are still there when the writer has closed it."""

    def close(self) -> None:
        """As an upload: the encoder does not end it."""


def fetched(sql: str, types: TypeChoices = DEFAULTS) -> pa.Table:
    with DuckDBWarehouse(type="duckdb").connect(LABEL, HOUR) as session:
        return read(session, sql, types)


def parquet(rows: pa.Table) -> bytes:
    sink = Memory()
    encoder = PARQUET.encoder(sink, rows.schema)
    encoder.write(rows)
    encoder.close()
    return sink.getvalue()


def test_the_table_knows_every_type() -> None:
    with duckdb.connect() as connection:
        known = connection.execute("select distinct logical_type from duckdb_types()").fetchall()
    assert {name for (name,) in known} == set(VALUES)


@pytest.mark.parametrize(("sql", "fate"), CASES, ids=[sql for sql, _ in CASES])
def test_g5_every_type_is_kept_or_refused(sql: str, fate: str, tmp_path: Path) -> None:
    """Kept: what DuckDB and polars read in the file prints as what was selected."""
    select = f"select {sql} as c union all select null"
    if fate == REFUSED:
        with pytest.raises(TypeMappingError, match=r"column 'c': .* cast it in the SQL"):
            fetched(select)
        return
    rows = fetched(select, WIDEST)
    file = tmp_path / "file.parquet"
    file.write_bytes(parquet(rows))
    kept = "st_aswkb(c)::varchar" if "geometry" in sql else "c::varchar"
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        selected = connection.execute(f"select {kept} from ({select})").fetchall()
        read = connection.execute(f"select c::varchar from '{file}'").fetchall()
    assert read == selected
    assert pl.read_parquet(file).height == rows.num_rows
    with file.open("rb") as opened:
        assert read_rows(opened, PARQUET).read_all().schema == rows.schema


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("sum(i)", "int64"),
        ("9223372036854775807::hugeint", "int64"),
        ("9223372036854775807::uhugeint", "int64"),
        ("9223372036854775807::ubigint", "int64"),
        ("7::decimal(38, 0)", "int64"),
        ("[sum(i)]", "list<element: int64>"),
        ("sum(i::decimal(9, 2))", "decimal128(38, 2)"),
        ("timestamp_ns '2026-01-31 06:00:00.123456'", "timestamp[us]"),
        ("time_ns '06:00:00.123456'", "time64[us]"),
        ("map {7::hugeint: timestamp_ns '2026-01-31 06:00:00'}", "map<int64, timestamp[us]>"),
    ],
)
def test_g5_by_default_a_file_has_types_that_readers_use(sql: str, kind: str) -> None:
    found = fetched(f"select {sql} as c from range(3) t(i)")
    assert str(found.schema.field("c").type) == kind
    assert fetched(f"select {sql} as c from range(3) t(i) limit 0").schema == found.schema


@pytest.mark.parametrize(
    ("sql", "value", "keeps"),
    [
        ("9223372036854775808::hugeint", "9223372036854775808", "integers: decimal"),
        ("9223372036854775808::uhugeint", "9223372036854775808", "integers: decimal"),
        ("[null, -9223372036854775809::hugeint]", "-9223372036854775809", "integers: decimal"),
        ("'1e20'::decimal(38, 0)", "100000000000000000000", "integers: decimal"),
        (
            "timestamp_ns '2026-01-31 06:00:00.123456789'",
            "2026-01-31T06:00:00.123456789",
            "timestamps: ns",
        ),
        ("{'a': time_ns '06:00:00.000000001'}", "06:00:00.000000001", "timestamps: ns"),
    ],
)
def test_g5_a_value_beyond_is_refused_with_the_key_that_keeps_it(
    sql: str, value: str, keeps: str
) -> None:
    select = f"select null as c from range(20000) union all select {sql}"
    with pytest.raises(TypeMappingError) as raised:
        fetched(select)
    assert f"column 'c' has {value} in row 20,001, " in str(raised.value)
    assert f"'{keeps}'" in str(raised.value)
    key, choice = keeps.split(": ")
    assert fetched(select, TypeChoices.model_validate({key: choice})).num_rows == 20_001


def test_g5_integers_that_no_decimal_holds_are_refused_by_either() -> None:
    select = "select (-170141183460469231731687303715884105727)::hugeint as c"
    for types in (DEFAULTS, WIDEST):
        with pytest.raises(TypeMappingError, match=r"'c' has -170141183460469231.* row 1"):
            fetched(select, types)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("row(1, 2)", "field 1 has no name: give it one in the SQL, as in {'id': 1"),
        ("row(1)", "field 1 has no name"),
        ("list_zip([1, 2], ['a', 'b'])", "field 2 has no name"),
        ("{'a': [map {1: row(1, 2)}]}", "field 1 has no name"),
        ("map {row(1, 2): 3}", "field 2 has no name"),
        ("[" * 33 + "1" + "]" * 33, "nested more than 32 levels deep"),
        ("[" * 300 + "1" + "]" * 300, "nested more than 32 levels deep"),
    ],
)
def test_nested_values_that_no_reader_understands(sql: str, message: str) -> None:
    with pytest.raises(TypeMappingError) as raised:
        fetched(f"select 1 as fine, {sql} as odd")
    assert "column 'odd': " in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "date 'infinity'",
        "date '-infinity'",
        "timestamp '-infinity'",
        "timestamptz 'infinity'",
        "timestamp_ns 'infinity'",
        "timestamp_s 'infinity'",
        "timestamp_ms '-infinity'",
        "[date '2026-01-01', date 'infinity']",
        "{'a': {'b': timestamp 'infinity'}}",
        "map {date 'infinity': 1}",
        "map {1: [timestamp '-infinity']}",
        "[[date 'infinity', null]]::date[2][1]",
    ],
)
def test_g5_infinity_is_refused_wherever_it_stands(sql: str) -> None:
    """Files would hold a date in the year 294247, or 5881580."""
    select = f"select null as c from range(20000) union all select {sql}"
    with pytest.raises(TypeMappingError, match=r"column 'c' holds 'infinity', .* row 20,001"):
        fetched(select)


@pytest.mark.parametrize(
    "sql", ["time '24:00:00'", "time_ns '24:00:00'", "[time '24:00:00']", "{'a': time '24:00:00'}"]
)
def test_g5_a_time_past_the_day_is_refused(sql: str) -> None:
    """Readers take it for 00:00:00, or fail."""
    with pytest.raises(TypeMappingError, match=r"column 'c' holds '24:00:00', first in row 2"):
        fetched(f"select null as c union all select {sql}")


@pytest.mark.parametrize(
    "sql",
    [
        "round('9999999999999999999999999999999999999'::decimal(37, 0), -1)",
        "round('-99999999999999999999999999999999999999'::decimal(38, 0), -1)",
        "[round('99999999999999999999999999999999999999'::decimal(38, 0), -1)]",
    ],
)
def test_g5_a_decimal_beyond_its_digits_is_refused(sql: str) -> None:
    """DuckDB rounds up to 10^38, and still calls it a decimal of 38 digits."""
    with pytest.raises(TypeMappingError, match=r"column 'c' holds more digits .* row 2"):
        fetched(f"select null as c union all select {sql}")


@pytest.mark.parametrize(
    "sql",
    [
        "map(['1', '01'], [10, 20])::map(integer, integer)",
        "[map {'a': 1}::map(varchar, integer), map(['1', '01'], [1, 2])::map(integer, integer)"
        "::map(varchar, integer)]",
        "{'m': map(['1.0', '1'], [1, 2])::map(double, integer)}",
    ],
)
def test_g5_a_map_with_one_key_twice_is_refused(sql: str) -> None:
    """Text files would have an object with two equal names, of which readers drop one."""
    with pytest.raises(TypeMappingError, match=r"column 'c' holds a map .* twice, first in row 2"):
        fetched(f"select null as c union all select {sql}")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1::variant as c",
        "select timetz '01:00:00+02' as c",
        "select interval 1 day as c",
        "select row(1, 2) as c",
        "select date 'infinity' as c",
        "select case when i > 20000 then error('late') end as c from range(100000) t(i)",
        "select i as c from range(100000000) t(i)",  # left after its first rows
    ],
)
@pytest.mark.parametrize("described", [False, True])
def test_the_database_is_free_again_after_any_end(
    tmp_path: Path, sql: str, described: bool
) -> None:
    """What was raised is still at hand, and with it the frames that knew the reader."""
    path = str(tmp_path / "shop.duckdb")
    duckdb.connect(path).close()
    kept: list[object] = []
    try:
        with DuckDBWarehouse(type="duckdb", path=path).connect(LABEL, HOUR) as session:
            if described:
                session.describe(Query(sql))
            batches = session.execute(Query(sql)).batches()
            kept.append(batches)
            next(batches)
            if "late" in sql:
                kept += list(batches)
    except ExtractError as error:
        kept.append(error)
    with duckdb.connect(path) as connection:
        connection.execute("create table written as select 1")
    assert kept


def test_a_cancelled_query_leaves_the_database_free(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.duckdb")
    duckdb.connect(path).close()
    with DuckDBWarehouse(type="duckdb", path=path).connect(LABEL, HOUR) as session:
        batches = session.execute(Query("select i from range(100000000) t(i)")).batches()
        next(batches)
        session.cancel()
        with pytest.raises(WarehouseError, match="nterrupt"):
            for _ in batches:
                pass
    with duckdb.connect(path) as connection:
        connection.execute("create table written as select 1")

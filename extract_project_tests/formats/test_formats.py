"""G5, G12: what is written is what is read back, in every format, and always in the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import chosen_format
from extract_project.pipeline.rowgroups import row_groups
from extract_project_tests.support.files import read, write
from extract_project_tests.support.tables import LEAVES, NESTED, exact, tables

FORMATS = [
    *(("parquet", codec) for codec in ("zstd(1)", "zstd(9)", "snappy", "lz4", "gzip", "none")),
    *(("arrow", codec) for codec in ("zstd", "lz4", "none")),
    *((name, codec) for name in ("csv", "jsonl") for codec in ("gzip", "gzip(9)", "zstd", "none")),
]
some_tables = settings(max_examples=40)


def file_format(name: Any, codec: str = "none") -> FileFormat:
    return chosen_format(name, codec)


@pytest.mark.parametrize(("name", "codec"), FORMATS)
@some_tables
@given(table=tables())
def test_g5_every_type_comes_back_from_every_format(name: str, codec: str, table: pa.Table) -> None:
    chosen = file_format(name, codec)
    found = read(write(table, chosen), chosen, table.schema)
    assert found.schema.types == table.schema.types
    assert found.schema.names == table.schema.names
    assert exact(found) == exact(table)


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_g5_no_rows_have_the_same_schema(name: str, codec: str) -> None:
    chosen = file_format(name, codec)
    kinds = [kind for kind, _ in LEAVES + NESTED]
    schema = pa.schema([(f"column {n}", kind) for n, kind in enumerate(kinds)])
    found = read(write(schema.empty_table(), chosen), chosen, schema)
    assert found.num_rows == 0
    assert found.schema.equals(schema)


TRICKY = pa.table(
    {
        "n": pa.array([9007199254740993, None, -1], pa.int64()),
        "d": pa.array(
            [Decimal("0.0000001"), None, Decimal("-12345678901.1234567")], pa.decimal128(38, 7)
        ),
        "t": pa.array(["", None, 'a "b", c\r\n'], pa.string()),
        "at": pa.array(
            [datetime(1, 1, 1), None, datetime(9999, 12, 31, 23, 59, 59, 999999)],
            pa.timestamp("us"),
        ),
        "z": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(1, 1, 1), None, date(9999, 12, 31)], pa.date32()),
        "o": pa.array([time(23, 59, 59, 999999), None, time(0)], pa.time64("us")),
        "b": pa.array([True, None, False], pa.bool_()),
    }
)


def test_g5_other_readers_see_the_same_parquet(tmp_path: Any) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(write(TRICKY, file_format("parquet", "zstd")))
    rows = [tuple(row.values()) for row in TRICKY.to_pylist()]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute(f"select * exclude z from '{file}'").fetchall()
    assert found == [tuple(v for i, v in enumerate(row) if i != 4) for row in rows]
    assert pl.read_parquet(file).drop("z").rows() == found
    frame = pd.read_parquet(file, dtype_backend="pyarrow")
    assert [None if pd.isna(v) else int(v) for v in frame["n"]] == TRICKY["n"].to_pylist()
    assert pq.read_table(file).to_pylist() == TRICKY.to_pylist()


def test_csv_is_rfc_4180() -> None:
    content = write(TRICKY, file_format("csv"))
    assert content == (
        b"n,d,t,at,z,day,o,b\r\n"
        b'9007199254740993,0.0000001,"",0001-01-01T00:00:00.000000,'
        b"2026-01-01T00:00:00.000000Z,0001-01-01,23:59:59.999999,true\r\n"
        b",,,,,,,\r\n"
        b'-1,-12345678901.1234567,"a ""b"", c\r\n",9999-12-31T23:59:59.999999,'
        b",9999-12-31,00:00:00.000000,false\r\n"
    )
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows[3][2] == 'a "b", c\r\n'


def test_csv_of_one_empty_column_keeps_its_rows() -> None:
    """An empty line would be no record at all to most readers."""
    table = pa.table({"a": pa.array([None, "x", None], pa.string())})
    content = write(table, file_format("csv"))
    assert read(content, file_format("csv"), table.schema).to_pydict() == table.to_pydict()


def test_csv_with_a_value_of_many_mebibytes_can_be_read() -> None:
    table = pa.table({"a": pa.array(["x", "y" * (5 << 20), "z"], pa.string())})
    content = write(table, file_format("csv"))
    assert read(content, file_format("csv"), table.schema).to_pydict() == table.to_pydict()


def test_jsonl_has_exact_numbers() -> None:
    lines = write(TRICKY, file_format("jsonl")).decode().splitlines()
    first = json.loads(lines[0], parse_float=Decimal)
    assert (first["n"], first["d"], first["t"]) == (9007199254740993, Decimal("1E-7"), "")
    assert json.loads(lines[1]) == dict.fromkeys(TRICKY.schema.names)


@pytest.fixture
def large() -> pa.Table:
    rows = 600_000
    return pa.table(
        {"i": pa.array(range(rows)), "t": pa.array([f"text {i % 977}" for i in range(rows)])}
    )


@settings(max_examples=5)
@given(cuts=st.lists(st.integers(1, 300_000), min_size=1, max_size=6))
def test_g12_equal_rows_give_equal_bytes_however_they_were_cut(cuts: list[int]) -> None:
    rows = 600_000
    table = pa.table({"i": pa.array(range(rows)), "t": pa.array(["x", "yy", "zzz"] * (rows // 3))})
    whole = write(table, file_format("parquet", "zstd"))
    pieces: list[pa.RecordBatch] = []
    start = 0
    for cut in [*cuts, rows]:
        pieces += table.slice(start, cut).combine_chunks().to_batches()
        start += cut
        if start >= rows:
            break
    assert (
        write(pa.Table.from_batches(pieces, table.schema), file_format("parquet", "zstd")) == whole
    )


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_g12_the_same_file_twice_is_the_same_bytes(name: str, codec: str) -> None:
    chosen = file_format(name, codec)
    assert write(TRICKY, chosen) == write(TRICKY, chosen)


def test_row_groups_are_bounded_in_rows_and_in_bytes(large: pa.Table) -> None:
    sizes = [group.num_rows for group in row_groups(large.to_batches(), large.schema)]
    assert sizes == [245_760, 245_760, 108_480]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["x" * 1_000_000] * 50),
        pa.array([b"x" * 1_000_000] * 50, pa.binary()),
        pa.array([["x" * 500_000, "y" * 500_000]] * 50),
        pa.array([{"a": "x" * 1_000_000, "b": 1}] * 50),
        pa.array([[("k", "x" * 1_000_000)]] * 50, pa.map_(pa.string(), pa.string())),
    ],
    ids=lambda values: str(values.type),
)
@pytest.mark.parametrize("batch_rows", [50, 7, 1])
def test_row_groups_end_where_long_values_reach_12_mib(values: pa.Array, batch_rows: int) -> None:
    """Wherever the warehouse cut its batches: a group depends on its rows alone."""
    wide = pa.table({"n": pa.array(range(50)), "v": values})
    groups = list(row_groups(wide.to_batches(max_chunksize=batch_rows), wide.schema))
    assert [group.num_rows for group in groups] == [13, 13, 13, 11]
    assert pa.concat_tables(groups).equals(wide)


def test_gzip_carries_no_name_and_no_time() -> None:
    content = write(TRICKY, file_format("csv", "gzip"))
    assert content[3:8] == b"\x00" * 5
    assert gzip.decompress(content) == write(TRICKY, file_format("csv"))


@pytest.mark.parametrize(
    ("name", "codec", "extension"),
    [
        ("parquet", "zstd", ".parquet"),
        ("csv", "gzip", ".csv.gz"),
        ("csv", "none", ".csv"),
        ("jsonl", "zstd", ".jsonl.zst"),
        ("arrow", "lz4", ".arrow"),
    ],
)
def test_extensions_are_what_readers_choose_a_decoder_by(
    name: str, codec: str, extension: str
) -> None:
    assert file_format(name, codec).extension == extension


def test_parquet_has_statistics_but_for_long_values() -> None:
    table = pa.table({"short": ["b", "a"], "long": ["x" * 5_000, None], "n": [2, 1]})
    group = pq.ParquetFile(io.BytesIO(write(table, file_format("parquet")))).metadata.row_group(0)
    found = {group.column(n).path_in_schema: group.column(n).statistics for n in range(3)}
    assert (found["short"].min, found["short"].max) == ("a", "b")
    assert found["long"] is None
    assert found["n"].max == 2


def test_row_groups_of_many_columns_are_larger() -> None:
    wide = pa.record_batch({f"c{n}": np.arange(8_192) for n in range(3_000)})
    sizes = [rows.num_rows for rows in row_groups(iter([wide]), wide.schema)]
    assert sizes == [2_048, 2_048, 2_048, 2_048]

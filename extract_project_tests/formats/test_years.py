"""G5: dates outside the years 1 to 9999 are kept, or refused by column, row and value."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract_project.errors import IncrementError, SchemaError, TypeMappingError
from extract_project.history.diff.difference import compare
from extract_project.history.history import chosen
from extract_project.history.reading import open_version
from extract_project.history.receipt import Receipt, read_schema, receipt_of
from extract_project.history.versions import require_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import settle
from extract_project.schema.display import display
from extract_project.schema.from_text import from_text
from extract_project.schema.text import plain_text
from extract_project.store.destination import DATA
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site

FAR = {
    "date '0044-03-15 (BC)'": "-0043-03-15",
    "date '12022-01-01'": "+12022-01-01",
    "date '5881580-07-10'": "+5881580-07-10",
    "timestamp '0001-12-31 (BC) 06:00:00'": "+0000-12-31T06:00:00.000000",
    "timestamp '290309-12-22 (BC) 00:00:01'": "-290308-12-22T00:00:01.000000",
    "timestamptz '294247-01-10 04:00:54.5'": "+294247-01-10T04:00:54.500000Z",
}
NESTED = ["[{}, null]", "{{'a': {}}}", "map {{1: {}}}", "[{{'a': map {{{}: 2}}}}]"]
WHERE = pytest.mark.parametrize("row", [1, pytest.param(21, marks=pytest.mark.slow), 20_001])
VALUE = pytest.mark.parametrize("sql", FAR)


def select(sql: str, row: int) -> str:
    """A result with the value in that row, and NULL before it."""
    return f"select null as c, 1 as n from range({row - 1}) union all select {sql}, 2"


def run(site: Site, extract: Extract, check: object = None) -> tuple[Staged, Receipt, pa.Table]:
    """Publish, and read what readers have; `check` keeps whatever the run made of its rows."""
    warehouse, target = DuckDBWarehouse(type="duckdb"), site.target(extract)
    with stage(warehouse, extract, [Place(DATA, target, site.state)], Provenance("run")) as staged:
        published = settle(site.state, staged, extract.header)
    version = require_version(target.store, target.key, published.version_id)
    receipt = receipt_of(site.state, version)
    assert receipt is not None
    return staged, receipt, open_version(version, read_schema(receipt)).read_all()


@VALUE
@WHERE
@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_g5_years_that_only_arrow_has_are_published(
    site: Site, sql: str, row: int, name: str
) -> None:
    extract = site.extract("a/b", f"/*---\nformat: {name}\n---*/\n{select(sql, row)}")
    staged, receipt, table = run(site, extract)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        expected = connection.execute(f"select {sql} as c").to_arrow_table().column("c")
    assert table["c"].slice(row - 1).cast(expected.type).equals(expected)
    text = FAR[sql]
    assert plain_text(table["c"].slice(row - 1).combine_chunks()).to_pylist() == [text]
    people = re.sub(r"\.0+(Z?)$", r"\1", text.replace("T", " "))
    assert receipt.columns[0].lowest == receipt.columns[0].highest == people
    assert ({"c": people, "n": "2"} in staged.preview) == (row == 1)


@pytest.mark.parametrize("form", NESTED)
def test_g5_inside_of_others_too(site: Site, form: str) -> None:
    sql = form.format("date '12022-01-01'")
    extract = site.extract("a/b", select(sql, 21))
    _, _, table = run(site, extract)
    body = site.body(site.target(extract).key)
    with duckdb.connect() as connection:
        expected = connection.execute(f"select ({sql})::varchar").fetchall()
        read = pq.read_table(io.BytesIO(body))
        found = connection.sql("select c::varchar from read where n = 2").fetchall()
    assert found == expected
    assert pl.read_parquet(io.BytesIO(body)).height == table.num_rows == read.num_rows


@VALUE
@WHERE
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_g5_text_files_refuse_what_their_readers_do_not_know(
    site: Site, sql: str, row: int, name: str
) -> None:
    extract = site.extract("a/b", f"/*---\nformat: {name}\n---*/\n{select(sql, row)}")
    with pytest.raises(TypeMappingError) as raised:
        run(site, extract)
    assert f"column 'c' has {FAR[sql]} in row {row:,}, " in str(raised.value)
    assert "format: parquet" in str(raised.value)


@pytest.mark.parametrize("form", NESTED)
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_g5_text_files_refuse_it_inside_of_others(site: Site, form: str, name: str) -> None:
    sql = select(form.format("date '12022-01-01'"), 21)
    extract = site.extract("a/b", f"/*---\nformat: {name}\n---*/\n{sql}")
    with pytest.raises(TypeMappingError, match=r"column 'c' has .*\+12022-01-01.* in row 21, "):
        run(site, extract)


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_g5_the_first_and_the_last_moment_are_text(site: Site, name: str) -> None:
    moments = (
        "select date '0001-01-01' as d, timestamp '0001-01-01 00:00:00' as t, "
        "timestamptz '9999-12-31 23:59:59.999999+00' as z, [date '9999-12-31'] as l"
    )
    _, _, table = run(site, site.extract("a/b", f"/*---\nformat: {name}\n---*/\n{moments}"))
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        expected = connection.execute(moments).to_arrow_table()
    assert [plain_text(c.combine_chunks()) for c in table.columns] == [
        plain_text(c.combine_chunks()) for c in expected.columns
    ]


CHECKS = """/*---
checks:
  - {unique: d, severity: warn}
  - {not_null: n, severity: warn}
  - {accepted_values: {d: [2026-01-01]}, severity: warn}
  - {between: {d: [0001-01-01, 9999-12-31]}, severity: warn}
  - {freshness: {column: d, within: 1d}, severity: warn}
  - {sql: "select *, interval 1 day as more from result", label: all, severity: warn}
---*/
select %s as d, null::int as n from range(2)
"""


@pytest.mark.parametrize("sql", list(FAR)[:3])
def test_checks_show_such_years(site: Site, sql: str) -> None:
    staged, _, _ = run(site, site.extract("a/b", CHECKS % sql))
    text = FAR[sql]
    outcomes = {outcome.name: outcome.verdict for outcome in staged.outcomes}
    assert outcomes["not_null_n"].samples[0] == {"row": "1", "d": text, "n": "NULL"}
    assert outcomes["accepted_values_d"].samples[0] == {"row": "1", "d": text}
    assert outcomes["between_d"].samples[1] == {"row": "2", "d": text}
    assert text in outcomes["freshness_d"].summary
    assert outcomes["freshness_d"].passed == text.startswith("+")
    in_duckdb = sql.removeprefix("date '").removesuffix("'")
    assert outcomes["unique_d"].samples == ({"d": in_duckdb, "rows with this key": "2"},)
    assert outcomes["sql_all"].samples[0] == {"d": in_duckdb, "n": "NULL", "more": "1 day"}


def test_two_versions_with_such_years_are_compared(site: Site) -> None:
    """DuckDB, which compares, takes the last of them for infinity."""
    days = "select i as id, date '5881580-07-10' - i::int as d from range(3) t(i)"
    run(site, site.extract("a/b", days))
    run(site, site.extract("a/b", days.replace("- i::int", "- (2 * i)::int")))
    key = site.target(site.extract("a/b", days)).key
    old, new = (chosen(site.data.store, site.state, key, word) for word in ("previous", "current"))
    rows = compare(old, new, ["id"]).rows
    assert rows is not None
    assert (rows.added, rows.removed, rows.changed) == (0, 0, 2)
    assert [(each.old["d"], each.new["d"]) for each in rows.samples_changed] == [
        ("+5881580-07-09", "+5881580-07-08"),
        ("+5881580-07-08", "+5881580-07-06"),
    ]
    counted = compare(old, new, []).rows
    assert counted is not None
    assert {row["d"] for row in counted.samples_added} == {"+5881580-07-08", "+5881580-07-06"}


@pytest.mark.parametrize("sql", ["date '12022-01-01'", "timestamp '0044-03-15 (BC)'"])
def test_a_cursor_outside_of_what_can_be_bound_is_refused(site: Site, sql: str) -> None:
    """Published, it would be a watermark that no later run could start from."""
    kind = sql.partition(" ")[0]
    extract = site.extract(
        "a/b",
        "/*---\nincremental: {cursor: d}\n---*/\n"
        f"select {kind} '2026-01-01' as d where :watermark is null or true "
        f"union all select {sql}",
    )
    text = {"date": "+12022-01-01", "timestamp": "-0043-03-15T00:00:00.000000"}[kind]
    with pytest.raises(IncrementError, match=re.escape(f"the cursor 'd' is {text} in row 2 ")):
        run(site, extract)


def test_a_declared_type_that_lacks_the_year_names_the_value(site: Site) -> None:
    extract = site.extract(
        "a/b",
        "/*---\ncolumns: {t: timestamp(9)}\n---*/\n"
        "select null::timestamp as t union all select timestamp '12022-01-01'",
    )
    with pytest.raises(SchemaError, match=r"row 2 has \+12022-01-01T00:00:00.000000 in 't'"):
        run(site, extract)


KINDS = [pa.date32(), *(pa.timestamp(u, tz) for u in ("s", "ms", "us") for tz in (None, "UTC"))]


@given(st.sampled_from(KINDS), st.integers(-(2**63), 2**63 - 1))
def test_g5_every_date_has_a_text_of_its_own(kind: pa.DataType, number: int) -> None:
    bits = 32 if kind == pa.date32() else 64
    number >>= 64 - bits
    values = pa.array([number], pa.int32() if bits == 32 else pa.int64()).cast(kind)
    text = plain_text(values)
    assert from_text(text, kind).equals(values)
    assert re.fullmatch(
        r"(\d{4}|[+-]\d{4,})-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z?)?", text[0].as_py()
    )


def test_texts_of_dates_are_those_of_a_calendar() -> None:
    """DuckDB's, which counts 1 BC before 1."""
    step = 1_000_003
    with duckdb.connect() as connection:
        days = connection.execute(
            "select d::varchar, d from (select date '1970-01-01' + i::int as d "
            f"from range(-2147000000, 2147000000, {step}) t(i))"
        )
        table = days.to_arrow_table()
    texts, found = table.column(0).to_pylist(), plain_text(table.column(1).combine_chunks())
    for theirs, ours in zip(texts, found.to_pylist(), strict=True):
        found_parts = re.fullmatch(r"(\d+)-(\d\d-\d\d)(?: \(BC\))?", theirs)
        assert found_parts
        year = 1 - int(found_parts[1]) if "BC" in theirs else int(found_parts[1])
        sign = "" if 0 <= year <= 9999 else "+" if year > 0 else "-"
        assert ours == f"{sign}{abs(year):04}-{found_parts[2]}"


def test_people_see_whole_seconds_and_no_control_characters() -> None:
    at = datetime(2026, 1, 31, 6, tzinfo=UTC)
    assert display(pa.array([at, at.replace(microsecond=1500), None])) == [
        "2026-01-31 06:00:00Z",
        "2026-01-31 06:00:00.001500Z",
        "NULL",
    ]
    assert display(pa.array(["a\x1b[31mb\n\u202e", "x" * 61])) == [
        r"a\x1b[31mb\n\u202e",
        "x" * 59 + "…",
    ]
    nested = pa.array([{"a": [1, None], "b": {"c": "d"}}])
    assert [json.loads(each) for each in display(nested)] == [{"a": [1, None], "b": {"c": "d"}}]

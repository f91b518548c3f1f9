"""What a file says of its columns: what they mean, and which are never NULL."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.release import Release
from extract_project.history.versions import require_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.attempt import RefusedResult, attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.publish.places import Place
from extract_project.published import open_published
from extract_project.stopping import Stop
from extract_project.store.destination import DATA
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.parsing import header, reasons, valid
from extract_project_tests.support.publishing import materialize

CONTRACT = """
columns:
  id: {type: int64, nullable: false, description: the shop's number}
  town: text
  total: int64
describe:
  ID: not this
  Town: where it
    is
"""
SQL = "select {id}::bigint as id, -- nor this\n  'x' as town,\n  2::bigint as total -- with tax"
MEANING = {"id": "the shop's number", "town": "where it is", "total": "with tax"}


def said(schema: pa.Schema) -> dict[str, str]:
    return {f.name: (f.metadata or {}).get(b"description", b"").decode() for f in schema}


def receipt(site: Site, extract: Extract) -> Receipt:
    target = site.target(extract)
    found = receipt_of(site.state, require_version(target.store, target.key))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "more",
    ["format: parquet", "format: arrow", "format: csv", "format: jsonl", "split: {rows: 1}"],
)
@pytest.mark.parametrize("rows", [0, 2])
def test_readers_find_descriptions_and_nullability(site: Site, more: str, rows: int) -> None:
    text = f"{SQL.format(id=1)}\nfrom range({rows})"
    extract = site.extract("a/b", header(CONTRACT + more, text))
    materialize(site, extract)
    reader = open_published(site.data.uri, "a/b")
    assert said(reader.schema) == MEANING
    assert [field.nullable for field in reader.schema] == [False, True, True]
    table = reader.read_all()
    assert table.schema.equals(reader.schema, check_metadata=True)
    assert table.to_pylist() == rows * [{"id": 1, "town": "x", "total": 2}]
    found = receipt(site, extract)
    assert {each.name: each.description for each in found.columns} == MEANING


def test_a_plain_reader_of_parquet_finds_them_too(site: Site) -> None:
    extract = site.extract("a/b", header(CONTRACT, SQL.format(id=1)))
    materialize(site, extract)
    file = pq.ParquetFile(io.BytesIO(site.body(site.target(extract).key)))
    assert said(file.schema_arrow) == MEANING
    assert str(file.schema).count("required int64 field_id=-1 id") == 1


def test_where_nothing_describes_a_column_the_next_source_does() -> None:
    sql = "select a, -- comment\n b, -- comment\n c -- comment\nfrom t"
    columns = "columns: {a: {type: int64, description: contract}, b: int64, c: int64}"
    extract = valid(header(f"{columns}\ndescribe: {{A: describe, B: describe}}", sql))
    assert extract.descriptions == {"a": "contract", "b": "describe", "c": "comment"}


def test_descriptions_do_not_change_the_code_version() -> None:
    columns = "columns: {{a: {}}}"
    plain = valid(header(columns.format("int64 not null")))
    for yaml, sql in (
        (columns.format("{type: int64, nullable: false, description: x}"), ""),
        (columns.format("int64 not null") + "\ndescribe: {a: x}\nconsumers: crm", ""),
        (columns.format("int64 not null"), " -- x"),
    ):
        told = valid(header(yaml, f"select 1 as one{sql}"))
        assert told.code_version == plain.code_version
    assert valid(header(columns.format("int64"))).code_version != plain.code_version


def test_a_description_of_no_column_is_a_warning() -> None:
    yaml = "columns: {order_id: int64}\ndescribe:\n  order_di: x"
    (warning,) = valid(header(yaml)).doubts
    assert warning == (
        "a/b.sql:4:3: 'describe' names column 'order_di', which the result does not have: did you "
        "mean 'order_id'?"
    )
    assert not valid(header("describe: {order_di: x}")).warnings


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("describe: [a]", "2:1: 'describe': ['a'] does not fit: expected a mapping of columns"),
        ("describe: {a: 1}", "2:12: 'a': 1 does not fit"),
        (
            "consumers: 'a, b'",
            "2:1: 'consumers': 'a, b' has the wrong form: expected a name as in crm",
        ),
    ],
)
def test_what_does_not_fit_is_refused(yaml: str, expected: str) -> None:
    (reason,) = reasons(header(yaml))
    assert reason.startswith(expected)


def test_another_description_is_another_version_where_the_file_has_it(site: Site) -> None:
    """Of a text file nothing changes, so that there is no version."""
    for fmt, versions in (("parquet", 2), ("csv", 1)):
        key = ""
        for text in ("one", "one", "two"):
            yaml = f"format: {fmt}\ndescribe: {{a: {text}}}"
            extract = site.extract(f"a/{fmt}", header(yaml, "select 1 as a"))
            materialize(site, extract)
            key = site.target(extract).key
        assert len(site.version_ids(key)) == versions


def run(site: Site, extract: Extract, release: Release | None = None) -> pa.Table:
    attempt(
        DuckDBWarehouse(type="duckdb"),
        extract,
        [Place(DATA, site.target(extract), site.state)],
        Provenance("run", release=release),
        stop=Stop(extract.header.timeout),
    )
    return open_published(site.data.uri, "a/b").read_all()


NULL = "case when i % 300000 = 7 then null else i end"
RELEASE = Release(of_run="r", checks=("columns",), by="ada", reason="known")


@pytest.mark.parametrize("more", ["", "\nchecks: [unique: id]", "\nsplit: {rows: 100000}"])
def test_a_null_in_a_required_column_is_counted_and_refused(site: Site, more: str) -> None:
    """Parquet's writer refuses such rows: the audit has to see all of them nevertheless."""
    contract = f"columns: {{id: int64 not null, town: text, total: int64}}{more}"
    text = header(contract, f"{SQL.format(id=NULL)}\nfrom range(700000) t(i)")
    extract = site.extract("a/b", text)
    with pytest.raises(RefusedResult) as refused:
        run(site, extract)
    said = {each.name: each.verdict.summary for each in refused.value.outcomes}
    assert "broken by id in 3 of 700,000 rows" in said["columns"]
    assert site.open_uploads() == 0
    assert not site.version_ids(site.target(extract).key)

    table = run(site, extract, RELEASE)
    assert table.column("id").null_count == 3
    assert table.schema.field("id").nullable


def test_rows_that_are_added_to_nullable_ones_leave_the_column_nullable(site: Site) -> None:
    yaml = """
incremental: {cursor: i}
columns: {id: int64 not null, i: int64}
params: {to: 2, nothing: 0}
"""
    sql = """select case when i < :nothing then null else i end as id, i from range(:to) t(i)
where :watermark is null or i >= :watermark"""
    extract = site.extract("a/b", header(yaml, sql))

    def on_other_data(to: int, nothing: int) -> Extract:
        params = {"to": to, "nothing": nothing}
        changed = extract.header.model_copy(update={"params": params})
        return extract.model_copy(update={"header": changed})

    assert run(site, on_other_data(2, 1), RELEASE).column("id").null_count == 1
    found = run(site, on_other_data(4, 0))
    assert found.column("id").to_pylist() == [None, 1, 2, 3]
    assert found.schema.field("id").nullable


def test_rows_that_are_added_to_required_ones_leave_the_column_required(site: Site) -> None:
    """And the newest description counts."""
    yaml = "incremental: {cursor: i}\nparams: {to: 2}\ncolumns:\n  i: int64 not null"
    sql = "select i -- one\nfrom range(:to) t(i) where :watermark is null or i >= :watermark"
    assert said(run(site, site.extract("a/b", header(yaml, sql))).schema) == {"i": "one"}
    extract = site.extract("a/b", header(yaml, sql.replace("-- one", "-- two")))
    changed = extract.header.model_copy(update={"params": {"to": 4}})
    found = run(site, extract.model_copy(update={"header": changed}))
    assert (found.num_rows, said(found.schema)) == (4, {"i": "two"})
    assert not found.schema.field("i").nullable

"""The SQL that makes an extract a table.

That of DuckDB is run, over copies of the published files. No Athena, Snowflake or Spark runs here:
what is made for them is read by sqlglot's parsers of their dialects, and compared word for word
where their documentation decided it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from extract_project.catalog.build import entry_of, keep_catalog
from extract_project.catalog.tables import table_of
from extract_project.ddl import ENGINES
from extract_project.ddl.table import NoSuchTable, Table, TableColumn
from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.schema.spelling import parse_type
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize

SQL = """select i::bigint as id, nullif(['', 'it''s', 'b'][i + 1], 'b') as "Its name",
  (i * 1.25)::decimal(12,2) as amount, date '9999-12-31' as day,
  timestamp '2026-01-31 06:00:00.123456' as at,
  timestamptz '2026-01-31 06:00:00+01' as instant, i = 1 as flag
from range(3) t(i)"""
ROWS = [
    (
        number,
        text,
        Decimal("1.25") * number,
        date(9999, 12, 31),
        datetime(2026, 1, 31, 6, 0, 0, 123456),
        datetime(2026, 1, 31, 5, tzinfo=UTC),
        number == 1,
    )
    for number, text in enumerate(("", "it's", None))
]
LAYOUTS = {
    "one object": "",
    "parts": "split: {rows: 2}",
    "partitions": "partitions: [eu, us]",
    "partitions in parts": "partitions: [eu, us]\nsplit: {rows: 2}",
}
FORMATS = ("parquet", "csv", "jsonl")


def publish(site: Site, header: str, sql: str = SQL, path: str = "sales/orders") -> Extract:
    partitioned = "partitions" in header
    text = f"{sql} where :partition_key != ''" if partitioned else sql
    extract = site.extract(path, f"/*---\n{header}\n---*/\n{text}")
    for key in ("eu", "us") if partitioned else (None,):
        materialize(site, extract, partition=Partition(key) if key else None)
    return extract


def made(site: Site, extract: Extract, engine: str) -> str:
    return ENGINES[engine](table_of(entry_of(site.folders, extract), site.data.uri))


def in_duckdb(site: Site, statements: str, directory: Path) -> list[Any]:
    """The rows of the view, over copies: DuckDB's client of S3 is a download by itself."""
    listed = site.s3.list_objects_v2(Bucket=site.data.bucket, Prefix=site.data.key("sales/"))
    for key in (each["Key"] for each in listed["Contents"]):
        copy = directory / key
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(site.body(key))
    secret, _, rest = statements.partition(";")
    assert secret == "create secret if not exists (type s3, provider credential_chain)"
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(rest.replace(f"s3://{site.data.bucket}", str(directory)))
    return connection.sql("from sales_orders order by id").fetchall()


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_duckdb_reads_exactly_what_was_published(
    site: Site, tmp_path: Path, layout: str, file_format: str
) -> None:
    extract = publish(site, f"format: {file_format}\n{LAYOUTS[layout]}")

    rows = in_duckdb(site, made(site, extract, "duckdb"), tmp_path)

    if "partitions" in layout:
        both = [(*row, key) for row in ROWS for key in ("eu", "us")]
        assert sorted(rows, key=str) == sorted(both, key=str)
    else:
        assert rows == ROWS


def test_duckdb_reads_only_the_parts_that_the_manifest_names(site: Site, tmp_path: Path) -> None:
    extract = publish(site, "split: {rows: 1}")
    stale = site.data.key("sales/orders/part-00007.parquet")
    body = site.body(site.data.key("sales/orders/part-00000.parquet"))
    site.s3.put_object(Bucket=site.data.bucket, Key=stale, Body=body)

    assert in_duckdb(site, made(site, extract, "duckdb"), tmp_path) == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("engine", "dialect"), [("athena", "athena"), ("snowflake", "snowflake"), ("spark", "spark")]
)
def test_other_dialects_are_understood(
    site: Site, layout: str, file_format: str, engine: str, dialect: str
) -> None:
    extract = publish(site, f"format: {file_format}\n{LAYOUTS[layout]}")

    statements = sqlglot.parse(made(site, extract, engine), dialect=dialect)

    creates = [each for each in statements if isinstance(each, exp.Create)]
    schema = creates[-1].find(exp.Schema)
    assert schema
    columns = [each.name for each in schema.expressions if isinstance(each, exp.ColumnDef)]
    assert columns[:7] == ["id", "Its name", "amount", "day", "at", "instant", "flag"]


@pytest.mark.parametrize("engine", ["snowflake", "spark"])
@pytest.mark.parametrize("said", ["the shop's", "C:\\\\", "\\' ; drop table x; --"])
def test_a_description_ends_where_it_ends(engine: str, said: str) -> None:
    """These take a backslash for an escape: one before the closing quote kept the text open."""
    columns = (TableColumn("a", parse_type("int64"), said),)
    table = Table("t", columns, "parquet", "s3://a/b", "t.parquet", "s3://a/b/lists")
    tokens = sqlglot.tokenize(ENGINES[engine](table), dialect=engine)
    texts = [each.text for each in tokens if each.token_type is sqlglot.TokenType.STRING]
    assert said in texts


def test_athena_reads_one_object_through_its_list(site: Site) -> None:
    extract = publish(site, "format: parquet")
    catalog = keep_catalog(site.folders, site.snapshot())
    statement = made(site, extract, "athena")

    folder = "catalog/tables/sales/orders.parquet"
    assert f"location '{site.data.uri}/{folder}/'" in statement
    assert "SymlinkTextInputFormat" in statement
    listed = site.body(site.data.key(f"{folder}/objects.txt"))
    assert listed.decode() == (site.data / "sales/orders.parquet").uri
    assert (
        keep_catalog(site.folders, site.snapshot(), ["sales/orders"]).extracts == catalog.extracts
    )
    assert len(site.version_ids(site.data.key(f"{folder}/objects.txt"))) == 1


def test_athena_finds_partitions_by_their_names(site: Site) -> None:
    sql = "select 1 as id, :partition_key as k"
    extract = site.extract(
        "sales/days", f"/*---\npartitions: {{type: daily, start: 2026-01-01}}\n---*/\n{sql}"
    )
    materialize(site, extract, partition=Partition("2026-01-02"))

    statement = made(site, extract, "athena")

    assert "partitioned by (`partition` string)" in statement
    assert f"location '{site.data.uri}/sales/days/'" in statement
    assert "'projection.partition.range' = '2026-01-01,NOW'" in statement
    template = f"{site.data.uri}/sales/days/partition=${{partition}}/"
    assert f"'storage.location.template' = '{template}'" in statement


@pytest.mark.parametrize(
    ("engine", "sql", "reason"),
    [
        ("athena", "select time '06:00' as t", "athena has no type for time: cast the column"),
        ("athena", "select {'x y': 1} as s", "athena has no field named 'x y' in a struct"),
        ("spark", "select [time '06:00'] as t", "spark has no type for time: cast the column"),
    ],
)
def test_what_an_engine_cannot_read_is_said(site: Site, engine: str, sql: str, reason: str) -> None:
    with pytest.raises(NoSuchTable, match=reason):
        made(site, publish(site, "", sql), engine)


@pytest.mark.parametrize("engine", ["athena", "snowflake", "spark"])
def test_no_table_over_a_folder_is_made_of_files_that_only_the_manifest_knows(
    site: Site, engine: str
) -> None:
    """It would have no rows."""
    extract = publish(site, "split: {rows: 2}")
    entry = entry_of(site.folders, extract)
    unloaded = entry.model_copy(update={"unloaded": True})
    assert ENGINES[engine](table_of(entry, site.data.uri))
    assert ENGINES["duckdb"](table_of(unloaded, site.data.uri))
    with pytest.raises(NoSuchTable, match=f"{engine} would read a folder, and only the manifest"):
        ENGINES[engine](table_of(unloaded, site.data.uri))


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_format_that_no_engine_reads_is_said(site: Site, engine: str) -> None:
    extract = publish(site, "format: arrow")
    with pytest.raises(NoSuchTable, match=f"{engine} does not read arrow files: publish"):
        made(site, extract, engine)

"""What the catalogue tells readers to write is run, against the server that has the data."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from extract_project.catalog.build import build_catalog
from extract_project.catalog.recipes import VERSION, Recipe, recipes
from extract_project.manifest.fields.partitions import Partition
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize

SQL = "select i as id, nullif('t' || i, 't1') as t from range(3) t(i)"
FORMATS = ("parquet", "csv", "jsonl", "arrow")


def recipes_of(site: Site, path: str) -> dict[str, Recipe]:
    catalog = build_catalog(site.folders, site.snapshot())
    (entry,) = (each for each in catalog.extracts if each.path == path)
    return {each.name: each for each in recipes(entry, catalog.data)}


def publish(site: Site, file_format: str, header: str = "") -> str:
    text = f"/*---\nformat: {file_format}\n{header}\n---*/\n{SQL}"
    return materialize(site, site.extract("a/b", text)).version_id


def run(recipe: Recipe, version_id: str = "") -> dict[str, Any]:
    """The names that a Python recipe leaves behind; yesterday is today here."""
    names: dict[str, Any] = {}
    exec(recipe.text.replace(VERSION, version_id).replace('"24h"', '"0s"'), names)
    return names


def download(site: Site, directory: Path) -> None:
    """Copies of the files, below the directory as below the bucket."""
    listed = site.s3.list_objects_v2(Bucket=site.data.bucket, Prefix=site.data.key("a/"))
    for key in (each["Key"] for each in listed["Contents"]):
        copy = directory / key
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(site.body(key))


def in_duckdb(site: Site, recipe: Recipe, directory: Path) -> list[Any]:
    """What a DuckDB recipe gives for copies of the files: its S3 client is a download by itself."""
    secret, query = recipe.text.split(";\n")
    assert secret == "create secret (type s3, provider credential_chain)"
    download(site, directory)
    return duckdb.sql(query.replace(f"s3://{site.data.bucket}", str(directory))).fetchall()


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_ways_to_read_a_file(site: Site, file_format: str, tmp_path: Path) -> None:
    first = publish(site, file_format)
    made = recipes_of(site, "a/b")

    exact = run(made["Python, exact types"], first)
    assert exact["exactly"].column("t").to_pylist() == ["t0", None, "t2"]
    assert exact["table"].equals(exact["exactly"])
    assert made["extract get"].text.startswith("extract get a/b\n")
    assert f"--key {site.data.key('a/b')}" in made["one version, AWS"].text
    if "DuckDB" in made:
        rows = in_duckdb(site, made["DuckDB"], tmp_path)
        assert [row[0] for row in rows] == [0, 1, 2]
    if "polars" in made:
        assert run(made["polars"])["df"]["id"].to_list() == [0, 1, 2]
    if "pandas" in made and "s3fs" not in made["pandas"].text:
        assert run(made["pandas"])["df"]["id"].tolist() == [0, 1, 2]


def test_the_ways_to_read_partitions(site: Site, tmp_path: Path) -> None:
    extract = site.extract(
        "a/b", "/*---\npartitions: [eu, us]\n---*/\nselect 1 as id, :partition_key as region"
    )
    for key in ("eu", "us"):
        materialize(site, extract, partition=Partition(key))
    made = recipes_of(site, "a/b")

    rows = in_duckdb(site, made["DuckDB"], tmp_path)
    assert sorted(row[1] for row in rows) == ["eu", "us"]
    assert run(made["polars"])["df"]["region"].to_list() == ["us"]
    (newest,) = site.version_ids(site.data.key("a/b/partition=us/b.parquet"))
    exact = run(made["Python, exact types"], newest)
    assert exact["exactly"].column("region").to_pylist() == ["us"]
    assert "--partition us" in made["extract get"].text


def test_of_parts_there_is_no_single_file_to_read(site: Site) -> None:
    materialize(site, site.extract("a/b", f"/*---\nsplit: {{rows: 1}}\n---*/\n{SQL}"))
    made = recipes_of(site, "a/b")

    assert {"pandas", "polars", "DuckDB", "Spark"}.isdisjoint(made)
    (version_id,) = site.version_ids(site.data.key("a/b/_manifest.json"))
    assert run(made["Python, exact types"], version_id)["exactly"].num_rows == 3


def test_every_name_in_a_recipe_is_plain(site: Site) -> None:
    """Nothing that a shell or a string would have to escape."""
    publish(site, "parquet")
    for recipe in recipes_of(site, "a/b").values():
        if recipe.language == "shell":
            assert re.fullmatch(r"[\w\s./\\=:-]+", recipe.text)


DIALECTS: dict[str, set[str]] = {
    'delimiter: ";", encoding: windows-1252, decimal: ","': {"pandas", "polars"},
    'delimiter: ";", encoding: iso-8859-1, date: "%d.%m.%Y"': {"pandas", "polars", "DuckDB"},
    "delimiter: tab, quote: none, header: false, null: 'NULL'": {"pandas", "polars", "DuckDB"},
    "quote: all, encoding: utf-16le, bom: true, newline: lf": {"pandas", "polars", "DuckDB"},
    "delimiter: '|', bom: true, timestamp: '%Y%m%d %H%M'": {"pandas", "polars", "DuckDB"},
    "escape: backslash, null: 'NULL'": {"pandas", "DuckDB"},
    "escape: backslash, null: '\\N'": set(),
}
DIALECT_SQL = """select i as id, nullif('Größe; ' || i, 'Größe; 1') as t,
  (i / 4)::decimal(9, 2) as part,
  date '2026-02-01' as day, timestamp '2026-02-01 06:00:00' as at from range(3) t(i)"""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_ways_to_read_a_dialect(site: Site, dialect: str, tmp_path: Path) -> None:
    more = f"format: csv\ncompression: none\ncsv: {{{dialect}}}"
    text = f"/*---\n{more}\n---*/\n{DIALECT_SQL}"
    materialize(site, site.extract("a/b", text))
    made = recipes_of(site, "a/b")
    assert {"pandas", "polars", "DuckDB"} & made.keys() == DIALECTS[dialect]
    texts = ["Größe; 0", None, "Größe; 2"]
    parts = [0, 0.25, 0.5]

    download(site, tmp_path)

    def read(recipe: Recipe) -> Any:
        """Its frame, over copies: s3fs is another package."""
        names: dict[str, Any] = {}
        exec(recipe.text.replace(f"s3://{site.data.bucket}", str(tmp_path)), names)
        return names["df"]

    if "pandas" in made:
        frame = read(made["pandas"])
        assert frame["t"].astype(object).where(frame["t"].notna(), None).tolist() == texts
        assert frame["part"].tolist() == parts
    if "polars" in made:
        frame = read(made["polars"])
        assert frame["t"].to_list() == texts
        assert frame["part"].to_list() == parts
    if "DuckDB" in made:
        rows = in_duckdb(site, made["DuckDB"], tmp_path)
        assert [row[1] for row in rows] == texts
        assert [row[2] for row in rows] == parts
        days = [row[3:] for row in rows]
        assert days == [(date(2026, 2, 1), datetime(2026, 2, 1, 6))] * 3


def test_no_table_is_made_of_a_dialect_that_the_engine_would_misread(site: Site) -> None:
    made = {}
    for name, more in (("plain", ""), ("dialect", "csv: {delimiter: ';'}")):
        publish(site, "csv", more)
        made[name] = {each for each in recipes_of(site, "a/b") if each.endswith(" table")}
    assert made == {"plain": {"Athena table", "Snowflake table"}, "dialect": set()}

"""Recipes for reading an extract, to copy into a notebook, a console or a terminal.

`VERSION` in a recipe stands for the VersionId that its reader chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from extract_project.catalog.csv_arguments import (
    duckdb_options,
    pandas_arguments,
    polars_arguments,
    spark_options,
)
from extract_project.catalog.model import CatalogEntry
from extract_project.catalog.tables import table_of
from extract_project.ddl import ENGINES
from extract_project.ddl.table import NoSuchTable
from extract_project.errors import NotPublished
from extract_project.formats.csv.dialect import Dialect
from extract_project.layout import PARTS_MANIFEST
from extract_project.store.folder import Location

VERSION = "VERSION"
_LINE = 80


@dataclass(frozen=True)
class Recipe:
    """One way to read an extract."""

    name: str
    language: str
    text: str


@dataclass(frozen=True)
class _Place:
    """The location that a recipe reads."""

    entry: CatalogEntry
    data: str
    """URI of the destination, which `extract_project.published` takes."""
    uri: str
    """Of one object: of an extract with partitions, of the newest one."""
    partition: str | None

    @property
    def is_hive(self) -> bool:
        """Whether folders say which partition is in them."""
        return self.partition is not None and not self.entry.named

    @property
    def bucket(self) -> str:
        return Location.parse(self.uri).bucket

    @property
    def key(self) -> str:
        return Location.parse(self.uri).prefix

    @property
    def file(self) -> str:
        return self.key.rpartition("/")[2]


def recipes(entry: CatalogEntry, data: str) -> list[Recipe]:
    """Every way to read an extract that is published; empty for one that is not."""
    if entry.published is None:
        return []
    newest = entry.published.versions[0]
    root = Location.parse(entry.folder or data)
    uri = replace(root, prefix=newest.key).uri
    place = _Place(entry, root.uri, uri, newest.partition)
    made: list[Recipe] = []
    if not entry.parts:
        made += [make(place) for make in _OF_A_FILE.get(entry.format, ())]
    if not entry.parts and entry.format == "csv":
        made += _csv(place)
    return [
        *made,
        _python(place),
        _versions(place),
        _aws(place),
        _command(place),
        *_tables(entry, data),
    ]


def _tables(entry: CatalogEntry, data: str) -> Iterator[Recipe]:
    """For the engines that can read it."""
    for name in ("Athena", "Snowflake"):
        with suppress(NotPublished, NoSuchTable):
            table = ENGINES[name.lower()](table_of(entry, data))
            yield Recipe(f"{name} table", "sql", table.rstrip())


def _pandas_parquet(place: _Place) -> Recipe:
    return Recipe(
        "pandas",
        "python",
        f'import pandas as pd\n\ndf = pd.read_parquet("{place.uri}", dtype_backend="pyarrow")',
    )


def _csv(place: _Place) -> Iterator[Recipe]:
    """For those that can read the dialect that the newest version is written in."""
    published = place.entry.published
    assert published is not None
    dialect = Dialect.model_validate(published.format_options or {})
    names = [column.name for column in published.columns]
    if (found := pandas_arguments(dialect, names)) is not None:
        call = _call("pd.read_csv", place.uri, found)
        yield Recipe("pandas", "python", f"import pandas as pd  # and s3fs\n\ndf = {call}")
    if (found := polars_arguments(dialect, names)) is not None:
        call = _call("pl.read_csv", place.uri, found)
        more = "" if dialect.encoding == "utf-8" else "  # and s3fs"
        yield Recipe("polars", "python", f"import polars as pl{more}\n\ndf = {call}")
    if (options := duckdb_options(dialect, names)) is not None:
        yield _duckdb("read_csv", options)(place)
    if (options := spark_options(dialect)) is not None:
        yield _spark("csv", options)(place)


def _call(function: str, uri: str, arguments: Sequence[str]) -> str:
    """On one line if it is short."""
    every = [f'"{uri}"', *arguments]
    if sum(map(len, every)) <= _LINE:
        return f"{function}({', '.join(every)})"
    return f"{function}(\n    " + ",\n    ".join(every) + ",\n)"


def _pandas_jsonl(place: _Place) -> Recipe:
    return Recipe(
        "pandas",
        "python",
        f'import pandas as pd  # and s3fs\n\ndf = pd.read_json("{place.uri}", lines=True)',
    )


def _polars(function: str) -> Callable[[_Place], Recipe]:
    def make(place: _Place) -> Recipe:
        return Recipe(
            "polars", "python", f'import polars as pl\n\ndf = pl.{function}("{place.uri}")'
        )

    return make


def _duckdb(function: str, options: Sequence[str] = ()) -> Callable[[_Place], Recipe]:
    def make(place: _Place) -> Recipe:
        everything = place.entry.uri
        partitioned = ["hive_partitioning = true"] if place.is_hive else []
        arguments = ", ".join([f"'{everything}'", *options, *partitioned])
        return Recipe(
            "DuckDB",
            "sql",
            "create secret (type s3, provider credential_chain);\n"
            f"select * from {function}({arguments});",
        )

    return make


def _spark(format_: str, options: Sequence[str] = ()) -> Callable[[_Place], Recipe]:
    def make(place: _Place) -> Recipe:
        chosen = "".join(f".option({each})" for each in options)
        uri = place.entry.uri.replace("s3://", "s3a://", 1)
        return Recipe("Spark", "python", f'df = spark.read{chosen}.{format_}("{uri}")')

    return make


_OF_A_FILE: dict[str, tuple[Callable[[_Place], Recipe], ...]] = {
    "parquet": (
        _pandas_parquet,
        _polars("read_parquet"),
        _duckdb("read_parquet"),
        _spark("parquet"),
    ),
    "jsonl": (_pandas_jsonl, _polars("read_ndjson"), _duckdb("read_json"), _spark("json")),
    "arrow": (_polars("read_ipc"),),
}


def _python(place: _Place) -> Recipe:
    path = place.entry.path
    if place.entry.named:
        path = Location.parse(place.data).relative(place.key).removesuffix(f"/{PARTS_MANIFEST}")
    arguments = f'"{place.data}", "{path}"'
    if place.partition and not place.entry.named:
        arguments += f', partition="{place.partition}"'
    return Recipe(
        "Python, exact types",
        "python",
        "from extract_project.published import open_published\n\n"
        f"table = open_published({arguments}).read_all()\n"
        f'yesterday = open_published({arguments}, as_of="24h").read_all()\n'
        f'exactly = open_published({arguments}, version="{VERSION}").read_all()',
    )


def _versions(place: _Place) -> Recipe:
    return Recipe(
        "list versions",
        "shell",
        f"aws s3api list-object-versions --bucket {place.bucket} --prefix {place.key}",
    )


def _aws(place: _Place) -> Recipe:
    return Recipe(
        "one version, AWS",
        "shell",
        f"aws s3api get-object --bucket {place.bucket} --key {place.key} \\\n"
        f"  --version-id {VERSION} {place.file}",
    )


def _command(place: _Place) -> Recipe:
    options = f" --partition {place.partition}" if place.partition else ""
    return Recipe(
        "extract get",
        "shell",
        f"extract get {place.entry.path}{options}\n"
        f"extract get {place.entry.path}{options} --version {VERSION}\n"
        f"extract get {place.entry.path}{options} --as-of 24h",
    )

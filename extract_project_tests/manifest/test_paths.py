"""The header key `path`: which names it gives, what it refuses, and who may have which."""

from __future__ import annotations

import pytest

from extract_project.manifest.extract import Extract, InvalidExtract
from extract_project.manifest.fields.path import Naming
from extract_project.manifest.together import sort_out
from extract_project_tests.support.parsing import parse

SQL, PARTITIONED = "select 1 as one", "select :partition_key as one"
DAILY, MONTHLY = "%Y-%m-%d", "%Y-%m"


def read(path: str, *header: str) -> Extract | InvalidExtract:
    lines = "\n".join(header)
    sql = PARTITIONED if "partitions:" in lines else SQL
    return parse(f"/*---\n{lines}\n---*/\n{sql}", path=path)


@pytest.mark.parametrize(
    ("template", "form", "key", "path"),
    [
        ("out/{name}_{partition:%Y%m%d}.csv", DAILY, "2026-01-31", "out/orders_20260131.csv"),
        ("{folder}/{partition}.csv", DAILY, "2026-01-31", "sales/2026-01-31.csv"),
        (
            "{partition:%Y/%m}/{name}_{partition:%d}.csv",
            DAILY,
            "2026-01-31",
            "2026/01/orders_31.csv",
        ),
        ("o_{partition:%j%Y}.csv", DAILY, "2026-02-01", "o_0322026.csv"),
        ("o.{partition:%m.%Y}.csv", MONTHLY, "2026-02", "o.02.2026.csv"),
        ("o_{partition}_{partition}.csv", None, "eu", "o_eu_eu.csv"),
    ],
)
def test_the_name_of_a_partition_leads_back_to_it(
    template: str, form: str | None, key: str, path: str
) -> None:
    naming = Naming(template, "sales/orders", form)
    assert naming.at(key) == path
    assert naming.partition_of(path) == key
    assert naming.partition_of(f"{path}.gz") is None
    assert naming.tells_partitions_apart


def test_names_that_only_look_like_those_of_partitions() -> None:
    naming = Naming("{partition:%Y}/o_{partition:%Y%m%d}.csv", "sales/orders", DAILY)
    assert naming.partition_of("2026/o_20260131.csv") == "2026-01-31"
    for path in ("2025/o_20260131.csv", "2026/o_20260231.csv", "2026/o_2026013.csv"):
        assert naming.partition_of(path) is None


def test_a_root_folder_leaves_no_slash() -> None:
    assert Naming("{folder}/{name}.csv", "orders").at(None) == "orders.csv"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (("path: a/{nam}.parquet",), "'path': unknown placeholder {nam}: did you mean 'name'?"),
        (("path: a/{name.parquet",), "'path': expected '}' before end of string: write it as in"),
        (("path: a//b.parquet",), "'path': 'a//b.parquet' has an empty or dotted part"),
        (("path: ../b.parquet",), "'path': '../b.parquet' has an empty or dotted part"),
        (("path: a b.parquet",), "'path': ' ' cannot be in it: expected letters, digits"),
        (("path: .extract/b.parquet",), "'path' begins with .extract/, which is reserved"),
        (("path: catalog/b.parquet",), "'path' begins with catalog/, which is reserved"),
        (("path: a/part-{name}.parquet",), "'path' ends with part-{name}.parquet, a name of parts"),
        (("path: a/{name}.csv",), "'path' ends with .csv: expected .parquet, as 'format' and"),
        (("path: a/{name}",), "'path' ends with no extension: expected .parquet, as"),
        (
            ("format: csv", "path: a/{name}.csv"),
            "'path' ends with .csv: expected .csv.gz, as 'format' and 'compression' say; "
            "write a/{name}.csv.gz",
        ),
        (
            ("split: {rows: 5}", "path: a/{name}.parquet"),
            "'path' is the folder of the parts with 'split': leave out .parquet",
        ),
        (
            ("partitions: daily", "path: a/{name}.parquet"),
            "'path' lacks {partition}: each partition would replace the others; write it as in "
            "a/{name}_{partition}.parquet",
        ),
        (
            ("path: a/{partition}.parquet",),
            "'path' has {partition}, but there are no 'partitions': remove one of them",
        ),
        (
            ("partitions: [eu, us]", "path: a/{partition:%Y}.parquet"),
            "'path' writes {partition:…} as a time, but partitions are keys: write {partition}",
        ),
        (
            ("partitions: daily", "path: a/{partition:%d}.parquet"),
            "'path' gives daily partitions the same object: expected all of %Y-%m-%d in it",
        ),
        (
            ("partitions: daily", "path: a/{partition:%B}.parquet"),
            "'path': {partition:%B} is not possible: expected {partition:…} with any of %Y",
        ),
    ],
)
def test_what_cannot_be_a_path_is_refused_at_its_place(
    header: tuple[str, ...], reason: str
) -> None:
    found = read("sales/orders", *header)
    assert isinstance(found, InvalidExtract)
    line = 1 + next(i for i, each in enumerate(header, 1) if each.startswith("path"))
    assert found.reasons[0].startswith(f"sales/orders.sql:{line}:1: {reason}"), found.reasons


@pytest.mark.parametrize(
    ("header", "partition", "path"),
    [
        (("path: out/{name}.parquet",), None, "out/orders.parquet"),
        (("format: csv", "path: out/{name}.csv.gz"), None, "out/orders.csv.gz"),
        (("path: out/{name}", "split: {rows: 5}"), None, "out/orders/_manifest.json"),
        (
            ("path: o_{partition}", "partitions: [eu]", "split: {rows: 5}"),
            "eu",
            "o_eu/_manifest.json",
        ),
    ],
)
def test_where_an_extract_is_published(
    header: tuple[str, ...], partition: str | None, path: str
) -> None:
    found = read("sales/orders", *header)
    assert isinstance(found, Extract), found.reasons
    assert found.published_path(partition) == path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a/b", "path: out/x.parquet"), ("a/c", "path: out/x.parquet")),
        (("a/b", ""), ("a/c", "path: a/b.parquet")),
        (("a/b", ""), ("a/c", "path: a/b.csv.gz\nformat: csv")),
        (("a/b", "split: {rows: 5}"), ("a/c", "path: a/b\nsplit: {rows: 9}")),
        (("a/b", "path: c/d.parquet"), ("c/d", "")),
        (
            ("a/b", "path: o_{partition:%Y%m%d}.parquet\npartitions: daily"),
            ("a/c", "path: o_{partition:%d%m%Y}.parquet\npartitions: daily"),
        ),
        (
            ("a/b", "path: o_{partition:%Y%m%d}.parquet\npartitions: daily"),
            ("a/c", "path: o_20260131.parquet"),
        ),
        (
            ("a/b", "path: o_{partition}.parquet\npartitions: [eu, us]"),
            ("a/c", "path: o_us.parquet"),
        ),
    ],
)
def test_of_two_that_would_publish_the_same_object_the_first_works(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    parsed = [read(path, *header.splitlines()) for path, header in (other, one)]
    extracts, (invalid,) = sort_out(parsed)
    assert [each.path for each in extracts] == [one[0]]
    assert invalid.path == other[0]
    (reason,) = invalid.reasons
    assert f"{one[0]}.sql and {other[0]}.sql would publish the same object, such as " in reason
    assert f"{one[0]}.sql comes first: change the 'path' of one of them" in reason


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("catalog/catalog", "format: jsonl"),
        ("catalog/index.html", ""),
        ("catalog/operations.html", "partitions: daily\nsplit: {rows: 5}"),
    ],
)
def test_the_names_of_pages_are_taken(path: str, header: str) -> None:
    extracts, (invalid,) = sort_out([read(path, *header.splitlines()), read("catalog/index")])
    assert [each.path for each in extracts] == ["catalog/index"]
    assert "its object would be named like catalog/" in invalid.reasons[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("path: out/x.parquet", "path: out/x.csv.gz\nformat: csv"),
        ("path: out/x.parquet", "path: out/x.parquet\nto: crm"),
        (
            "path: o_{partition:%Y%m%d}.parquet\npartitions: daily",
            "path: o_late_{partition:%Y%m%d}.parquet\npartitions: daily",
        ),
        ("path: o_{partition}.parquet\npartitions: [eu, us]", "path: o_de.parquet"),
        ("path: '{folder}/x_{name}.parquet'", "path: '{folder}/x_{name}.parquet'"),
    ],
)
def test_names_that_cannot_be_equal_are_two(one: str, other: str) -> None:
    parsed = [read(path, *text.splitlines()) for path, text in (("a/b", one), ("a/c", other))]
    assert [each.path for each in sort_out(parsed)[0]] == ["a/b", "a/c"]

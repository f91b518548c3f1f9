"""Which format an object has is known, whatever its name looks like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extract_project.errors import NotPublished
from extract_project.formats.registry import EXTENSIONS, named_format
from extract_project.history.reading import version_format
from extract_project.history.versions import require_version
from extract_project.published import open_published
from extract_project_tests.conftest import Site
from extract_project_tests.support.publishing import materialize

ROWS = [{"a": "1", "b": "x"}, {"a": "2", "b": 'y, "z"'}]
QUERY = "select '1' as a, 'x' as b union all select '2', 'y, \"z\"' order by a"
NAMES = ["daily.csv", "daily.jsonl", "x.gz", "a.parquet", "b.arrow", "c.csv.gz"]
HEADERS = [
    "format: jsonl\ncompression: none",
    "format: jsonl",
    "format: csv\ncompression: none",
    "format: csv\ncompression: zstd",
    "format: parquet",
    "format: arrow",
    "format: jsonl\nsplit: {rows: 1}",
    "format: csv\nsplit: {rows: 1}",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_extract_may_be_named_like_a_file_of_another_format(site: Site, name: str) -> None:
    """`daily.csv.jsonl` was read as CSV: two rows came back as one."""
    for number, header in enumerate(HEADERS):
        path = f"a{number}/{name}"
        materialize(site, site.extract(path, f"/*---\n{header}\n---*/\n{QUERY}"))
        assert open_published(site.data.uri, path).read_all().to_pylist() == ROWS, header


def test_a_version_says_its_format_itself(site: Site) -> None:
    extract = site.extract("a/b", f"/*---\nformat: csv\n---*/\n{QUERY}")
    materialize(site, extract)
    target = site.target(extract)
    version = require_version(target.store, target.key)
    assert version.provenance["format"] == "csv.gz"
    renamed = replace(version, object=replace(version.object, key="outbound/orders.txt"))
    assert version_format(renamed).extension == ".csv.gz"
    # Of a release that did not say it:
    silent = replace(version, object=replace(version.object, facts={}))
    assert version_format(silent).extension == ".csv.gz"
    with pytest.raises(NotPublished, match=r"orders.txt is no extract: expected one of parquet"):
        version_format(replace(renamed, object=replace(renamed.object, facts={})))


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
@pytest.mark.parametrize("name", ["daily", *NAMES])
def test_the_end_of_a_name_is_its_format(name: str, extension: str) -> None:
    found = named_format(f"folder.csv/{name}{extension}")
    assert found is not None
    assert found.extension == extension


@pytest.mark.parametrize("name", ["orders", "orders.txt", "orders.csv.txt", "orders.gz", "csv"])
def test_other_names_stand_for_none(name: str) -> None:
    assert named_format(name) is None

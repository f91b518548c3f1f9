"""A version is read in the dialect that it was written in, whatever the header says by now."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from extract_project.errors import TypeMappingError
from extract_project.history.diff.difference import compare
from extract_project.history.history import chosen
from extract_project.history.parts import load_manifest
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import require_version
from extract_project.manifest.extract import Extract
from extract_project.published import open_published
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.publishing import materialize

DIALECTS = [
    "",
    'csv: {delimiter: ";", encoding: windows-1252, decimal: ",", date: "%d.%m.%Y"}',
    "csv: {delimiter: tab, quote: none, escape: backslash, null: '\\N', header: false}",
    "csv: {quote: all, encoding: utf-16le, bom: true, timestamp: '%Y-%m-%d %H:%M:%S'}",
]
SQL = """select i as id, (i / 4)::decimal(9, 2) as part, nullif('Größe; ' || i, 'Größe; 1') as t,
  date '2026-02-01' + i::int as day, timestamptz '2026-02-01 06:00:00+00' as at
from range(3) t(i)"""
ROWS = [
    {
        "id": i,
        "part": Decimal(i) / 4,
        "t": None if i == 1 else f"Größe; {i}",
        "day": date(2026, 2, 1 + i),
        "at": datetime(2026, 2, 1, 6, tzinfo=UTC),
    }
    for i in range(3)
]


def extract(site: Site, dialect: str, more: str = "", sql: str = SQL) -> Extract:
    return site.extract("a/b", f"/*---\nformat: csv\n{dialect}\n{more}\n---*/\n{sql}")


def rows(site: Site, version: str | None = None) -> list[dict[str, object]]:
    reader = open_published(site.data.uri, "a/b", version=version)
    found: list[dict[str, object]] = reader.read_all().to_pylist()
    return found


@pytest.mark.parametrize("more", ["", "compression: none", "split: {rows: 2}"])
def test_every_version_is_read_in_its_own_dialect(site: Site, more: str) -> None:
    versions = [materialize(site, extract(site, each, more)).version_id for each in DIALECTS]
    assert len(set(versions)) == len(DIALECTS)
    for version in versions:
        assert rows(site, version) == ROWS
    key = site.target(extract(site, "", more)).key
    for old in versions[:-1]:
        before = chosen(site.data.store, site.state, key, old)
        after = chosen(site.data.store, site.state, key, versions[-1])
        found = compare(before, after, ["id"]).rows
        assert found is not None
        assert (found.added, found.removed, found.changed) == (0, 0, 0)


def test_rows_are_added_in_the_dialect(site: Site) -> None:
    sql = f"{SQL} where i < case when :watermark is null then 2 else 3 end"
    for number, dialect in enumerate(DIALECTS[1:3]):
        more = "incremental: {cursor: id, lag: 1}"
        known = f"/*---\nformat: csv\n{dialect}\n{more}\n---*/\n"
        path = f"a/b{number}"
        added = site.extract(path, known + sql)
        for run in ("first", "second"):
            materialize(site, added, run)
        assert open_published(site.data.uri, path).read_all().to_pylist() == ROWS
        target = site.target(added)
        manifest = load_manifest(require_version(target.store, target.key))
        assert [part.rows for part in manifest.parts] == [2, 1]


def test_the_data_says_its_dialect_itself(site: Site) -> None:
    materialize(site, extract(site, DIALECTS[1], "compression: none"))
    target = site.target(extract(site, DIALECTS[1], "compression: none"))
    version = require_version(target.store, target.key)
    receipt = receipt_of(site.state, version)
    assert receipt is not None
    expected = {
        "delimiter": ";",
        "encoding": "windows-1252",
        "date": "%d.%m.%Y",
        "decimal": ",",
    }
    assert json.loads(version.provenance["format-options"]) == expected
    assert receipt.format_options == expected
    assert version.object.content_type == "text/csv; charset=windows-1252; header=present"
    assert site.body(target.key).decode("cp1252").splitlines()[1] == (
        '0;0,00;"Größe; 0";01.02.2026;2026-02-01T06:00:00.000000Z'
    )


def test_the_same_bytes_in_another_dialect_are_another_version(site: Site) -> None:
    """1 February and 2 January: what is published was the wrong one of them."""
    days = "select date '2026-{}' as day"
    first = extract(site, "csv: {date: '%d/%m/%Y'}", sql=days.format("02-01"))
    second = extract(site, "csv: {date: '%m/%d/%Y'}", sql=days.format("01-02"))
    old, new = materialize(site, first).version_id, materialize(site, second).version_id
    assert rows(site, old) == [{"day": date(2026, 2, 1)}]
    assert rows(site, new) == rows(site) == [{"day": date(2026, 1, 2)}]


def test_a_dialect_is_part_of_the_code_and_its_defaults_are_not(site: Site) -> None:
    versions = [extract(site, each).code_version for each in DIALECTS]
    assert len(set(versions)) == len(DIALECTS)
    assert extract(site, "csv: {delimiter: ',', newline: crlf}").code_version == versions[0]


@pytest.mark.parametrize("more", ["", "split: {rows: 7}"])
def test_what_a_dialect_cannot_hold_is_refused_and_nothing_is_published(
    site: Site, more: str
) -> None:
    sql = "select i as id, case i when 20 then 'Łódź' end as t from range(25) t(i)"
    made = extract(site, DIALECTS[1], more, sql)
    with pytest.raises(TypeMappingError) as raised:
        materialize(site, made)
    assert str(raised.value) == (
        "column 't' has 'Łódź' in row 21: windows-1252 lacks 'Ł' (U+0141): "
        "write 'encoding: utf-8', or replace() it in the SQL"
    )
    assert site.version_ids(site.target(made).key) == []


def test_extract_get_writes_the_dialect(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "one.csv"
    bodies = []
    for more in ("compression: none", "split: {rows: 2}\ncompression: none"):
        materialize(site, extract(site, DIALECTS[1], more))
        options = ["--one-file"] if "split" in more else []
        done = call("get", "a/b", "-o", path, "--force", *options)
        assert done.exit_code == 0, done.output
        bodies.append(path.read_bytes())
    assert bodies[0] == bodies[1]
    assert bodies[0].decode("cp1252").startswith('id;part;t;day;at\r\n0;0,00;"Größe; 0";01.02.2026')

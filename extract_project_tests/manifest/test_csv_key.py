"""`csv` of a header: what is wrong with it, where, and what was meant."""

from __future__ import annotations

import jsonschema
import pytest

from extract_project.formats.csv.dialect import Dialect
from extract_project.manifest.header.schema import header_schema
from extract_project_tests.support.parsing import header, reasons, valid
from extract_project_tests.support.trees import refused_one, understood_one


def test_the_keys_as_people_write_them() -> None:
    text = header(
        r"""format: csv
csv:
  delimiter: ;
  header: false
  quote: all
  escape: backslash
  null: '\N'
  encoding: cp1252
  newline: lf
  date: "%d.%m.%Y"
  timestamp: "%d.%m.%Y %H:%M:%S"
  decimal: ","
"""
    )
    assert valid(text).header.csv == Dialect(
        delimiter=";",
        header=False,
        quote="all",
        escape="backslash",
        null="\\N",
        encoding="windows-1252",
        newline="lf",
        date="%d.%m.%Y",
        timestamp="%d.%m.%Y %H:%M:%S",
        decimal=",",
    )


@pytest.mark.parametrize("written", ["tab", r"\t", r'"\t"', r"'\t'"])
def test_a_tab(written: str) -> None:
    found = valid(header(f"format: csv\ncsv: {{delimiter: {written}}}")).header.csv
    assert found == Dialect(delimiter="\t")


FAULTS = [
    ("delimeter: ;", "4:3: unknown key 'delimeter': did you mean 'delimiter'?"),
    (
        "quote: always",
        "4:3: 'quote': 'always' is not a valid value: expected one of all, needed, none",
    ),
    ("quote: ned", "4:3: 'quote': 'ned' is not a valid value: did you mean 'needed'?"),
    ("encoding: windows1252", "4:3: 'encoding': 'windows1252' is not a valid value: did you mean"),
    (
        "encoding: utf-16",
        "4:3: 'encoding': 'utf-16' is not a valid value: did you mean 'utf-16le'?",
    ),
    ("delimiter: ';;'", "4:3: 'delimiter': ';;' does not fit: expected one character in quotes"),
    ("delimiter: a", "4:3: 'delimiter': 'a' is no mark: expected another character, as in"),
    ("delimiter: '.'", "4:3: 'delimiter': '.' occurs in numbers and times: expected another"),
    ("null: NULL", "4:3: 'null': no value: expected a short text in quotes, as in"),
    ("null: 0", "4:3: 'null': 0 does not fit: expected a short text in quotes"),
    ("null: '0'", "4:3: 'null': '0' is a value, too: expected a text as"),
    ("bom: maybe", "4:3: 'bom': 'maybe' does not fit: expected true or false"),
    ("decimal: ','", "4:3: 'decimal': the same character is the delimiter: write delimiter: ';'"),
    ("date: '%d.%m.%y'", "4:3: 'date': %y is not possible: expected 'iso', or some of %Y, %m, %d"),
    ("date: '%d.%m.'", "4:3: 'date': '%d.%m.' lacks %Y: without it, the day is lost"),
    ("date: 2026-01-01", "4:3: 'date': 2026-01-01 does not fit: expected iso, or a pattern"),
    ("timestamp: '%Y-%m-%d %S'", "4:3: 'timestamp': '%Y-%m-%d %S' leaves out a part between"),
]


@pytest.mark.parametrize(("line", "expected"), FAULTS)
def test_what_is_wrong_is_said_at_its_place(line: str, expected: str) -> None:
    (found,) = reasons(header(f"format: csv\ncsv:\n  {line}"))
    assert found.startswith(expected)


@pytest.mark.parametrize("known", ["", "format: jsonl\n", "format: parquet\n"])
def test_it_goes_with_csv_only(known: str) -> None:
    (found,) = reasons(header(f"{known}csv: {{delimiter: ';'}}"))
    assert "'csv' goes with 'format: csv' only: write that, or remove it" in found


def test_what_is_not_a_mapping() -> None:
    (found,) = reasons(header("format: csv\ncsv: excel"))
    assert "'csv': 'excel' does not fit: expected a mapping, as in {delimiter: ';'" in found


def test_the_json_schema_knows_it() -> None:
    schema = header_schema()
    jsonschema.validate({"format": "csv", "csv": {"delimiter": "tab", "quote": "all"}}, schema)
    for wrong in ({"quote": "some"}, {"delimiter": ";;;;"}, {"sep": ";"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"csv": wrong}, schema)


DEFAULT = "csv: {delimiter: ';'}"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("format: csv", {"delimiter": ";"}),
        ("", None),
        ("format: csv\ncsv: {encoding: ascii}", {"encoding": "ascii"}),
        ("format: csv\ncsv: null", None),
    ],
)
def test_as_a_default_it_is_for_the_files_that_are_csv(
    own: str, expected: dict[str, str] | None
) -> None:
    found = understood_one({"_defaults.yaml": DEFAULT, "a.sql": header(own)})
    assert found.file_format.written_options == expected


def test_a_wrong_default_is_said_at_its_place() -> None:
    (found,) = refused_one({"_defaults.yaml": "csv: {delimiter: 'x'}", "a.sql": header("")})
    assert "_defaults.yaml:1:7: 'delimiter': 'x' is no mark" in found

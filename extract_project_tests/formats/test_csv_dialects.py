"""G5: CSV in every dialect of a header, read back by us and by Python's csv module."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from extract_project.errors import TypeMappingError
from extract_project.formats.csv.charsets import ENCODINGS, codec
from extract_project.formats.csv.dialect import Dialect
from extract_project.formats.protocol import FileFormat, Unwritable
from extract_project.formats.registry import chosen_format
from extract_project.schema.text import plain_text
from extract_project_tests.support.files import read, write
from extract_project_tests.support.tables import exact, tables

MARKS = [",", ";", "\t", "|", " ", "^", "~", "\x01", "\x1f", "/", "=", "N"]
PATTERNS = ["iso", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d|%m|%Y%%", "%Y年%m月%d日"]
CLOCKS = ["", " %H:%M", " %H:%M:%S", "T%H:%M:%S.%3f", " %H:%M:%S.%f", ";%H%M%S,%9f"]
slowly = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.filter_too_much],
)


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    day = draw(st.sampled_from(PATTERNS))
    dialect = Dialect(
        delimiter=draw(st.sampled_from(MARKS)),
        header=draw(st.booleans()),
        quote=draw(st.sampled_from(["needed", "all", "none"])),
        escape=draw(st.sampled_from(["double", "backslash"])),
        null=draw(st.sampled_from(["", "\\N", "NULL", "null", " ", "-", "N", "é", "\\."])),
        encoding=draw(st.sampled_from(["utf-8", "utf-8", *ENCODINGS])),
        bom=draw(st.booleans()),
        newline=draw(st.sampled_from(["crlf", "lf"])),
        date=day,
        timestamp="iso" if day == "iso" else day + draw(st.sampled_from(CLOCKS)),
        decimal=draw(st.sampled_from([".", ","])),
    )
    assume(not list(dialect.contradictions()))
    return dialect


def in_dialect(**options: Any) -> FileFormat:
    dialect = Dialect(**options)
    assert not list(dialect.contradictions())
    return chosen_format("csv", "none", dialect)


@slowly
@given(dialect=dialects(), table=tables())
def test_g5_every_value_comes_back_from_every_dialect(dialect: Dialect, table: pa.Table) -> None:
    chosen = chosen_format("csv", "none", dialect)
    try:
        content = write(table, chosen)
    except (Unwritable, TypeMappingError):
        assert dialect.quote == "none" or dialect.encoding != "utf-8" or dialect.timestamp != "iso"
        assume(False)
    recorded = chosen_format("csv", "none").with_options(chosen.written_options)
    found = read(content, recorded, table.schema)
    assert found.schema.equals(table.schema)
    assert exact(found) == exact(table)


@slowly
@given(dialect=dialects(), table=tables(nested=False))
def test_python_reads_the_same_cells(dialect: Dialect, table: pa.Table) -> None:
    """But for what it has no word for: NULL beside empty text, and `\\N` beside `N`."""
    plain = dialect.model_copy(update={"date": "iso", "timestamp": "iso", "decimal": "."})
    assume(plain.delimiter != "," or plain.quote == "all" or plain.decimal == ".")
    try:
        content = write(table, chosen_format("csv", "none", plain))
    except (Unwritable, TypeMappingError):
        assume(False)
    text = content.decode(codec(plain.encoding))
    escape = "\\" if plain.has_backslashes else None
    cells = csv.reader(
        io.StringIO(text.removeprefix("\ufeff") if plain.bom else text, newline=""),
        delimiter=plain.delimiter,
        quoting=csv.QUOTE_NONE if plain.quote == "none" else csv.QUOTE_MINIMAL,
        doublequote=not escape,
        escapechar=escape,
    )
    null = plain.null.removeprefix("\\") if escape else plain.null
    columns = [plain_text(each.combine_chunks()).to_pylist() for each in table.columns]
    rows = [[null if cell is None else cell for cell in row] for row in zip(*columns, strict=True)]
    expected = [table.schema.names] if plain.header else []
    # An empty line, of one NULL alone, is to Python a row without cells.
    assert [row or [""] for row in cells] == expected + rows


TABLE = pa.table(
    {
        "n": pa.array([1, None], pa.int64()),
        "d": pa.array([Decimal("-1234.50"), None], pa.decimal128(9, 2)),
        "f": pa.array([1.5e-7, None]),
        "t": pa.array(["Größe; 5 €", None]),
        "x": pa.array(["", "\\N"]),
        "at": pa.array([datetime(1, 1, 1, 23, 59, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(9999, 12, 31), None]),
        "o": pa.array([time(6), None], pa.time64("us")),
    }
)
GERMAN = {
    "delimiter": ";",
    "encoding": "windows-1252",
    "decimal": ",",
    "date": "%d.%m.%Y",
    "timestamp": "%d.%m.%Y %H:%M",
}
MARIADB = {
    "delimiter": "tab",
    "quote": "none",
    "escape": "backslash",
    "null": "\\N",
    "newline": "lf",
    "header": False,
    "timestamp": "%Y-%m-%d %H:%M:%S",
}


def test_the_dialect_of_an_excel_in_germany() -> None:
    assert write(TABLE, in_dialect(**GERMAN)) == (
        "n;d;f;t;x;at;day;o\r\n"
        '1;-1234,50;1,5e-7;"Größe; 5 €";"";01.01.0001 23:59;31.12.9999;06:00:00.000000\r\n'
        ";;;;\\N;;;\r\n"
    ).encode("cp1252")


def test_the_dialect_of_a_database_s_own_text_files() -> None:
    assert write(TABLE, in_dialect(**MARIADB)).decode() == (
        "1\t-1234.50\t1.5e-7\tGröße; 5 €\t\t0001-01-01 23:59:00\t9999-12-31\t06:00:00.000000\n"
        "\\N\t\\N\t\\N\t\\N\t\\\\N\t\\N\t\\N\t\\N\n"
    )


def test_all_in_quotes_but_null() -> None:
    assert write(TABLE, in_dialect(quote="all", encoding="utf-16le", bom=True)) == (
        '\ufeff"n","d","f","t","x","at","day","o"\r\n'
        '"1","-1234.50","1.5e-7","Größe; 5 €","","0001-01-01T23:59:00.000000Z","9999-12-31",'
        '"06:00:00.000000"\r\n'
        ',,,,"\\N",,,\r\n'
    ).encode("utf-16-le")


@pytest.mark.parametrize("options", [{}, GERMAN, MARIADB, {"header": False}])
def test_no_rows_have_the_same_schema(options: dict[str, Any]) -> None:
    chosen = in_dialect(**options)
    found = read(write(TABLE.schema.empty_table(), chosen), chosen, TABLE.schema)
    assert found.num_rows == 0
    assert found.schema.equals(TABLE.schema)


REFUSED: list[tuple[dict[str, Any], pa.Array, str]] = [
    ({"quote": "none"}, pa.array(["a,b"]), "delimiter, a quote or a line end"),
    ({"quote": "none"}, pa.array(['a"b']), "delimiter, a quote or a line end"),
    ({"quote": "none"}, pa.array(["a\rb"]), "delimiter, a quote or a line end"),
    ({"quote": "none"}, pa.array([""]), "the text of NULL"),
    ({"quote": "none", "null": "NULL"}, pa.array(["NULL"]), "the text of NULL"),
    ({"quote": "none", "header": False}, pa.array(["\ufeffa"]), "byte order mark"),
    ({"encoding": "windows-1252"}, pa.array(["Łódź"]), r"lacks 'Ł' \(U\+0141\)"),
    ({"encoding": "ascii"}, pa.array([["é"]]), r"lacks 'é' \(U\+00E9\)"),
    ({"timestamp": "%Y-%m-%d"}, pa.array([datetime(2026, 1, 1, 6)]), "shows less"),
    ({"timestamp": "%Y-%m-%d %H:%M"}, pa.array([datetime(1, 1, 1, 6, 0, 1)]), "shows less"),
    ({"timestamp": "%Y-%m-%d %H:%M:%S"}, pa.array([datetime(1, 1, 1, 6, 0, 0, 1)]), "shows less"),
]


@pytest.mark.parametrize(("options", "value", "reason"), REFUSED)
def test_what_a_dialect_cannot_hold_is_refused(
    options: dict[str, Any], value: pa.Array, reason: str
) -> None:
    values = pa.chunked_array([pa.nulls(5, value.type), pa.nulls(1, value.type), value])
    with pytest.raises(Unwritable, match=reason) as raised:
        write(pa.table({"n": pa.array(range(7)), "c": values}), in_dialect(**options))
    assert (raised.value.column, raised.value.index) == ("c", 6)
    assert raised.value.value == plain_text(value)[0].as_py()


@pytest.mark.parametrize(
    ("options", "name"), [({"quote": "none"}, "a,b"), ({"encoding": "iso-8859-1"}, "5 €")]
)
def test_so_is_a_column_of_such_a_name(options: dict[str, Any], name: str) -> None:
    with pytest.raises(TypeMappingError, match=f"the name of column '{name}'"):
        write(pa.table({name: [1]}), in_dialect(**options))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_back_what_it_takes(encoding: str) -> None:
    python, characters = codec(encoding), 0
    for number in range(0x3000):
        try:
            encoded = chr(number).encode(python)
        except UnicodeEncodeError:
            continue
        characters += 1
        assert encoded.decode(python) == chr(number)
        assert number > 127 or encoding == "utf-16le" or encoded == bytes([number])
    assert characters >= 128


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ";;"}, {"delimiter": ""}, {"encoding": "klingon"}, {"delimeter": ";"}],
)
def test_what_is_no_dialect(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dialect(**options)


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    *(({"delimiter": mark}, "delimiter") for mark in '"\n\\a5-.:+é§'),
    ({"bom": True, "encoding": "iso-8859-1"}, "bom"),
    ({"decimal": ","}, "decimal"),
    *(({"null": text}, "null") for text in ("0", "true", "NaN", "a,b", '"', "a\n", "\ufeff")),
    ({"null": "é", "encoding": "ascii"}, "null"),
    ({"null": "\\NULL", "escape": "backslash"}, "null"),
    *(({"date": text}, "date") for text in ("%d.%m.%y", "%d.%m", "%d.%m.%Y %H", "%Y%m%d%", "%x")),
    *(({"date": f"%Y{mark}%m{mark}%d"}, "date") for mark in ',"\n\\'),
    ({"date": "%Y年%m月%d日", "encoding": "windows-1252"}, "date"),
    ({"date": "%d.%d.%m.%Y"}, "date"),
    *(
        ({"timestamp": f"%Y-%m-%d {clock}"}, "timestamp")
        for clock in ("%M", "%H:%S", "%H:%M.%f", "%H:%M:%S%z", "%I:%M %p", "%H:%M:%S.%f%3f")
    ),
]


@pytest.mark.parametrize(("options", "key"), CONTRADICTIONS)
def test_what_cannot_be_as_it_is(options: dict[str, Any], key: str) -> None:
    assert [each for each, _ in Dialect(**options).contradictions()] == [key]


@pytest.mark.parametrize(("name", "known"), [("cp1252", "windows-1252"), ("latin1", "iso-8859-1")])
def test_python_s_names_of_an_encoding_are_known(name: str, known: str) -> None:
    assert Dialect(encoding=name).encoding == known


def test_the_type_of_the_object_says_the_dialect() -> None:
    assert in_dialect().content_type == "text/csv; charset=utf-8; header=present"
    assert in_dialect(encoding="ascii", header=False).content_type == (
        "text/csv; charset=us-ascii; header=absent"
    )
    assert chosen_format("csv", "gzip", Dialect(delimiter=";")).content_type == "application/gzip"

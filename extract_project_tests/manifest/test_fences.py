"""Where a header stands, which comments are none, and what is meant as one and is refused."""

from __future__ import annotations

import pytest

from extract_project_tests.support.parsing import reasons, valid

KEYS = "format: csv\npool: heavy"
BLOCK = f"/*---\n{KEYS}\n---*/\n"
LINES = "-- ---\n-- format: csv\n-- pool: heavy\n-- ---\n"
SQL = "select 1 as one"


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize("header", [BLOCK, LINES], ids=["block", "lines"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "\n\n  \n",
        "\ufeff",
        "-- (c) Acme\n",
        "-- (c) Acme\n\n-- all rights reserved\n",
        "/* (c) Acme */\n",
        "/* it's\n * a \"licence\" -- */\n-- don't\n",
        "/*------------------\n  banner: Orders\n------------------*/\n",
        "-----------------\n-- Orders\n-----------------\n",
        "-- ---\n-- An ornament\n-- ---\n",
    ],
)
def test_comments_may_stand_before_a_header(header: str, before: str, dialect: str) -> None:
    for text in (before + header + SQL, (before + header + SQL).replace("\n", "\r\n")):
        found = valid(text, dialect).header
        assert (found.format, found.pool) == ("csv", "heavy")


@pytest.mark.parametrize(
    "header",
    [
        BLOCK.replace("\n", "\r\n"),
        "  /*---  \n  format: csv\n  pool: heavy\n  ---*/  \n",
        f"/*---\n{KEYS}\n---*/ ",
        "/*---\n\n# a comment\nformat: csv\n\npool: heavy # another\n---*/\n",
        "-- ---\n--\n-- # a comment\n-- format: csv\n-- \n-- pool: heavy\n-- ---\n",
        "  -- ---\n  -- format: csv\n  -- pool: heavy\n  -- ---\n",
        "-- ---\n-- {format: csv, pool: heavy}\n-- ---\n",
        f"// a line comment of Snowflake's\n{BLOCK}",
        f"// ---\n// An ornament: it's one\n// ---\n{BLOCK}",
    ],
)
def test_forms_of_a_header(header: str) -> None:
    dialect = "snowflake" if header.startswith("//") else "duckdb"
    found = valid(header + SQL, dialect).header
    assert (found.format, found.pool) == ("csv", "heavy")


@pytest.mark.parametrize(
    "text",
    [
        f"/*----------------------------------\n  description: Orders\n---------*/\n{SQL}",
        f"/*--------- schedule: daily ---------*/\n{SQL}",
        f"/**\n * schedule: the shop's\n */\n{SQL}",
        f"/* description: Orders */\n{SQL}",
        f"/*--- Orders ---*/ {SQL}",
        f"/*-- todo: index --*/ {SQL}",
        f"/*--\n Orders of the day.\n Note: late ones too\n--*/ {SQL}",
        f"-- description: Orders\n-- owners: sales\n{SQL}",
        f"----------\n-- format: csv\n----------\n{SQL}",
        f"-- ---\n-- Orders\n-- ---\n{SQL}",
        f"-- ---\n{SQL}",
        f"-- WHY\n-- ---\n-- It was slow.\n-- Description: an index\n-- HOW\n-- ---\n-- so\n{SQL}",
        f"-- WHY\n-- ---\n-- It was slow.\n-- owners: the shop\n{SQL}",
        f"-- ---\n-- Todo: nothing\n-- ---\n{SQL}",
        f"-- ---\n-- ---\n{SQL}",
        f"{SQL} -- ---\n-- the end: of it",
        "select 1 as one\n-- ---\n-- from here: the old rows\n-- ---\nunion all select 2",
        "select '\n/*---\nformat: csv\n---*/' as one",
        'select 1 as "\n-- ---\n-- format: csv\n-- ---\n"',
        "select $$\n/*---\nformat: csv\n---*/$$ as one",
        "select 7 // 2 as one",
    ],
)
def test_ordinary_comments_and_ornaments_stay_what_they_are(text: str) -> None:
    assert valid(text).header == valid(SQL).header


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SQL}\n{BLOCK}", "2:1: this looks like a header, but is after"),
        (f"{SQL}\n{LINES}", "2:1: this looks like a header, but is after"),
        (f"select -- why\n1 as one\n  {BLOCK}", "3:3: this looks like a header, but is after"),
        (f"{BLOCK}{BLOCK}{SQL}", "5:1: this looks like a second header: the first begins"),
        (f"{LINES}{LINES}{SQL}", "5:1: this looks like a second header: the first begins"),
        (f"{BLOCK}{SQL}\n{LINES}", "6:1: this looks like a second header: the first begins"),
        (f"{LINES}-- and\n{BLOCK}{SQL}", "6:1: this looks like a second header"),
        (f"/*--\n{KEYS}\n--*/\n{SQL}", "1:1: this looks like a header: expected it from a line"),
        (f"/* ---\n{KEYS}\n--- */\n{SQL}", "1:1: this looks like a header: expected it from"),
        (f"/*----\n{KEYS}\n----*/\n{SQL}", "1:1: this looks like a header: expected it from"),
        (f"/*** ---\n{KEYS}\n--- */\n{SQL}", "1:1: this looks like a header: expected it from"),
        (f"/*--- {KEYS} ---*/ {SQL}", "1:1: this looks like a header: expected it from a line"),
        (f"\n  /*--- shedule: hourly ---*/ {SQL}", "2:3: this looks like a header: expected it"),
        (f"-- --\n-- format: csv\n-- --\n{SQL}", "1:1: this looks like a header: expected it"),
        (f"-----\n-- format: csv\n-----\n{SQL}", "1:1: this looks like a header: expected it"),
        (f"-- x\n--  ---\n-- shedule: hourly\n-- ---\n{SQL}", "1:1: this looks like a header"),
        (f"/*---\n{KEYS}\n*/ {SQL}", "1:1: the header is not closed: expected '---*/' after it"),
        (f"/*---\n{KEYS}\n--- */\n{SQL}", "1:1: the header is not closed: expected '---*/'"),
        (f"\n\n/*---\n{KEYS}\n{SQL}", "3:1: the header is not closed: expected '---*/' after"),
        (f"/*---\nformat: csv ---*/\n{SQL}", "2:13: expected '---*/' on a line of its own"),
        (f"-- ---\n-- format: csv\n{SQL}", "1:1: the header is not closed: expected '-- ---'"),
        (f"-- ---\n-- format: csv\n\n-- ---\n{SQL}", "1:1: the header is not closed"),
        (
            f"-- ---\n-- format: csv\n--pool: heavy\n-- ---\n{SQL}",
            "3:1: expected '-- ' at the start",
        ),
        (f"/*---\nOrders of the day\n---*/\n{SQL}", "1:1: the header is not a mapping"),
    ],
)
def test_what_is_meant_as_a_header_is_never_ignored(text: str, expected: str) -> None:
    assert reasons(text)[0].startswith(expected)


SLASHES = LINES.replace("-- ", "// ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SLASHES}{SQL}", "1:1: this looks like a header: expected it from a line"),
        (f"// x\n\n  {SLASHES}{SQL}", "3:3: this looks like a header: expected it from a line"),
        (f"{BLOCK}{SLASHES}{SQL}", "5:1: this looks like a second header"),
    ],
)
def test_no_header_in_snowflakes_other_comments_is_ignored(text: str, expected: str) -> None:
    assert reasons(text, "snowflake")[0].startswith(expected)


@pytest.mark.parametrize("header", [BLOCK, LINES], ids=["block", "lines"])
@pytest.mark.parametrize("before", ["\ufeff\ufeff", "\u200b", "-- x\n\u2060"])
def test_what_nobody_sees_before_a_header_is_what_is_refused(before: str, header: str) -> None:
    line, column = before.count("\n") + 1, 1
    assert reasons(before + header + SQL)[0].startswith(f"{line}:{column}: U+")


@pytest.mark.parametrize("header", [BLOCK, LINES, ""], ids=["block", "lines", "none"])
def test_lines_that_end_with_a_carriage_return_alone_are_refused(header: str) -> None:
    """Some databases end a `--` comment there; a header would be one long comment."""
    text = f"{header}{SQL}\n-- x\n".replace("\n", "\r")
    assert "end with only a carriage return" in reasons(text)[0]
    valid(f"{header}{SQL}\r")
    valid(f"{header}\nselect '\r' as a")


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize(
    ("yaml", "place", "way_out"),
    [
        ('schedule: "*/15 * * * *"', "2:12", "'0-59/15', or in words, as in 'every 15 minutes'"),
        ("schedule: */15 * * * *", "2:11", "'0-59/15', or in words, as in 'every 15 minutes'"),
        ("schedule: 0 */2 * * *", "2:13", "'0-23/2', or in words, as in 'every 2 hours'"),
        ("format: csv\nschedule: ['0 6 * * *', '*/5 * * * *']", "3:26", "'0-59/5'"),
        ("description: reads s3://*/orders", "2:25", "remove it"),
    ],
)
def test_the_end_of_a_comment_within_the_header(
    yaml: str, place: str, way_out: str, dialect: str
) -> None:
    (reason,) = reasons(f"/*---\n{yaml}\n---*/\n{SQL}", dialect)
    assert reason.startswith(f"{place}: SQL ends the comment, and with it the header, at this '*/'")
    assert way_out in reason
    assert "in lines that begin with '-- ', between two lines '-- ---'" in reason
    lines = "".join(f"-- {line}\n" for line in yaml.split("\n"))
    in_lines = f"-- ---\n{lines}-- ---\n{SQL}"
    if yaml == "schedule: */15 * * * *":
        assert reasons(in_lines, dialect)[0].startswith("2:14: a value cannot begin with '*'")
    else:
        valid(in_lines, dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
def test_the_begin_of_a_comment_within_the_header(dialect: str) -> None:
    """Postgres and DuckDB nest comments; Snowflake does not, and reads the file as it is meant."""
    text = f"/*---\nformat: csv\ndescription: reads s3://x/* daily\n---*/\n{SQL}"
    if dialect == "snowflake":
        assert valid(text, dialect).header.format == "csv"
    else:
        (reason,) = reasons(text, dialect)
        assert reason.startswith(f"3:26: {dialect} reads this '/*'")
        assert "between two lines '-- ---'" in reason


def test_a_place_in_line_comments_is_that_of_the_file() -> None:
    text = f"-- x\n  -- ---\n  -- checks:\n  --   - min_row: 1\n  -- ---\n{SQL}"
    assert reasons(text)[0].startswith("4:10: unknown check 'min_row'")


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x85", "0085"), ("\u2028", "2028"), ("\u2029", "2029"), ("\r", "000D"), ("\x07", "0007"),
        ("\x1b", "001B"), ("\x7f", "007F"), ("\ufeff", "FEFF"), ("\ufffe", "FFFE"),
    ],
)  # fmt: skip
def test_invisible_characters_do_not_move_places(character: str, name: str) -> None:
    """YAML counts some of them as ends of lines, SQL and editors do not."""
    text = f"/*---\nformat: csv\ndescription: a{character}b\nshedule: x\n---*/\n{SQL}"
    (reason,) = reasons(text)
    assert reason.startswith(f"3:15: the header has the invisible character U+{name}")


@pytest.mark.parametrize("text", ["größe 🙂", "\u200f\u05e2\u05d1", "a\u200bb", "日本", "e\u0301"])
def test_other_characters_are_text(text: str) -> None:
    assert valid(f"/*---\ndescription: {text}\n---*/\n{SQL}").header.description == text
    late = f"/*---\ndescription: {text}\ntags: {{{'x' * 9}: [1]}}\n---*/\n{SQL}"
    assert reasons(late)[0].startswith("3:8: ")

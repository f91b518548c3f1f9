"""G7: only one read-only statement ever reaches a warehouse."""

from __future__ import annotations

import contextlib

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from extract_project.manifest.guard import read_statement
from extract_project.manifest.problem import Refused
from extract_project_tests.manifest.parsing import parse, reasons, valid

ALL = ("duckdb", "postgres", "snowflake")

REFUSED = [
    ("delete from t", ALL, "1:1", "delete"),
    ("  insert into t select 1", ALL, "1:3", "insert"),
    ("update t set a = 1", ALL, "1:1", "update"),
    ("merge into t using s on t.a = s.a when matched then delete", ALL, "1:1", "merge"),
    ("truncate table t", ALL, "1:1", "truncate"),
    ("create table t as select 1 as a", ALL, "1:1", "create"),
    ("drop table t", ALL, "1:1", "drop"),
    ("alter table t add column a int", ALL, "1:1", "alter"),
    ("grant select on t to public", ALL, "1:1", "grant"),
    ("call f()", ALL, "1:1", "call"),
    ("set a = 1", ALL, "1:1", "set"),
    ("begin", ALL, "1:1", ""),
    ("commit", ALL, "1:1", "commit"),
    ("explain select 1", ALL, "1:1", "explain"),
    ("copy t to 'x.csv'", ("duckdb", "postgres"), "1:1", "copy"),
    ("copy into @stage from t", ("snowflake",), "1:1", "copy"),
    ("put file://x @stage", ("snowflake",), "1:1", "put"),
    ("use role admin", ("snowflake",), "1:1", "use"),
    ("execute immediate 'drop table t'", ("snowflake",), "1:1", "execute"),
    ("attach 'x.db'", ("duckdb",), "1:1", "attach"),
    ("install httpfs", ("duckdb",), "1:1", "install"),
    ("pragma version", ("duckdb",), "1:1", "pragma"),
    (
        "with d as (delete from t returning *)\nselect * from d",
        ("duckdb", "postgres"),
        "1:12",
        "delete",
    ),
    ("with d as (select 1 as a)\ndelete from t", ("duckdb", "postgres"), "2:1", "delete"),
    ("select substring(a for 2)\nfrom t for update", ("postgres",), "2:8", "for update"),
    ("select 1 as a\ninto t", ("postgres",), "2:1", "into"),
    ("select *\nfrom t for update", ("postgres",), "2:8", "for update"),
    ("select\n  nextval('s')", ("duckdb", "postgres"), "2:3", "nextval"),
    ("select s.nextval", ("snowflake",), "1:10", "nextval"),
    ("select pg_terminate_backend(1)", ("postgres",), "1:8", "pg_terminate_backend"),
    ("select pg_read_file('x')", ("postgres",), "1:8", "pg_read_file"),
    ("select set_config('a', 'b', true)", ("postgres",), "1:8", "set_config"),
    ("select system$cancel_query('x')", ("snowflake",), "1:8", "system$cancel_query"),
    ('select "pg_terminate_backend"(0)', ("postgres",), "1:8", "pg_terminate_backend"),
    ('select pg_catalog."pg_read_file"(0)', ("postgres",), "1:19", "pg_read_file"),
    ('select "NextVal"(0)', ("duckdb",), "1:8", "nextval"),
    ('select "SYSTEM$CANCEL_QUERY"(0)', ("snowflake",), "1:8", "system$cancel_query"),
    ("select 1;\nselect 2", ALL, "2:1", "a second statement"),
    ("select 1; drop table t", ALL, "1:11", "a second statement"),
    ("select 1 as a; -- x\n; delete from t", ALL, "2:3", "a second statement"),
    ("", ALL, "1:1", "no statement"),
    ("-- only a comment", ALL, "1:1", "no statement"),
    (";", ALL, "1:1", "no statement"),
    ("select (1", ALL, "1:9", "SQL"),
    ("select 'abc", ALL, "1:1", "not closed"),
]

ACCEPTED = [
    ("select 1", ALL),
    ("with a as (select 1 as x) select * from a", ALL),
    ("select 1 as a union all select 2 except select 3 order by 1", ALL),
    ("(select 1 as a)", ALL),
    ("values (1), (2)", ALL),
    ("select 1 as a;", ALL),
    ("select 1 as a; -- the end\n", ALL),
    ("select 1 as a;;\n/* ; delete from t */", ALL),
    ("select ';' as a, 'drop table t' as b, 'it''s; fine' as c", ALL),
    ('select "delete", "update" from t -- ; drop', ALL),
    ("select a.update_time, deleted, created from t as a", ALL),
    ("select * from t where note like '%into%' limit 5", ALL),
    ("select replace(a, 'x', 'y') as b, coalesce(c, 0) from t", ALL),
    ("select $$ ; delete from t $$ as a", ("postgres", "snowflake", "duckdb")),
    ("select * exclude (a) from t", ("snowflake", "duckdb")),
    (
        "select * from t qualify row_number() over (partition by a order by b) = 1",
        ("snowflake", "duckdb"),
    ),
    ("select system$typeof(1)", ("snowflake",)),
    ("select v:a.b::string from t, lateral flatten(input => v:items) f", ("snowflake",)),
    ("show tables", ("snowflake", "duckdb")),
    ("describe table t", ("snowflake", "duckdb")),
    ("from t", ("duckdb",)),
    ("select distinct on (a) a, b from t order by a", ("postgres", "duckdb")),
]


def each(cases: list[tuple[str, tuple[str, ...], str, str]]) -> list[object]:
    return [
        pytest.param(text, dialect, place, word, id=f"{dialect}: {text[:40]!r}")
        for text, dialects, place, word in cases
        for dialect in dialects
    ]


@pytest.mark.parametrize(("text", "dialect", "place", "word"), each(REFUSED))
def test_g7_refused_with_its_place(text: str, dialect: str, place: str, word: str) -> None:
    (reason,) = reasons(text, dialect)
    assert reason.startswith(f"{place}: ")
    assert word in reason


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        pytest.param(text, dialect, id=f"{dialect}: {text[:40]!r}")
        for text, dialects in ACCEPTED
        for dialect in dialects
    ],
)
def test_g7_reading_is_accepted_and_sent_as_it_is(text: str, dialect: str) -> None:
    assert valid(text, dialect).query().render(lambda _: "?").text == text


@given(st.text(st.characters(exclude_characters="'", exclude_categories=("Cs", "Cc")), max_size=50))
def test_g7_what_stands_in_a_string_is_no_statement(text: str) -> None:
    assert valid(f"select '{text}; drop table t; ' as a").text.endswith("as a")


@given(
    st.text(st.characters(exclude_characters="*/", exclude_categories=("Cs", "Cc")), max_size=50)
)
def test_g7_what_stands_in_a_comment_is_no_statement(text: str) -> None:
    valid(f"select 1 as a /* {text}; drop table t */ -- ; delete from t")


@pytest.mark.parametrize(
    "verb", ["insert into t", "delete from t", "update t set a = 1", "drop table t"]
)
@given(
    prefix=st.sampled_from(["", " ", "\n", "-- x\n", "/* x */ ", "select 1;", "/*---\n---*/"]),
    case=st.booleans(),
)
def test_g7_no_disguise_makes_a_write_pass(verb: str, prefix: str, case: bool) -> None:
    statement = verb.upper() if case else verb
    assert reasons(f"{prefix}{statement}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfes\x00", "1:1: this file is UTF-16"),
        (b"select 1 as a,\n'\xe9'", "2:2: byte 16 (0xe9) is not UTF-8"),
        (b"select 1 as a\x00", "1:14: a NUL character"),
    ],
)
def test_other_encodings_are_refused_with_their_place(content: bytes, expected: str) -> None:
    assert reasons(content)[0].startswith(expected)


def test_a_byte_order_mark_and_crlf_are_fine() -> None:
    extract = valid(b"\xef\xbb\xbf/*---\r\nformat: csv\r\n---*/\r\nselect 1 as a\r\n")
    assert extract.header.format == "csv"
    assert extract.text.endswith("select 1 as a\r\n")
    assert reasons(b"/*---\r\n---*/\r\nselect 1;\r\ndrop table t")[0].startswith("4:1")


def test_a_file_over_1_mib() -> None:
    numbers = ", ".join(f"{n} as column_{n}" for n in range(60_000))
    assert len(numbers) > 1 << 20
    assert valid(f"select {numbers}").tables == ()


def test_nesting_without_end_is_refused_not_a_crash() -> None:
    assert parse("select " + "(" * 5_000 + "1" + ")" * 5_000).path == "a/b"


@pytest.mark.parametrize("dialect", ALL)
def test_g6_no_keyword_anywhere_crashes_the_parser(dialect: str) -> None:
    """One file of nonsense must not take the manifest down: it is refused, or read."""
    forms = ("{}", "select {}", "select 1 {}", "select * from {}", "{} select 1", "select {} (")
    for word in sqlglot.Dialect.get_or_raise(dialect).tokenizer_class.KEYWORDS:
        for form in forms:
            with contextlib.suppress(Refused):
                read_statement(form.format(word), dialect)

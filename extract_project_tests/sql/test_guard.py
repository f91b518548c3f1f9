"""G7: only one read-only statement ever reaches a warehouse."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from extract_project.problem import Refused
from extract_project.sql.guard import read_statement
from extract_project.warehouses import dialect_of
from extract_project_tests.support.parsing import parse, reasons, valid

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
    ('select pg_catalog."pg_read_file"(0)', ("postgres",), "1:8", "pg_catalog.pg_read_file"),
    ('select "NextVal"(0)', ("duckdb",), "1:8", "nextval"),
    ('select "SYSTEM$CANCEL_QUERY"(0)', ("snowflake",), "1:8", "system$cancel_query"),
    ('select U&"\\0070g_sleep"(0)', ("postgres",), "1:8", "pg_sleep"),
    ("select U&\"!0070g_sleep\" uescape '!' (0)", ("postgres",), "1:8", "pg_sleep"),
    ("select pg_sleep/* x */ (0)", ("postgres",), "1:8", "pg_sleep"),
    ("select 1 from t, lateral pg_sleep(1) p", ("postgres",), "1:26", "pg_sleep"),
    ("select * from rows from (pg_sleep(1), now()) r", ("postgres",), "1:26", "pg_sleep"),
    ("select coalesce(a, (select 1 from pg_ls_dir('/')))", ("postgres",), "1:35", "pg_ls_dir"),
    ("select 1 order by pg_advisory_xact_lock_shared(1)", ("postgres",), "1:19", "advisory"),
    ("select query_to_xml('select 1', true, true, '')", ("postgres",), "1:8", "query_to_xml"),
    ("select public.dblink_connect('x')", ("postgres",), "1:8", "dblink_connect"),
    ("select lo_truncate(1, 2)", ("postgres",), "1:8", "lo_truncate"),
    ("select pg_logical_slot_get_changes('s', null, null)", ("postgres",), "1:8", "slot"),
    ("select pg_start_backup('x')", ("postgres",), "1:8", "pg_start_backup"),  # until 14
    ("select pg_not_invented_yet()", ("postgres",), "1:8", "pg_not_invented_yet"),
    ("select postgres.pg_catalog.pg_sleep(1)", ("postgres",), "1:8", "pg_sleep"),
    ("select * from postgres.pg_catalog.pg_authid", ("postgres",), "1:15", "pg_authid"),
    ("from duckdb_logs", ("duckdb",), "1:6", "duckdb_logs"),
    ("select table_to_xml('pg_authid', true, true, '')", ("postgres",), "1:8", "table_to_xml"),
    ("select schema_to_xml('pg_catalog', true, true, '')", ("postgres",), "1:8", "schema_to_xml"),
    ("select database_to_xml(true, true, '')", ("postgres",), "1:8", "database_to_xml"),
    ("select * from pg_user_mappings", ("postgres",), "1:15", "pg_user_mappings"),
    (
        "select * from information_schema.user_mapping_options",
        ("postgres",),
        "1:15",
        "user_mapping_options",
    ),
    ("select aws_lambda.invoke('f', '{}')", ("postgres",), "1:8", "aws_lambda.invoke"),
    ("select cron.schedule('* * * * *', 'x')", ("postgres",), "1:8", "cron.schedule"),
    ("select pgmq.pop('q')", ("postgres",), "1:8", "pgmq.pop"),
    ("select x.run_command_on_workers('x')", ("postgres",), "1:8", "run_command_on_workers"),
    ("select txid_current()", ("postgres",), "1:8", "txid_current"),
    ("select * from pg_authid", ("postgres",), "1:15", "pg_authid"),
    ("select 1 from t for no key update of t", ("postgres",), "1:17", "for"),
    ("select (select 1 from t for share)", ("postgres",), "1:25", "for"),
    ("table t for update", ("postgres",), "1:9", "for update"),
    (
        "with x as (with y as (update t set a = 1 returning a) select * from y) select 1 from x",
        ("postgres",),
        "1:23",
        "update",
    ),
    ("select", ("duckdb", "snowflake"), "1:1", ""),
    ("select", ("postgres",), "1:1", "selects no column"),
    ("select from t", ("postgres", "snowflake"), "1:1", "selects no column"),
    ("select ('s').nextval()", ("duckdb",), "1:14", "nextval"),
    ("from enable_logging()", ("duckdb",), "1:6", "enable_logging"),
    ("from duckdb_secrets()", ("duckdb",), "1:6", "duckdb_secrets"),
    ("from t", ("snowflake", "postgres"), "1:1", "from"),
    ("from query('drop table t')", ("duckdb",), "1:6", "query"),
    ("from 'x.csv'", ("duckdb",), "1:6", "is a file"),
    ('from "s3://b/k.parquet"', ("duckdb",), "1:6", "is a file"),
    ("from query_table('a/b.parquet')", ("duckdb",), "1:6", "is a file"),
    ("select getenv('HOME')", ("duckdb",), "1:8", "getenv"),
    ("from sniff_csv('x')", ("duckdb",), "1:6", "sniff_csv"),
    ("select json_serialize_plan('from t')", ("duckdb",), "1:8", "json_serialize_plan"),
    ("from dbgen(sf=1)", ("duckdb",), "1:6", "dbgen"),
    ("from start_ui()", ("duckdb",), "1:6", "start_ui"),
    ("from json_execute_serialized_sql('x')", ("duckdb",), "1:6", "json_execute"),
    ("from postgres_query('p', 'delete from t')", ("duckdb",), "1:6", "postgres_query"),
    ("describe from read_csv('x')", ("duckdb",), "1:15", "read_csv"),
    ("summarize from glob('*')", ("duckdb",), "1:16", "glob"),
    ("pivot t on a using sum(b)", ("duckdb",), "1:1", "on id in (1, 2)"),
    ("from (pivot t on a using sum(b))", ("duckdb",), "1:7", "on id in (1, 2)"),
    ("show tables;\ndrop table t", ("duckdb", "snowflake"), "2:1", "a second statement"),
    ("select 1 ->> delete from t", ("snowflake",), "1:14", "delete"),
    ("select 1 ->> (delete from t)", ("snowflake",), "1:14", "->>"),
    ("show tables ->> drop table t", ("snowflake",), "1:17", "drop"),
    ("show tables ->> select s.nextval from $1", ("snowflake",), "1:26", "nextval"),
    ("select 1 ->>", ("snowflake",), "1:10", "->>"),
    ('select s."NEXTVAL"', ("snowflake",), "1:10", "nextval"),
    ("select * from table(getnextval(s))", ("snowflake",), "1:21", "getnextval"),
    ("select system$wait(10)", ("snowflake",), "1:8", "system$wait"),
    ("select identifier('system$wait')(10)", ("snowflake",), "1:8", "write its name"),
    ("select identifier('\\x73ystem$wait') (1)", ("snowflake",), "1:8", "write its name"),
    ("select identifier($$system$wait$$)(1)", ("snowflake",), "1:8", "write its name"),
    ("select * from table(identifier(('f'))(1))", ("snowflake",), "1:21", "write its name"),
    ("select identifier('db.s.NextVal')", ("snowflake",), "1:8", "write its name"),
    ("select SYSTEM$ABORT_SESSION(1)", ("snowflake",), "1:8", "system$abort_session"),
    (
        "with p as procedure () returns int language sql as $$ delete from t $$ call p()",
        ("snowflake",),
        "1:72",
        "call",
    ),
    ("select * from t for update", ("snowflake",), "1:17", "for update"),
    ("select a frm t into u", ("snowflake",), "1:16", "into"),
    ("select 1 --x\r; drop table t", ("snowflake",), "1:13", "line feed"),
    ("select * from @s--x\n", ("snowflake",), "1:17", "space"),
    ("list @stage", ("snowflake",), "1:1", "list"),
    ("select 1;\nselect 2", ALL, "2:1", "a second statement"),
    ("select 1; drop table t", ALL, "1:11", "a second statement"),
    ("select 1 as a; -- x\n; delete from t", ALL, "2:3", "a second statement"),
    ("", ALL, "1:1", "no statement"),
    ("-- only a comment", ALL, "1:1", "no statement"),
    (";", ALL, "1:1", "no statement"),
    ("select (1", ALL, "1:9", "SQL"),
    ("select 'abc", ALL, "1:8", "not closed"),
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
    ("table t", ("postgres", "duckdb")),
    ("summarize t", ("duckdb",)),
    ("show all tables", ("duckdb",)),
    ("show schemas", ("duckdb",)),
    ("desc t", ("duckdb", "snowflake")),
    ("from t select a", ("duckdb",)),
    ("pivot t on a in (1, 2) using sum(b) order by 1", ("duckdb",)),
    ("select x'ff' as a", ("duckdb", "postgres")),
    ("select range < 1 as a, list < 2 as b, map < 3 as c from t", ("duckdb", "postgres")),
    ("select a ilike :p escape '!' as b from t".replace(":p", "'%'"), ALL),
    ("select t.nextval from t", ("duckdb", "postgres")),
    ("select mine.nextval('x') as a, my_function(1) as b", ("postgres",)),
    ("select mine.invoke('x') as a, invoke(1) as b, mine.schedule(1) as c", ("postgres",)),
    ("select a from mine.user_mapping_options", ("postgres",)),
    ("select '{1}'::regclass[] as a, a >>= b, a ~<~ b, a <#> b from t", ("postgres",)),
    ("select citext 'a' as a, box '(1,1),(0,0)' as b", ("postgres",)),
    (
        "with recursive c as (select 1 as a union all select a from c) cycle a set x using y "
        "select * from c",
        ("postgres",),
    ),
    ("select json_array(1, null absent on null) as a", ("postgres",)),
    ("select 1_000.5 as a, 1_000_000 as b, 0x_ff as c", ("postgres",)),
    ("select e'a'\n'b\\'c' as a, U&'!0061' uescape '!' as b", ("postgres",)),
    ("select '1'::bit varying(5) as a, @ -5 as b, 1::numeric(3,-2) as c", ("postgres",)),
    ("select substring('abc' similar 'a#\"b#\"c' escape '#') as a", ("postgres",)),
    ("select d at time zone 'UTC' at local as a from t", ("postgres",)),
    ("select random(), clock_timestamp(), pg_relation_size('t'), currval('s')", ("postgres",)),
    ('select count(update) as a, max("delete") as b from t', ("postgres", "snowflake")),
    ("select current_setting('TimeZone') as a, pg_typeof(1)::text as b", ("postgres",)),
    ("select exists (select from t) as a", ("postgres",)),
    ("show grants on warehouse w", ("snowflake",)),
    ("show users like '%x%'", ("snowflake",)),
    ("desc result last_query_id()", ("snowflake",)),
    ("describe procedure p(int)", ("snowflake",)),
    ('show tables ->> select "name" from $1 where "rows" > 0', ("snowflake",)),
    ("select * from t ->> select count(*) as n from $1", ("snowflake",)),
    ("select SYSTEM$PIPE_STATUS('p') as a, system$stream_has_data('s') as b", ("snowflake",)),
    ("select identifier('c') as a, (1) as b from identifier('db.s.t') as t (x)", ("snowflake",)),
    ("select * from table(information_schema.query_history()) q", ("snowflake",)),
    ("select db.s.my_function(1) as a, m!predict(a) as b from t", ("snowflake",)),
    ("select * from @db.s.stage/path/x.csv (file_format => 'ff')", ("snowflake",)),
    ("select value:into as a, t.into as b from t", ("snowflake",)),
    ('select U&"\\+FFFFFF"(0) as a', ("snowflake",)),  # nonsense, which is Snowflake's to refuse
    ("select a from t -- it''s\n// don''t\n", ("snowflake",)),
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


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ALL)
def test_a_file_over_1_mib(dialect: str) -> None:
    numbers = ", ".join(f"{n} as column_{n}" for n in range(60_000))
    assert len(numbers) > 1 << 20
    assert valid(f"select {numbers} from t", dialect).tables == ("t",)


NESTED = [
    "select " + "(" * 5_000 + "1" + ")" * 5_000,
    "select " + "+".join(["1"] * 100_000),
    " union all ".join(["select 1 as a"] * 5_000),
    "select * from a" + " join b on true" * 5_000,
    "select a" + "::int" * 100_000,
    "select " + "f(" * 3_000 + "1" + ")" * 3_000,
    "select * from (" * 2_000 + "select 1 as a" + ") x" * 2_000,
    "select " + "not " * 50_000 + "true",
]


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("sql", NESTED, ids=lambda sql: sql[:20])
def test_g6_nesting_without_end_takes_nothing_down(sql: str, dialect: str) -> None:
    assert parse(sql, dialect).path == "a/b"


def deep(sql: str) -> str:
    """A query that no tree is had of, with another one beside it."""
    return f"select {'+'.join(['1'] * 900)} as a, ({sql}) as b"


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_g7_what_is_too_deep_for_the_parser_is_judged_by_its_words(dialect: str) -> None:
    extract = valid(deep("select x from s.t where y = my_function(z)"), dialect)
    assert extract.tables == ("s.t",)
    (warning,) = extract.warnings
    assert "only by its words" in warning.message
    assert "nextval" in reasons(deep("select nextval('s')"), dialect)[0]
    assert "delete" in reasons(deep("delete from t returning a"), dialect)[0]
    if dialect == "postgres":
        assert "pg_sleep" in reasons(deep('select U&"p\\0067_sleep" (1)'), dialect)[0]
        assert "for" in reasons(deep("select 1 from t for update"), dialect)[0]
        assert "into" in reasons(deep("select 1 into t"), dialect)[0]
        assert "pg_authid" in reasons(deep("select 1 from t, pg_authid"), dialect)[0]
        assert "pg_authid" in reasons(deep('table "pg_authid"'), dialect)[0]
        valid(deep("select cycle from search order by cycle"), dialect)
    else:
        assert "is a file" in reasons(deep("select 1 from t, 'x.csv'"), dialect)[0]
        assert "is a file" in reasons(deep('select 1 from t cross join "x.csv"'), dialect)[0]
        assert "is a file" in reasons(deep("summarize 'x.csv'"), dialect)[0]
        assert "is a file" in reasons(deep('pivot "x.csv" on a in (1) using sum(b)'), dialect)[0]
        assert "query_table" in reasons(deep("from query_table('x.csv')"), dialect)[0]
        assert "getenv" in reasons(deep("select ('x').getenv()"), dialect)[0]


@pytest.mark.parametrize("escape", ["'!'", "e'!'", "$$!$$", "'!'\n''"])
def test_g7_a_long_statement_hides_no_name_behind_an_escape(escape: str) -> None:
    """Postgres takes each of them, and calls pg_sleep."""
    found = reasons(deep(f'select U&"!0070g_sleep" uescape {escape} (0)'), "postgres")
    assert "'uescape'" in found[0]


@pytest.mark.parametrize("clause", ["search depth first by x set y", "cycle x set y using z"])
def test_g7_a_long_statement_hides_no_write_behind_its_tables(clause: str) -> None:
    sql = f"with recursive q as ({deep('select 1')}) {clause} delete from t"
    assert clause.split(maxsplit=1)[0] in reasons(sql, "postgres")[0]


def test_what_the_checker_does_not_know_of_snowflake_is_valid_with_a_warning() -> None:
    extract = valid("select a, from_the_future a b c from s.t", "snowflake")
    assert extract.tables == ("s.t",)
    (warning,) = extract.warnings
    assert (warning.line, "does not understand this Snowflake SQL" in warning.message) == (1, True)


@pytest.mark.parametrize("dialect", ALL)
def test_g7_a_warehouse_can_forbid_functions(dialect: str) -> None:
    forbidden = {"f", "s.g"}
    for sql in ("select F(1) as a", "select x.f(1) as a", "select s.g(1) as a"):
        with pytest.raises(Refused, match="FORBIDDEN_FUNCTIONS"):
            read_statement(sql, dialect_of(dialect), forbidden=forbidden)
    read_statement("select g(1) as a, other.g(2) as b", dialect_of(dialect), forbidden=forbidden)


@pytest.mark.parametrize("dialect", ALL)
def test_statements_are_read_in_many_threads_at_once(dialect: str) -> None:
    def tables(n: int) -> tuple[str, ...]:
        return read_statement(f"select f(a) as b from t{n} where a > 1", dialect_of(dialect)).tables

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tables, range(500))) == [(f"t{n}",) for n in range(500)]


def test_a_run_worker_imports_no_parser() -> None:
    program = (
        "import sys, extract_project.manifest.snapshot, extract_project.settings\n"
        "print([name for name in sys.modules if name in "
        "('sqlglot', 'pgparse', 'duckdb', 'extract_project.sql.guard')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("select 1 as a\u200b", "1:14"),
        ("select 1 as a\uff1b", "1:14"),
        ("select \u2018x\u2019 as a", "1:8"),
        ("select a\ufeff from t", "1:9"),
    ],
)
def test_invisible_characters_of_a_paste_are_refused(sql: str, place: str, dialect: str) -> None:
    assert reasons(sql, dialect)[0].startswith(f"{place}: U+")
    valid(f"select '{sql[7:]}' as \"{sql[7:]}\" -- {sql}", dialect)


@pytest.mark.parametrize("dialect", ALL)
def test_g6_no_keyword_anywhere_crashes_the_parser(dialect: str) -> None:
    """One file of nonsense must not take the manifest down: it is refused, or read."""
    forms = ("{}", "select {}", "select 1 {}", "select * from {}", "{} select 1", "select {} (")
    for word in sqlglot.Dialect.get_or_raise(dialect).tokenizer_class.KEYWORDS:
        for form in forms:
            with contextlib.suppress(Refused):
                read_statement(form.format(word), dialect_of(dialect))

"""What the guard makes of Databricks SQL."""

from __future__ import annotations

import pytest

from extract_project.problem import Refused
from extract_project.sql.databricks import Databricks
from extract_project.sql.guard import Statement, read_statement


def read(sql: str, *params: str) -> Statement:
    return read_statement(sql, Databricks(), params)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from main.shop.orders", ("main.shop.orders",)),
        ("select a from `Main`.`my shop`.`o``s` -- x", ("Main.my shop.o`s",)),
        ("with x as (select 1 as a) select * from x join shop.y using (a)", ("shop.y",)),
        ('select "from t where \\" x", r"\\", \'it\\\'s\', raw:a.b from t', ("t",)),
        ("select /* a /* b */ c */ 1 -- from nowhere\nfrom t", ("t",)),
        ("select /*+ broadcast(t) */ * from t lateral view explode(a) e as x", ("t",)),
        ("select filter(a, x -> x > 1), transform(b, x -> x + 1) from t", ("t",)),
        ("values (1, 'a'), (2, 'b')", ()),
    ],
)
def test_what_a_query_reads(sql: str, tables: tuple[str, ...]) -> None:
    statement = read(sql)
    assert (statement.tables, statement.warnings) == (tables, ())


def test_a_backslash_continues_a_comment_on_the_next_line() -> None:
    """The parser does not know that, and is not sure of the statement."""
    statement = read("select 1 -- from a \\\n from b\nfrom t")
    assert statement.tables == ("t",)
    assert len(statement.warnings) == 1


def test_a_name_is_a_parameter_unless_it_is_a_path_or_a_cast() -> None:
    sql = "select raw:low, a::int, :low::string as s from t where b > :low and c between:low and 3"
    assert [each.start for each in read(sql, "low").placeholders] == [
        sql.index(":low::"),
        sql.index(":low and c"),
        sql.index(":low and 3"),
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("insert into t select 1", "this file would run 'insert'"),
        ("with x as (select 1) insert into t select * from x", "would run 'insert'"),
        ("from s insert overwrite t select *", "would run 'from'"),
        ("merge into t using s on t.a = s.a when matched then delete", "would run 'merge'"),
        ("optimize t", "would run 'optimize'"),
        ("select 1; drop table t", "a second statement starts here, with 'drop'"),
        ("select '\\'; drop table t; --'; drop table u", "a second statement starts here"),
        ("select 1 -- \\\n; drop table t\n; drop table u", "a second statement starts here"),
        ("select java_method('java.lang.System', 'exit', 1)", "calls any method of Java"),
        ("select `reflect`('java.lang.System', 'exit', 1)", "calls any method of Java"),
        ("select http_request(conn => 'x', method => 'POST')", "sends a request"),
        ("select * from remote_query('c', query => 'x')", "runs a text on another server"),
        ("select secret('scope', 'key')", "reads a secret"),
        ("select identifier('reflect')('java.lang.System', 'exit', 1)", "by a name in a string"),
        ("select transform(a) using 'sh' from t", "would run 'using a script'"),
        ("select `a", "the quoted name that begins here is not closed"),
        ("select ? from t", "'?' is not a parameter"),
    ],
)
def test_g7_what_does_more_than_read_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        read(sql)
    assert reason in str(raised.value)

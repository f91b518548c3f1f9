"""What the guard makes of BigQuery's SQL."""

from __future__ import annotations

import pytest

from extract_project.problem import Refused
from extract_project.sql.bigquery import BigQuery, is_ordered
from extract_project.sql.guard import Statement, read_statement


def read(sql: str, *params: str) -> Statement:
    return read_statement(sql, BigQuery(), params)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from shop.Orders", ("shop.Orders",)),
        ("select * from `my-shop.eu.Orders` -- x", ("my-shop.eu.Orders",)),
        ("select * from my-shop.eu.orders # x", ("my-shop.eu.orders",)),
        ("with X as (select 1 as a) select * from x join shop.y using (a)", ("shop.y",)),
        ("select o.id from shop.orders o, o.items, unnest(o.lines) as l", ("shop.orders",)),
        ("from shop.orders |> where id > 1 |> select id |> order by id", ("shop.orders",)),
        (
            "select 'it\\'s', r'\\d\\'', '\"\"\"', '''a ' b''', b\"x\", \"from t\" from shop.t",
            ("shop.t",),
        ),
        ('select """a " from b \\""" c""" from shop.t', ("shop.t",)),
        ("select @@project_id, array_agg(a order by b) from shop.t group by all", ("shop.t",)),
        ("select * except (a) replace (b as c) from shop.t", ("shop.t",)),
        ("select * from shop.t for system_time as of timestamp '2026-01-31'", ("shop.t",)),
        ("select /* a /* b */ 1 from shop.t", ("shop.t",)),
    ],
)
def test_what_a_query_reads(sql: str, tables: tuple[str, ...]) -> None:
    statement = read(sql)
    assert (statement.tables, statement.warnings) == (tables, ())


def test_a_name_is_a_parameter_wherever_a_value_may_be() -> None:
    sql = "select :low as a, ':low' as b from t where b > :low and c between:low and 3 limit:low"
    assert [each.start for each in read(sql, "low").placeholders] == [
        sql.index(":low as"),
        sql.index(":low and c"),
        sql.index(":low and 3"),
        len(sql) - 4,
    ]


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("select a from t order by a", True),
        ("with x as (select 1 as a) select a from x order by a limit 5", True),
        ("from t |> order by a |> limit 5", True),
        ("(select a from t order by a)", True),
        ("select a from t", False),
        ("select array_agg(a order by b) from t", False),
        ("select row_number() over (order by a) from t", False),
        ("with x as (select a from t order by a limit 5) select a from x", False),
    ],
)
def test_whether_rows_have_an_order(sql: str, ordered: bool) -> None:
    assert is_ordered(read(sql).tokens) is ordered


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("insert into t select 1", "this file would run 'insert'"),
        ("merge into t using s on t.a = s.a when matched then delete", "would run 'merge'"),
        ("export data options (uri = 'gs://x') as select 1", "would run 'export'"),
        ("create temp table t as select 1", "would run 'create'"),
        ("call p()", "would run 'call'"),
        ("begin select 1; end", "a second statement starts here, with 'end'"),
        ("execute immediate 'drop table t'", "would run 'execute'"),
        ("declare x int64", "would run 'declare'"),
        ("select 1; drop table t", "a second statement starts here, with 'drop'"),
        ("select '\\'; drop table t; --'; drop table u", "a second statement starts here"),
        ("select 1 # \n; drop table t", "a second statement starts here"),
        ("from t |> insert into u", "would run 'insert'"),
        ("from t |> export data options (uri = 'gs://x')", "would run 'export'"),
        ("select * from external_query('c', 'select 1')", "runs a text on another server"),
        ("select `external_query`('c', 'select 1')", "runs a text on another server"),
        ("select `a", "the quoted name that begins here is not closed"),
        ("select '''a", "the string that begins here is not closed"),
        ("select @a from t", "'@a' is not a parameter"),
        ("select ? from t", "'?' is not a parameter"),
    ],
)
def test_g7_what_does_more_than_read_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        read(sql)
    assert reason in str(raised.value)

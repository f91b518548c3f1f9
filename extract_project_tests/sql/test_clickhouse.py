"""What the guard makes of ClickHouse's SQL."""

from __future__ import annotations

import pytest

from extract_project.problem import Refused
from extract_project.sql.clickhouse import ClickHouse
from extract_project.sql.guard import Statement, read_statement


def read(sql: str, *params: str) -> Statement:
    return read_statement(sql, ClickHouse(), params)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from Shop.Orders final", ("Shop.Orders",)),
        ("select a from `my shop`.`o``s` -- x", ("my shop.o`s",)),
        ("with x as (select 1 as a) select * from x join shop.y using (a)", ("shop.y",)),
        ("with (select max(a) from u) as m select m from t", ("t", "u")),
        ("select 'it\\'s; from x', \"from z\", $$ from y; $$ from t", ("t",)),
        ("select 1 # from a\nfrom t", ("t",)),
        ("with totals as (select * from t) select totals from totals", ("t",)),
        ("select /* a /* b */ a from t", ("t",)),
        ("select arrayMap(x -> x + 1, a), b ? c : d, m['k'], t.1 from t", ("t",)),
        ("select a, argMax(b, c) from t array join d as e group by a limit 1 by a", ("t",)),
        ("select format('{} {}', a, b) as format, settings from t where format = 1", ("t",)),
    ],
)
def test_what_a_query_reads(sql: str, tables: tuple[str, ...]) -> None:
    statement = read(sql)
    assert statement.tables == tables


def test_a_name_is_a_parameter_unless_it_is_a_cast() -> None:
    sql = "select a::Int8, :low::String as s from t where b > :low and c between:low and 3"
    assert [each.start for each in read(sql, "low").placeholders] == [
        sql.index(":low::"),
        sql.index(":low and c"),
        sql.index(":low and 3"),
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("insert into t select 1", "this file would run 'insert'"),
        ("optimize table t", "would run 'optimize'"),
        ("system flush logs", "would run 'system'"),
        ("select 1; drop table t", "a second statement starts here, with 'drop'"),
        ("select '\\'; drop table t; --'; drop table u", "a second statement starts here"),
        ("select 1 # \n; drop table t", "a second statement starts here"),
        ("select /* /* */ 1; drop table t -- */", "a second statement starts here"),
        ("select * from url('http://x', 'CSV', 'a Int8')", "'url' reaches outside"),
        ("select * from `s3Cluster`('c', 'http://x')", "'s3cluster' reaches outside"),
        ("select file('/etc/passwd')", "'file' reaches outside"),
        ("select * from remoteSecure('x', system.one)", "'remotesecure' reaches outside"),
        ("select * from mysql('x:3306', 'd', 't', 'u', 'p')", "'mysql' reaches outside"),
        ("select * from executable('sh', 'CSV', 'a Int8')", "'executable' reaches outside"),
        ("select * from icebergS3('http://x')", "'icebergs3' reaches outside"),
        ("select sleep(3)", "'sleep' waits"),
        ("select 1 into outfile 'x.csv'", "would run 'into'"),
        ("select 1 format CSV", "a 'format' clause is not possible here"),
        ("select 1 format CSV settings a = 1", "a 'format' clause is not possible here"),
        ("select 1 settings limit = 1", "a 'settings' clause could change"),
        ("select * from (select 1 settings max_result_rows = 1)", "a 'settings' clause"),
        ("select a, count() from t group by a with totals order by a", "'with totals' gives a row"),
        ("select * from (select a from t group by a with totals)", "'with totals' gives a row"),
        ("select {a:String}", "'{a:String}' is not a parameter"),
        ("select `a", "the quoted name that begins here is not closed"),
    ],
)
def test_g7_what_does_more_than_read_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        read(sql)
    assert reason in str(raised.value)

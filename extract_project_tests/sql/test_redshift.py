"""What the guard makes of Redshift's SQL."""

from __future__ import annotations

import pytest

from extract_project.problem import Refused
from extract_project.sql.guard import Statement, read_statement
from extract_project.sql.redshift import Redshift


def read(sql: str, *params: str) -> Statement:
    return read_statement(sql, Redshift(), params)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from shop.orders", ("shop.orders",)),
        ("select a from dev.shop.orders o, o.items as i", ("dev.shop.orders",)),
        ("with x as (select 1 as a) select * from x join shop.y using (a)", ("shop.y",)),
        ("select /* a /* b */ c */ 1 -- from nowhere\nfrom t", ("t",)),
        ("select 'it''s', 'a\\\\', '\\n', $$from 'nowhere$$, \"from\" from t", ("t",)),
        ("select top 3 a from t qualify row_number() over (order by a) = 1", ("t",)),
        ("select approximate count(distinct a), listagg(b, ',') from t", ("t",)),
    ],
)
def test_what_a_query_reads(sql: str, tables: tuple[str, ...]) -> None:
    assert read(sql).tables == tables


def test_a_name_is_a_parameter_unless_it_is_a_cast() -> None:
    sql = "select a::int, :low::varchar as s from t where b > :low and c between:low and 3"
    assert [each.start for each in read(sql, "low").placeholders] == [
        sql.index(":low::"),
        sql.index(":low and c"),
        sql.index(":low and 3"),
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("unload ('select 1') to 's3://x/' iam_role default", "would run 'unload'"),
        ("copy t from 's3://x' iam_role default", "would run 'copy'"),
        ("insert into t select 1", "would run 'insert'"),
        ("select a into t from s", "would run 'into'"),
        ("with x as (select 1) insert into t select * from x", "would run 'insert'"),
        ("call p()", "would run 'call'"),
        ("vacuum t", "would run 'vacuum'"),
        ("set query_group to 'x'", "would run 'set'"),
        ("show statement_timeout", "would run 'show'"),
        ("select 1; drop table t", "a second statement starts here, with 'drop'"),
        ("select pg_cancel_backend(1)", "not known to only read"),
        ("select pg_catalog.pg_terminate_backend(1)", "not known to only read"),
        ("select set_config('a', 'b', true)", "not known to only read"),
        ("select '\\'; drop table t; --'", "a backslash stands before a quote"),
        ("select 'a\\\\\\'' from t", "a backslash stands before a quote"),
        ("select 'a", "the string that begins here is not closed"),
    ],
)
def test_g7_what_does_more_than_read_is_refused(sql: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        read(sql)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "call", ["pg_backend_pid()", "pg_get_late_binding_view_cols()", "s.pg_f()"]
)
def test_functions_that_only_read_are_fine(call: str) -> None:
    read(f"select {call}")

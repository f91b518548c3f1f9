"""The tables that a statement reads."""

from __future__ import annotations

import pytest

from extract_project_tests.support.parsing import valid


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select 1 as a", ()),
        ("select * from Shop.Orders", ("shop.orders",)),
        ("select * from db.s.t join u using (a)", ("db.s.t", "u")),
        ("with c as (select * from t) select * from c, u", ("t", "u")),
        ("select * from t where a in (select a from u)", ("t", "u")),
        ("select * from t union select * from t", ("t",)),
        ("select * from range(5) r, t", ("t",)),
        ("with orders as (select * from orders) select * from orders", ("orders",)),
        ("with a as (select * from b), b as (select * from a) select * from b", ("b",)),
        ("with t as (select 1 as a) select * from s.t, t", ("s.t",)),
        ("select * from (with t as (select * from u) select * from t) x, t", ("t", "u")),
        ("with Orders as (select 1 as a) select * from ORDERS", ()),
        ("select extract(year from d) as y, trim(both from b) as c from t", ("t",)),
        ("with recursive c as (select 1 as a union all select a + 1 from c) select * from c", ()),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake"])
def test_upstream_tables(sql: str, tables: tuple[str, ...], dialect: str) -> None:
    assert valid(sql, dialect).tables == tables


@pytest.mark.parametrize(
    ("sql", "dialect", "tables"),
    [
        ('select * from "Shop"."Orders"', "postgres", ("Shop.Orders",)),
        ('select * from "Shop"."Orders"', "snowflake", ("Shop.Orders",)),
        ('select * from "Shop"."Orders"', "duckdb", ("shop.orders",)),  # it ignores case
        ("select * from db..t", "snowflake", ("db.public.t",)),
        ("select * from identifier('DB.s.\"T\"') i", "snowflake", ("db.s.T",)),
        ("select * from u, table('s.t')", "snowflake", ("s.t", "u")),
        ("select * from @stage (file_format => ff)", "snowflake", ()),
        ("show tables in schema db.s", "snowflake", ()),
        ("describe warehouse w", "snowflake", ()),
        ("show tables ->> select * from $1, t", "snowflake", ("t",)),
        ("from query_table('s.t')", "duckdb", ("s.t",)),
        ("from query_table(['t', 'u'])", "duckdb", ("t", "u")),
        ("describe t", "duckdb", ()),
        ("summarize t", "duckdb", ("t",)),
        ("table s.t", "postgres", ("s.t",)),
    ],
)
def test_upstream_tables_of_one_dialect(sql: str, dialect: str, tables: tuple[str, ...]) -> None:
    assert valid(sql, dialect).tables == tables

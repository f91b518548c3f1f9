"""The tables that a statement reads."""

from __future__ import annotations

import pytest

from extract_project_tests.manifest.parsing import valid


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select 1 as a", ()),
        ("select * from Shop.Orders", ("shop.orders",)),
        ('select * from "Shop"."Orders"', ("Shop.Orders",)),
        ("select * from db.s.t join u using (a)", ("db.s.t", "u")),
        ("with c as (select * from t) select * from c, u", ("t", "u")),
        ("select * from t where a in (select a from u)", ("t", "u")),
        ("select * from t union select * from t", ("t",)),
        ("select * from range(5) r, t", ("t",)),
        ("with recursive c as (select 1 as a union all select a + 1 from c) select * from c", ()),
    ],
)
def test_upstream_tables(sql: str, tables: tuple[str, ...]) -> None:
    assert valid(sql).tables == tables

"""A name that no extract has leads to the one that was meant."""

from __future__ import annotations

import pytest

from extract_project.manifest.names import expanded, no_extract

KNOWN = ["sales/orders", "sales/Daily_Revenue", "finance/revenue", *(f"ops/t{i}" for i in range(9))]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("sales/order", "did you mean 'sales/orders'?"),
        ("orders", "did you mean 'sales/orders'?"),
        ("Sales/Orders", "did you mean 'sales/orders'?"),
        ("sales/orders.sql", "did you mean 'sales/orders'?"),
        ("sales/daily_revenue", "did you mean 'sales/Daily_Revenue'?"),
        ("finance/daily_revenu", "did you mean"),
        ("shop/ordres", "did you mean 'sales/orders'?"),
        ("sales", "'sales' is a folder with sales/Daily_Revenue, sales/orders: "),
        ("ops/", "ops/t4 and 4 more: name one of them, or all of them in 'extract run': 'ops/*'"),
        ("zzzzzzzz", "there are finance/revenue, ops/t0, ops/t1, ops/t2, ops/t3 and 7 more"),
    ],
)
def test_what_was_meant(path: str, hint: str) -> None:
    assert hint in no_extract(path, KNOWN)


def test_nothing_is_meant_where_nothing_is() -> None:
    assert no_extract("a", []) == "no extract 'a': there are none"


def test_patterns() -> None:
    assert expanded(["sales/*", "sales/orders"], KNOWN) == ["sales/Daily_Revenue", "sales/orders"]
    assert expanded(["none/*", "x"], KNOWN) == ["none/*", "x"]

"""The checks: what passes, what breaks, with which figures and samples."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from extract_project.errors import AuditError
from extract_project.publish.audit import Audit, Outcome
from extract_project.publish.checks import Check
from extract_project.publish.checks.base import CheckSpec

CHECK: TypeAdapter[CheckSpec] = TypeAdapter(Check)


def audit(table: pa.Table, *checks: dict[str, Any], batch_rows: int = 3) -> list[Outcome]:
    """The outcomes for a table that passes by a few rows at a time."""
    specs = [CHECK.validate_python(check) for check in checks]
    with TemporaryDirectory() as directory:
        auditing = Audit(specs, table.schema, Path(directory))
        for start in range(0, table.num_rows, batch_rows):
            auditing.observe(table.slice(start, batch_rows))
        return auditing.conclude()


def verdict(table: pa.Table, check: dict[str, Any]) -> Any:
    (outcome,) = audit(table, check)
    return outcome.verdict


ORDERS = pa.table(
    {
        "id": pa.array([1, 2, 3, 4, 5], pa.int64()),
        "Status": pa.array(["O", "F", None, "X", "O"], pa.string()),
        "price": pa.array(
            [Decimal("1.50"), Decimal("2.50"), None, Decimal("9.99"), Decimal("0.00")],
            pa.decimal128(9, 2),
        ),
        "day": pa.array([date(2026, 1, n) for n in range(1, 6)], pa.date32()),
        "at": pa.array(
            [datetime(2026, 1, n, tzinfo=UTC) for n in range(1, 6)], pa.timestamp("us", "UTC")
        ),
        "ratio": pa.array([0.1, float("nan"), None, 1.0, -1.0], pa.float64()),
        "ok": pa.array([True, True, False, None, True], pa.bool_()),
    }
)


@pytest.mark.parametrize(
    ("check", "violations"),
    [
        ({"min_rows": 5}, 0),
        ({"min_rows": 6}, 1),
        ({"max_rows": 5}, 0),
        ({"max_rows": 4}, 1),
        ({"not_null": "id"}, 0),
        ({"not_null": ["id", "status"]}, 1),
        ({"max_null_ratio": {"status": 0.2}}, 0),
        ({"max_null_ratio": {"status": 0.19}}, 1),
        ({"accepted_values": {"status": ["O", "F", "X"]}}, 0),
        ({"accepted_values": {"status": ["O", "F"]}}, 1),
        ({"accepted_values": {"price": [Decimal("1.5"), Decimal("2.5"), 0, Decimal("9.99")]}}, 0),
        ({"accepted_values": {"day": [date(2026, 1, 1)]}}, 4),
        ({"accepted_values": {"ok": [True]}}, 1),
        ({"between": {"id": [1, 5]}}, 0),
        ({"between": {"id": [2, 4]}}, 2),
        ({"between": {"price": [None, 5]}}, 1),
        ({"between": {"day": [date(2026, 1, 2), None]}}, 1),
        ({"between": {"at": [datetime(2026, 1, 2), datetime(2026, 1, 4)]}}, 2),
        ({"between": {"ratio": [0, 1]}}, 2),
        ({"unique": "id"}, 0),
        ({"unique": "status"}, 1),
        ({"unique": ["status", "ok"]}, 1),
        ({"sql": "select * from result where price > 5"}, 1),
        ({"sql": "select 1 as a from result where id > 100;"}, 0),
    ],
    ids=str,
)
def test_each_check(check: dict[str, Any], violations: int) -> None:
    found = verdict(ORDERS, check)
    assert found.passed == (violations == 0)
    counted = [
        n for name, n in found.figures.items() if "violation" in name or name == "repeated keys"
    ]
    if counted and "max_null_ratio" not in check:
        assert sum(counted) == violations


def test_samples_name_the_row_and_its_keys() -> None:
    outcomes = audit(ORDERS, {"unique": ["id"]}, {"accepted_values": {"status": ["O"]}})
    assert outcomes[1].verdict.samples == (
        {"row": 2, "id": 2, "Status": "F"},
        {"row": 4, "id": 4, "Status": "X"},
    )
    assert outcomes[1].verdict.summary == "status is one of O: broken by Status in 2 of 5 rows"


def test_samples_are_few() -> None:
    table = pa.table({"n": list(range(1_000))})
    assert [row["row"] for row in verdict(table, {"between": {"n": [-1, -1]}}).samples] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert len(verdict(table, {"sql": "select * from result"}).samples) == 5


def test_only_an_error_refuses() -> None:
    outcomes = audit(ORDERS, {"min_rows": 9}, {"max_rows": 1, "severity": "warn"})
    assert [(o.severity, o.refuses) for o in outcomes] == [("error", True), ("warn", False)]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"not_null": "stauts"}, "names column 'stauts', .* did you mean 'Status'"),
        ({"unique": ["id", "nope"]}, "names column 'nope', which the result does not have"),
        ({"between": {"day": ["soon", None]}}, "column 'day', a date32.*soon"),
        ({"accepted_values": {"id": ["x"]}}, "column 'id', a int64, with x"),
        ({"sql": "select nope from result"}, "check 'sql_.*' failed: .*nope"),
        ({"sql": "select * from read_csv('/etc/passwd')"}, "failed: .*disabled by configuration"),
    ],
)
def test_a_check_that_does_not_fit_is_an_error(check: dict[str, Any], message: str) -> None:
    with pytest.raises(AuditError, match=message):
        verdict(ORDERS, check)


def test_no_rows_satisfy_every_check_but_min_rows() -> None:
    checks: list[dict[str, Any]] = [
        {"not_null": "id"},
        {"unique": "id"},
        {"max_null_ratio": {"id": 0.0}},
        {"sql": "from result"},
    ]
    assert all(outcome.verdict.passed for outcome in audit(ORDERS.slice(0, 0), *checks))
    assert not verdict(ORDERS.slice(0, 0), {"min_rows": 1}).passed


def test_names_are_unique_and_plain() -> None:
    long = CHECK.validate_python({"unique": [f"a rather long column name {n}" for n in range(9)]})
    other = CHECK.validate_python({"unique": [f"a rather long column name {n}" for n in range(10)]})
    assert long.name != other.name
    for check in (long, other, CHECK.validate_python({"not_null": "größe"})):
        assert check.name.replace("_", "").isalnum()
        assert check.name.isascii()


SMALL = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("ab")), max_size=12
)


def two_columns(rows: list[tuple[int | None, str | None]]) -> pa.Table:
    return pa.table(
        {
            "a": pa.array([a for a, _ in rows], pa.int64()),
            "b": pa.array([b for _, b in rows], pa.string()),
        }
    )


@settings(max_examples=40, deadline=None)
@given(rows=SMALL)
def test_unique_agrees_with_counting(rows: list[tuple[int | None, str | None]]) -> None:
    counts = Counter(row for row in rows if None not in row)
    repeated = [n for n in counts.values() if n > 1]
    found = verdict(two_columns(rows), {"unique": ["a", "b"]})
    assert found.passed == (not repeated)
    assert found.figures["repeated keys"] == len(repeated)


@settings(max_examples=60, deadline=None)
@given(rows=SMALL, low=st.none() | st.integers(-1, 4), high=st.integers(-1, 4))
def test_column_checks_agree_with_plain_python(
    rows: list[tuple[int | None, str | None]], low: int | None, high: int
) -> None:
    table = two_columns(rows)
    values = [a for a, _ in rows]
    outside = sum(v is not None and (v > high or (low is not None and v < low)) for v in values)
    unaccepted = sum(v is not None and v not in (1, 2) for v in values)
    outcomes = audit(
        table,
        {"between": {"a": [low, high]}},
        {"accepted_values": {"a": [1, 2]}},
        {"not_null": "a"},
    )
    found = [outcome.verdict.figures["violations a"] for outcome in outcomes]
    assert found == [outside, unaccepted, values.count(None)]

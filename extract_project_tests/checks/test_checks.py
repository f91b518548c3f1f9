"""The checks: what passes, what breaks, with which metrics and samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from extract_project.checks import Check
from extract_project.checks.anomalies import Anomalies
from extract_project.checks.base import Baseline, CheckSpec, Subject
from extract_project.checks.sql import SqlCheck
from extract_project.errors import AuditError
from extract_project.lockdown import locked_down
from extract_project.metrics import Metrics
from extract_project.pipeline.audit import Audit, Outcome
from extract_project.pipeline.profile import Profile
from extract_project.stopping import Stop

CHECK: TypeAdapter[CheckSpec] = TypeAdapter(Check | Anomalies)


NOW = datetime(2026, 1, 6, 6, tzinfo=UTC)


@dataclass(frozen=True)
class Before:
    """What was published before, made up."""

    rows: int | None = None
    comparable: Sequence[Metrics] = ()
    kind: str = "versions"


def audit(
    table: pa.Table, *checks: dict[str, Any], batch_rows: int = 3, baseline: Baseline = Before()
) -> list[Outcome]:
    """The outcomes for a table that passes by a few rows at a time."""
    specs = [CHECK.validate_python(check) for check in checks]
    with TemporaryDirectory() as directory:
        profile = Profile(table.schema)
        subject = Subject(table.schema, NOW, baseline, profile.metrics)
        auditing = Audit(specs, subject, Path(directory), Stop())
        for start in range(0, table.num_rows, batch_rows):
            rows = table.slice(start, batch_rows)
            profile.observe(rows)
            auditing.observe(rows)
        return auditing.conclude()


def verdict(table: pa.Table, check: dict[str, Any], baseline: Baseline = Before()) -> Any:
    (outcome,) = audit(table, check, baseline=baseline)
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
        n for name, n in found.metrics.items() if "violation" in name or name == "repeated keys"
    ]
    if counted and "max_null_ratio" not in check:
        assert sum(counted) == violations


ONE_O_CLOCK = pa.table({"at": pa.array([datetime(2026, 1, 1, 1, tzinfo=UTC)])})
EAST, WEST = timezone(timedelta(hours=2)), timezone(-timedelta(hours=2, minutes=30))


@pytest.mark.parametrize(
    ("value", "is_before"),
    [
        (datetime(2026, 1, 1, 2, tzinfo=EAST), True),  # midnight in UTC
        (datetime(2026, 1, 1, 0, tzinfo=WEST), False),  # half past two
        (datetime(2026, 1, 1, 1, tzinfo=UTC), True),
        (datetime(2026, 1, 1, 1, 0, 0, 1), False),
        (date(2026, 1, 1), True),
        ("2026-01-01T02:00:00+02:00", True),
        ("2025-12-31 23:00:00-02:30", False),
        ("2026-01-01T01:00:00Z", True),
        ("2026-01-01 01:00:01", False),
    ],
)
def test_g1_an_instant_is_compared_in_the_zone_it_is_written_with(
    value: datetime | date | str, is_before: bool
) -> None:
    assert verdict(ONE_O_CLOCK, {"between": {"at": [value, None]}}).passed == is_before


def test_g1_the_same_instant_is_accepted_in_any_zone() -> None:
    same, other = ONE_O_CLOCK["at"][0].as_py().astimezone(EAST), datetime(2026, 1, 1, 3)
    assert verdict(ONE_O_CLOCK, {"accepted_values": {"at": [same]}}).passed
    assert not verdict(ONE_O_CLOCK, {"accepted_values": {"at": [other]}}).passed


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=EAST), "2026-01-01T00:00:00+02:00"])
def test_an_instant_says_nothing_about_a_time_without_a_zone(value: datetime | str) -> None:
    naive = pa.table({"at": pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))})
    with pytest.raises(AuditError, match="column 'at', timestamp, with 2026-01-01"):
        verdict(naive, {"between": {"at": [value, None]}})


@pytest.mark.parametrize(
    ("rule", "before", "rows", "passes"),
    [
        ("±50%", 100, 50, True),
        ("50%", 100, 49, False),
        ("+-50%", 100, 150, True),
        ("+/-50%", 100, 151, False),
        (" -10%..+50% ", 100, 90, True),
        ("-10%..+50%", 100, 89, False),
        ("-10%..", 100, 100_000, True),
        ("-10%..", 100, 0, False),
        ("..+0.5%", 1_000, 1_005, True),
        ("..+0.5%", 1_000, 1_006, False),
        ("+5%..+10%", 100, 104, False),
        ("±1%", 0, 1_000, True),
        ("±1%", None, 1_000, True),
    ],
)
def test_rows_change(rule: str, before: int | None, rows: int, passes: bool) -> None:
    found = verdict(pa.table({"n": range(rows)}), {"rows_change": rule}, Before(before))
    assert found.passed is passes, found.summary
    if before:
        assert f"{rows:,} rows, {(rows - before) * 100 / before:+.1f}%" in found.summary


@pytest.mark.parametrize(
    "rule", ["", "..", "±50", 50, "-50%", "10%..50%", "+50%..-10%", "±x%", "-10%..+50", "5%%"]
)
def test_a_change_in_rows_of_another_form_is_refused(rule: object) -> None:
    with pytest.raises(ValidationError, match=r"expected ±50%, or a range as -10%\.\.\+50%"):
        CHECK.validate_python({"rows_change": rule})


@pytest.mark.parametrize(
    ("column", "within", "passes"),
    [
        ("at", "1d6h", True),
        ("at", "1d5h59m", False),
        ("DAY", "6h", True),  # the fifth of January ends when the sixth begins
        ("day", "5h59m", False),
        ("naive", "30h", True),
        ("naive", "29h", False),
        ("nanoseconds", "30h", True),
        ("tomorrow", "1s", True),
        ("forever", "1s", True),
        ("never", "9999d", False),
    ],
)
def test_freshness(column: str, within: str, passes: bool) -> None:
    newest = datetime(2026, 1, 5)
    table = pa.table(
        {
            "at": ORDERS["at"],
            "day": ORDERS["day"],
            "naive": pa.array([None, newest, None, None, None], pa.timestamp("s")),
            "nanoseconds": pa.array([newest] * 5, pa.timestamp("ns", "Europe/Berlin")),
            "tomorrow": pa.array([date(2026, 1, 7)] * 5, pa.date64()),
            "forever": pa.array([date.max] * 5, pa.date32()),
            "never": pa.nulls(5, pa.date32()),
        }
    )
    found = verdict(table, {"freshness": {"column": column, "within": within}})
    assert found.passed is passes, found.summary


def versions(*rows: int, nulls: Sequence[int] = ()) -> Before:
    metrics = [
        Metrics(rows=count, nulls={"n": nulls[i]} if nulls else {}) for i, count in enumerate(rows)
    ]
    return Before(comparable=metrics)


@pytest.mark.parametrize(
    ("before", "rows", "expected"),
    [
        ([100, 100, 100], 5_000, True),  # too few to say anything
        ([100, 100, 100, 100], 101, True),
        ([100, 100, 100, 100], 0, False),
        ([7, 7, 7, 7], 8, True),
        ([7, 7, 7, 7], 0, False),
        ([7, 7, 0, 7], 0, False),  # seen once, it may have been the same accident
        ([7, 0, 0, 7], 0, True),
        ([0, 0, 0, 0], 3, True),
        ([10_000] * 10, 10_900, True),
        ([10_000] * 10, 11_100, False),
        ([10_000] * 10, 5_000, False),
        ([10_000] * 9 + [20], 20, False),  # published with a warning, and no more usual for that
        ([10_000] * 5 + [20, 20] + [10_000] * 3, 20, True),  # a weekend
        ([1_000 * n for n in range(10, 20)], 20_000, True),  # it grows
        ([8_000, 12_000, 9_000, 11_000, 10_000], 15_500, True),  # it scatters
        ([8_000, 12_000, 9_000, 11_000, 10_000], 16_500, False),
    ],
)
def test_usual_rows(before: list[int], rows: int, expected: bool) -> None:
    found = verdict(pa.table({"n": range(rows)}), {"anomalies": "warn"}, versions(*before))
    assert found.passed is expected, found.summary


def test_an_increment_without_rows_is_usual() -> None:
    check = {"anomalies": "warn", "may_be_empty": True}
    assert verdict(pa.table({"n": []}), check, versions(9, 9, 9, 9)).summary == "no new rows"
    assert not verdict(pa.table({"n": range(99)}), check, versions(9, 9, 9, 9)).passed


@pytest.mark.parametrize(
    ("nulls", "now", "expected"),
    [
        ([0, 0, 0, 0], 0, True),
        ([0, 0, 0, 0], 20, True),
        ([0, 0, 0, 0], 21, False),
        ([500, 500, 500, 500], 550, True),
        ([500, 500, 500, 500], 600, False),
        ([500, 500, 500, 500], 0, False),
        ([0, 0, 0], 1_000, True),
    ],
)
def test_usual_nulls(nulls: list[int], now: int, expected: bool) -> None:
    values = [None] * now + [1] * (1_000 - now)
    table = pa.table({"n": pa.array(values, pa.int64()), "new": pa.nulls(1_000)})
    before = versions(*[1_000] * len(nulls), nulls=nulls)
    found = verdict(table, {"anomalies": "warn"}, before)
    assert found.passed is expected, found.summary


def test_what_is_unusual_is_said_with_its_range() -> None:
    table = pa.table({"n": pa.nulls(50, pa.int64())})
    before = versions(*[1_000] * 10, nulls=[100] * 10)
    assert verdict(table, {"anomalies": "warn"}, before).summary.splitlines() == [
        "50 rows; expected 874 to 1,126, from the last 10 versions",
        "n is null in 100.00% of the rows; expected 0.00% to 26.97%, from the last 10 versions",
    ]


def test_samples_name_the_row_and_its_keys() -> None:
    outcomes = audit(ORDERS, {"unique": ["id"]}, {"accepted_values": {"status": ["O"]}})
    assert outcomes[1].verdict.samples == (
        {"row": "2", "id": "2", "Status": "F"},
        {"row": "4", "id": "4", "Status": "X"},
    )
    assert outcomes[1].verdict.summary == "status is one of O: broken by Status in 2 of 5 rows"


def test_samples_are_few() -> None:
    table = pa.table({"n": list(range(1_000))})
    samples = verdict(table, {"between": {"n": [-1, -1]}}).samples
    assert [row["row"] for row in samples] == ["1", "2", "3", "4", "5"]
    assert len(verdict(table, {"sql": "select * from result"}).samples) == 5


def test_only_an_error_refuses() -> None:
    outcomes = audit(ORDERS, {"min_rows": 9}, {"max_rows": 1, "severity": "warn"})
    assert [(o.severity, o.refuses) for o in outcomes] == [("error", True), ("warn", False)]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"not_null": "stauts"}, "names column 'stauts', .* did you mean 'Status'"),
        ({"unique": ["id", "nope"]}, "names column 'nope', which the result does not have"),
        ({"between": {"day": ["soon", None]}}, "column 'day', date,.*soon"),
        ({"accepted_values": {"id": ["x"]}}, "column 'id', int64, with x"),
        ({"freshness": {"column": "dya", "within": "1d"}}, "did you mean 'day'"),
        ({"freshness": {"column": "id", "within": "1d"}}, "column 'id', which is int64: expected"),
        ({"sql": "select nope from result"}, "check 'sql_.*' failed: .*nope"),
    ],
)
def test_a_check_that_does_not_fit_is_an_error(check: dict[str, Any], message: str) -> None:
    with pytest.raises(AuditError, match=message):
        verdict(ORDERS, check)


def test_g7_a_check_reads_nothing_but_the_result(tmp_path: Path) -> None:
    sql = "select * from read_csv('/etc/passwd')"
    with pytest.raises(ValidationError, match="'read_csv' writes, waits"):
        SqlCheck(sql=sql)
    pq.write_table(ORDERS, tmp_path / "result.parquet")
    files = {"result": tmp_path / "result.parquet"}
    with locked_down(files, tmp_path / "spill", "64MB") as connection:
        assert connection.execute("select count(*) from result").fetchone() == (len(ORDERS),)
        with pytest.raises(duckdb.Error, match="disabled by configuration"):
            connection.execute(sql)


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


@settings(max_examples=40)
@given(rows=SMALL)
def test_unique_agrees_with_counting(rows: list[tuple[int | None, str | None]]) -> None:
    counts = Counter(row for row in rows if None not in row)
    repeated = [n for n in counts.values() if n > 1]
    found = verdict(two_columns(rows), {"unique": ["a", "b"]})
    assert found.passed == (not repeated)
    assert found.metrics["repeated keys"] == len(repeated)


@settings(max_examples=60)
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
    found = [outcome.verdict.metrics["violations a"] for outcome in outcomes]
    assert found == [outside, unaccepted, values.count(None)]

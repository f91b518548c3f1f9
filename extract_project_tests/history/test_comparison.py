"""Comparing rows: exact for every type, by a key or as they are counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract_project.errors import ExtractError
from extract_project.history.diff.comparison import Key, compare_rows
from extract_project.history.diff.row_difference import RowDifference
from extract_project.schema.text import plain_text

ID = Key(("id",), insisted=True)


def compare(old: pa.Table, new: pa.Table, key: Key, directory: Path) -> RowDifference:
    return compare_rows(old.to_reader(), new.to_reader(), key, directory)


def numbered(values: pa.Array) -> pa.Table:
    return pa.table({"id": pa.array(range(len(values)), pa.int64()), "v": values})


NS = pa.timestamp("ns")
NS_UTC = pa.timestamp("ns", tz="UTC")
US_UTC = pa.timestamp("us", tz="UTC")
BIG = 2**63 - 1
LONG = "1234567890123456789012345678901234567890"
PAIRS: dict[str, tuple[pa.DataType, Any, Any, Any, Any]] = {
    # type, two values that are as close as they can be, and how they are shown
    "int64": (pa.int64(), BIG, BIG - 1, BIG, BIG - 1),
    "decimal128": (
        *(pa.decimal128(38, 10), Decimal("1.0000000001"), Decimal("1.0000000002")),
        *("1.0000000001", "1.0000000002"),
    ),
    "decimal256": (
        *(pa.decimal256(50, 2), Decimal(f"{LONG}.01"), Decimal(f"{LONG}.02")),
        *(f"{LONG}.01", f"{LONG}.02"),
    ),
    "float64": (pa.float64(), 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3),
    "NaN and NULL": (pa.float64(), float("nan"), None, "nan", None),
    "NULL and empty": (pa.string(), None, "", None, ""),
    "case": (pa.string(), "a", "A", "a", "A"),
    "binary": (pa.binary(), b"\x00", b"\x00\x00", "AA==", "AAA="),
    "bool": (pa.bool_(), True, False, True, False),
    "date": (pa.date32(), date(1, 1, 1), date(9999, 12, 31), "0001-01-01", "9999-12-31"),
    "nanoseconds": (NS, 1, 2, "1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000000002"),
    "instants in nanoseconds": (
        *(NS_UTC, 1, 2),
        *("1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000002Z"),
    ),
    "year 1": (
        *(US_UTC, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
        *("0001-01-01T00:00:00.000000Z", "9999-12-31T00:00:00.000000Z"),
    ),
    "time": (pa.time64("ns"), 1, 2, "00:00:00.000000001", "00:00:00.000000002"),
    "list": (pa.list_(pa.int64()), [1, None], [1], "[1,null]", "[1]"),
    "struct": (pa.struct([("a", NS_UTC)]), {"a": None}, None, '{"a":null}', None),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_smallest_difference_of_each_type_is_seen_and_equal_values_are_not(
    tmp_path: Path, name: str
) -> None:
    kind, one, other, shown, other_shown = PAIRS[name]
    old = numbered(pa.array([one, other, None, one], kind))
    new = numbered(pa.array([one, other, None, other], kind))
    by_key = compare(old, new, ID, tmp_path)
    assert (by_key.added, by_key.removed, by_key.changed) == (0, 0, 1)
    (sample,) = by_key.samples_changed
    assert (sample.key, sample.old, sample.new) == ({"id": 3}, {"v": shown}, {"v": other_shown})
    assert {column.name: column.changed for column in by_key.columns} == {"id": 0, "v": 1}
    counted = compare(old, new, Key(), tmp_path)
    assert (counted.added, counted.removed) == (1, 1)
    assert counted.samples_added == ({"id": 3, "v": other_shown},)
    assert compare(old, old, ID, tmp_path).same
    assert compare(new, new, Key(), tmp_path).same


RETYPED: dict[str, tuple[pa.Array, pa.Array, int]] = {
    # of how many rows the value is another one
    "a wider decimal": (
        pa.array([Decimal("1.50"), Decimal("2.00")], pa.decimal128(10, 2)),
        pa.array([Decimal("1.5000"), Decimal("2.0001")], pa.decimal128(38, 4)),
        1,
    ),
    "integer to decimal": (
        pa.array([BIG, 7], pa.int64()),
        pa.array([Decimal(BIG), Decimal("7.5")], pa.decimal128(30, 1)),
        1,
    ),
    "decimal to integer": (
        pa.array([Decimal(BIG), Decimal(5)], pa.decimal128(38, 0)),
        pa.array([BIG, 6], pa.int64()),
        1,
    ),
    "nanoseconds to microseconds": (
        pa.array([1_767_225_600_000_000_001, 1_767_225_600_000_000_000], NS),
        pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("us")),
        1,
    ),
    "microseconds to nanoseconds": (
        pa.array([datetime(9999, 1, 1), datetime(2026, 1, 1)], pa.timestamp("us")),
        pa.array([None, 1_767_225_600_000_000_000], NS),
        1,
    ),
    "float32 to float64": (pa.array([0.5, 0.25], pa.float32()), pa.array([0.5, 0.26]), 1),
    "integer to text": (pa.array([1, 2]), pa.array(["1", "two"]), 1),
    "zoneless to instant": (
        pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("us")),
        pa.array([datetime(2026, 1, 1)] * 2, US_UTC),
        2,
    ),
}


@pytest.mark.parametrize("name", RETYPED)
def test_a_column_of_another_type_is_compared_by_value(tmp_path: Path, name: str) -> None:
    old, new, changed = RETYPED[name]
    found = compare(numbered(old), numbered(new), ID, tmp_path)
    assert found.changed == changed
    for sample in found.samples_changed:
        at = sample.key["id"]
        shown = [plain_text(values)[at].as_py() for values in (old, new)]
        assert [str(sample.old["v"]), str(sample.new["v"])] == [str(value) for value in shown]


def test_columns_in_common_are_compared_and_the_others_are_named(tmp_path: Path) -> None:
    old = pa.table({"id": [1, 2, 3], "gone": ["a", "b", None], "A": [1, 2, 3], "a": [1, 1, 1]})
    new = pa.table({"a": [1, 1, 2], "id": [1, 2, 4], "A": [1, 5, 3], "here": [1.5, None, 2.5]})
    found = compare(old, new, ID, tmp_path)
    assert (found.added, found.removed, found.changed) == (1, 1, 1)
    columns = {column.name: column for column in found.columns}
    assert (columns["A"].changed, columns["a"].changed) == (1, 0)
    here, gone = columns["here"], columns["gone"]
    assert here.old is None
    assert here.new is not None
    assert (here.new.nulls, here.new.total, here.new.lowest, here.new.highest) == (1, 4.0, 1.5, 2.5)
    assert gone.new is None
    assert gone.old is not None
    assert gone.old.nulls == 1
    assert found.samples_added == ({"id": 4, "A": 3, "a": 2},)


def test_nothing_in_common(tmp_path: Path) -> None:
    found = compare(pa.table({"a": [1, 2]}), pa.table({"b": [1]}), Key(), tmp_path)
    assert (found.added, found.removed, found.same) == (1, 2, False)


def test_sums_and_extremes_are_exact(tmp_path: Path) -> None:
    nines = Decimal("9" * 38)
    old = pa.table({"i": pa.array([BIG, BIG, None]), "d": pa.array([nines] * 3)})
    new = pa.table({"i": pa.array([-BIG, 0, 1]), "d": pa.array([Decimal(1)] * 3, old["d"].type)})
    i, d = compare(old, new, Key(), tmp_path).columns
    assert i.old is not None
    assert (i.old.nulls, i.old.total, i.old.lowest, i.old.highest) == (1, 2 * BIG, BIG, BIG)
    assert d.old is not None
    assert d.old.total == str(int(nines) * 3)
    assert d.new is not None
    assert d.new.total == "3"


def test_a_key_with_nulls_matches_nulls(tmp_path: Path) -> None:
    old = pa.table({"id": pa.array([None, 1]), "v": ["a", "b"]})
    new = pa.table({"id": pa.array([1, None]), "v": ["b", "c"]})
    found = compare(old, new, ID, tmp_path)
    assert (found.added, found.removed, found.changed) == (0, 0, 1)


def test_a_key_that_identifies_nothing(tmp_path: Path) -> None:
    old = pa.table({"id": [1, 1, 2], "v": ["a", "b", "c"]})
    new = pa.table({"id": [1, 2, 3], "v": ["a", "c", "d"]})
    with pytest.raises(ExtractError, match=r"id does not identify a row of the old version: 1 of"):
        compare(old, new, ID, tmp_path)
    with pytest.raises(ExtractError, match="did you mean 'id'"):
        compare(old, new, Key(("ids",), insisted=True), tmp_path)
    found = compare(old, new, Key(("id",)), tmp_path)
    assert (found.key, found.added, found.removed) == ((), 1, 1)
    assert "does not identify" in found.note


ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.none() | st.sampled_from(["", "x", "y"]),
        st.none() | st.sampled_from([0.0, 1.5, float("nan")]),
    ),
    max_size=12,
)


def as_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = (pa.int64(), pa.string(), pa.float64())
    return pa.table(
        {n: pa.array(c, kind) for n, c, kind in zip("abc", columns, kinds, strict=True)}
    )


def comparable(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """NaN is NaN."""
    return [tuple("NaN" if str(value) == "nan" else value for value in row) for row in rows]


@given(ROWS, ROWS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_agrees_with_counting_by_hand(
    tmp_path: Path, old: list[tuple[Any, ...]], new: list[tuple[Any, ...]]
) -> None:
    before, after = Counter(comparable(old)), Counter(comparable(new))
    counted = compare(as_table(old), as_table(new), Key(), tmp_path)
    assert counted.added == (after - before).total()
    assert counted.removed == (before - after).total()
    by_id = [{row[0]: row for row in comparable(rows)} for rows in (old, new)]
    unique = [list({row[0]: row for row in rows}.values()) for rows in (old, new)]
    keyed = compare(as_table(unique[0]), as_table(unique[1]), Key(("a",), True), tmp_path)
    assert keyed.added == len(by_id[1].keys() - by_id[0].keys())
    assert keyed.removed == len(by_id[0].keys() - by_id[1].keys())
    both = by_id[0].keys() & by_id[1].keys()
    assert keyed.changed == sum(by_id[0][key] != by_id[1][key] for key in both)

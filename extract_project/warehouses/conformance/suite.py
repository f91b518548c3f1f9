"""What every warehouse does alike. A test of it is named as the guarantee that it belongs to.

The tests are run by a module that imports them all and has a fixture `rig`; see docs/warehouse.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from extract_project.errors import TypeMappingError, WarehouseError
from extract_project.manifest.fields.partitions import Partition
from extract_project.prefetch import prefetch
from extract_project.schema.choices import TypeChoices
from extract_project.schema.display import display
from extract_project.values import Value
from extract_project.warehouses.conformance.rig import LABEL, Rig, read
from extract_project.warehouses.conformance.waiting import await_value
from extract_project.warehouses.protocol import Query


def _one_row(rig: Rig) -> str:
    of = rig.types
    return f"""
select true as b, cast(12.50 as {of.decimal}) as d, cast(12 as {of.integer}) as n,
       cast(0.1 as {of.double}) as f, cast('text' as {of.text}) as t, date '2026-01-31' as day,
       cast('2026-01-31 06:00:00' as {of.timestamp}) as at
"""


def test_g5_no_rows_have_the_same_schema(rig: Rig) -> None:
    text = _one_row(rig)
    one, none = rig.table(text), rig.table(f"select * from ({text}) as r where b is null")
    assert (one.num_rows, none.num_rows) == (1, 0)
    assert one.schema == none.schema
    assert [str(kind) for kind in one.schema.types] == [
        "bool" if rig.has_booleans else "int32",
        *(rig.types.decimal_in_file, "int64", "double", "string", "date32[day]"),
        rig.types.timestamp_in_file,
    ]


def test_g5_values(rig: Rig) -> None:
    (row,) = rig.table(_one_row(rig)).to_pylist()
    *values, at = row.values()
    assert [*values, at.replace(tzinfo=None)] == [
        *(True, Decimal("12.50"), Decimal(12), 0.1, "text", date(2026, 1, 31)),
        datetime(2026, 1, 31, 6),
    ]


def test_g5_integers_beyond_64_bits_are_refused_or_kept_as_the_author_chooses(rig: Rig) -> None:
    if not rig.has_wide_integers:
        pytest.skip("it has no integers beyond 64 bits")
    sql = f"select * from ({rig.series(10_000)}) r union all select 9223372036854775808"
    text = f"select cast(n as {rig.types.integer}) as n from ({sql}) as s order by 1"
    with pytest.raises(TypeMappingError) as raised:
        rig.table(text)
    said = str(raised.value).lower()
    assert "column 'n' has 9223372036854775808 in row 10,001, beyond int64" in said
    assert "'integers: decimal' in the header" in said
    with rig.session() as session:
        found = read(session, text, TypeChoices(integers="decimal"))
    assert found.schema.types == [pa.decimal128(38, 0)]
    assert found.column(0)[10_000].as_py() == Decimal(2**63)
    with rig.session() as session:
        for declared in (pa.decimal128(38, 0), pa.int64()):
            name = session.describe(Query(text)).names[0]
            kind = session.describe(Query(text, declared={name: declared})).types[0]
            assert kind == declared


@pytest.mark.parametrize("day", ["12022-01-01", "0000-01-01"])
def test_g5_a_year_that_python_lacks_is_kept_or_refused(rig: Rig, day: str) -> None:
    sql = f"select cast('{day}' as date) as d, 1 as n"
    if day in rig.refused_dates:
        refusal = rf"column 'd'|out of range|{day}"
        with pytest.raises((TypeMappingError, WarehouseError), match=refusal):
            rig.table(sql)
    else:
        assert display(rig.table(sql).column(0)) == [f"+{day}"]


def test_describe_gives_the_schema_and_runs_nothing(rig: Rig) -> None:
    """The slow query would never end."""
    with rig.session() as session:
        assert (
            session.describe(rig.query(_one_row(rig)))
            == session.execute(rig.query(_one_row(rig))).schema
        )
    with rig.session() as session:
        assert [name.lower() for name in session.describe(rig.query(rig.slow)).names] == ["n"]
    assert rig.running() == 0


def test_describe_binds_values_too(rig: Rig) -> None:
    with rig.session() as session:
        query = rig.query("select id from shop.orders where id > :least", least=7)
        assert len(session.describe(query)) == 1


def test_every_row_arrives_once_and_in_order(rig: Rig) -> None:
    found = rig.table(rig.series(100_003) + " order by n").column(0)
    assert found.cast(pa.int64()).to_pylist() == list(range(1, 100_004))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (7, "7"),
        (-(2**62), str(-(2**62))),
        ("x' or 1=1 --", "x' or 1=1 --"),
        ("", ""),
        (Decimal("1.25"), "1.25"),
        (date(9999, 12, 31), "9999-12-31"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), "9999-12-31 23:59:59.999999"),
        (datetime(1, 1, 1, 0, 0, 0, 1), "0001-01-01 00:00:00.000001"),
        (None, None),
    ],
    ids=str,
)
def test_values_are_bound_never_spliced(rig: Rig, value: Any, shown: str | None) -> None:
    shown_value = f"cast(:v as {rig.types.text})"
    found = rig.table(f"select {shown_value} as v, count(*) as n from shop.orders", v=value)
    assert [column.to_pylist()[0] for column in found.columns] == [shown, 1]


def test_parameters_that_differ_in_case_only_are_two(rig: Rig) -> None:
    found = rig.table("select :a as x, :A as y, :a as z", a="one", A="two").to_pylist()
    assert [list(row.values()) for row in found] == [["one", "two", "one"]]


def test_a_parameter_directly_behind_a_word_is_sent_as_one(rig: Rig) -> None:
    text = "select id from shop.orders where id between:low and:high limit:n"
    assert rig.table(text, low=1, high=1, n=5).num_rows == 1


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_g5_windows_of_partitions_meet_their_rows(rig: Rig, zone: str) -> None:
    """A day from midnight to midnight, of UTC or of another time zone, in each kind of column."""
    start, end = (datetime(2026, 1, n, tzinfo=ZoneInfo(zone)) for n in (2, 3))
    day = Partition("2026-01-02", start, end)
    midnight = "00:00" if zone == "UTC" else "05:00"
    first, last = f"2026-01-02 {midnight}:00", f"2026-01-03 {midnight}:00"
    of = rig.types
    kinds = [("", of.timestamp), *([("+00:00", of.timestamptz)] if of.timestamptz else [])]
    columns = [
        tuple(f"cast('{at}{suffix}' as {kind})" for at in (first, last)) for suffix, kind in kinds
    ]
    if zone == "UTC":
        columns.append(tuple(f"cast('{day}' as {of.date})" for day in ("2026-01-02", "2026-01-03")))
    for inside, outside in columns:
        found = rig.table(
            f"select count(*) as n from (select {inside} as m union all select {outside}) as r "
            f"where m >= :s and m < :e",
            s=day.values["partition_start"],
            e=day.values["partition_end"],
        )
        assert int(found.column(0).to_pylist()[0]) == 1, inside


@pytest.mark.parametrize(
    ("kind", "lower", "bound"),
    [
        ("timestamp", "2026-01-01 06:00:00.000001", datetime(2026, 1, 1, 6, 0, 0, 2)),
        ("timestamp", "2026-01-01 06:00:00", datetime(1, 1, 1)),
        ("timestamptz", "2026-01-01 06:00:00+01", datetime(2026, 1, 1, 5, 0, 1, tzinfo=UTC)),
        ("date", "2026-01-01", date(2026, 1, 2)),
        ("bigint", "9007199254740992", 9007199254740993),
        ("digits", "99999999999999999999999999999999999998", Decimal("9" * 38)),
    ],
)
def test_a_watermark_is_null_at_first_and_then_a_bound(
    rig: Rig, kind: str, lower: str, bound: Value
) -> None:
    """Of a row below it and one that it equals."""
    kind = getattr(rig.types, kind, kind)
    if kind is None:
        pytest.skip("this warehouse has no expression of the type")
    upper = f"'{bound.isoformat(' ')}'" if isinstance(bound, datetime) else f"'{bound}'"
    for text in (
        ":mark is null or c >= :mark",
        f"cast(:mark as {kind}) is null or c >= cast(:mark as {kind})",
    ):
        query = (
            f"select count(*) as n from (select cast('{lower}' as {kind}) as c "
            f"union all select cast({upper} as {kind})) as r where {text}"
        )
        found = [int(rig.table(query, mark=each).column(0)[0].as_py()) for each in (None, bound)]
        assert found == [2, 2 if bound == datetime(1, 1, 1) else 1]


def test_an_error_points_at_the_line_of_the_file(rig: Rig) -> None:
    with rig.session() as session, pytest.raises(WarehouseError) as raised:
        list(
            session.execute(Query("\n/*---\n---*/\nselect 1,\n  nope\nfrom shop.orders")).batches()
        )
    assert (raised.value.line, raised.value.column) == (5, 3)
    assert "nope" in str(raised.value).lower()
    assert not raised.value.transient


@pytest.mark.parametrize(
    "sql",
    [
        "select :x as a, :longer_than_its_value as b, nope from shop.orders",
        "select :at as a, :x as b,\n  :at as c, :at as d, nope from shop.orders",
        "select nope, :x as a from shop.orders",
        "select 1 as a from shop.orders where :x = 1 and\n\n:x = 2 and nope = :at -- the end",
        "select 'Größe' as a, :x as b, nope from shop.orders",
    ],
)
def test_an_error_behind_a_value_points_at_its_column(rig: Rig, sql: str) -> None:
    """What is sent for a `:name` is longer or shorter than it is in the file."""
    values = {"x": 1, "longer_than_its_value": 2, "at": datetime(2026, 1, 1, 6)}
    used = {name: value for name, value in values.items() if f":{name}" in sql}
    query = rig.query(sql, **used)
    before = query.text[: query.text.index("nope")]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    for ask in ("execute", "describe"):
        with rig.session() as session, pytest.raises(WarehouseError) as raised:
            getattr(session, ask)(query)
        assert (raised.value.line, raised.value.column) == place, ask


def test_a_table_that_is_not_there_is_named_and_not_tried_again(rig: Rig) -> None:
    with (
        rig.session() as session,
        pytest.raises(WarehouseError, match=r"(?i)no_such_table") as raised,
    ):
        session.execute(Query("select * from no_such_table"))
    assert not raised.value.transient


def test_a_query_and_its_error_lead_to_their_page(rig: Rig) -> None:
    with rig.session() as session:
        result = session.execute(rig.query("select id from shop.orders"))
        with pytest.raises(WarehouseError) as raised:
            session.execute(Query(rig.fails))
    if rig.has_pages:
        for found in (result, raised.value):
            assert found.query_id
            assert found.query_url
            assert found.query_id in found.query_url
        assert result.query_id != raised.value.query_id


def test_a_warehouse_that_cannot_be_reached_says_where(rig: Rig) -> None:
    with (
        pytest.raises(WarehouseError) as raised,
        rig.unreachable.connect(LABEL, timedelta(minutes=1)) as session,
    ):
        session.execute(Query("select 1"))
    assert rig.unreachable_name in str(raised.value)


def test_g8_cancel_ends_the_query_in_the_warehouse(rig: Rig) -> None:
    failures: list[WarehouseError] = []

    def run() -> None:
        try:
            list(session.execute(rig.query(rig.slow)).batches())
        except WarehouseError as error:
            failures.append(error)

    with rig.session() as session:
        thread = threading.Thread(target=run)
        thread.start()
        if not rig.runs_here:
            await_value("the query to run", lambda: rig.running() == 1)

        def ended() -> bool:
            session.cancel()
            return not thread.is_alive()

        await_value("the end of the query", ended)
        thread.join()
    await_value("the warehouse to be idle", lambda: rig.running() == 0)
    (failure,) = failures
    assert not failure.transient


def test_g8_a_query_that_starts_just_after_the_cancel_is_ended_too(rig: Rig) -> None:
    """A signal in that moment used to leave the run waiting for its whole query."""
    entered, cancelled, past_it = threading.Event(), threading.Event(), threading.Event()

    def produce() -> Iterator[pa.RecordBatch]:
        entered.set()
        cancelled.wait()
        yield from session.execute(rig.query(rig.slow)).batches()

    def cancel() -> None:
        session.cancel()
        cancelled.set()

    def leave() -> None:
        with prefetch(produce(), 1, cancel):
            entered.wait()
        past_it.set()

    with rig.session() as session:
        threading.Thread(target=leave, daemon=True).start()
        try:
            await_value("the end of the query", past_it.is_set)
        finally:
            session.cancel()
    await_value("the warehouse to be idle", lambda: rig.running() == 0)


def test_cancelling_when_nothing_runs_is_harmless(rig: Rig) -> None:
    with rig.session() as session:
        list(session.execute(rig.query("select id from shop.orders")).batches())
        session.cancel()


def test_leaving_a_result_early_is_harmless(rig: Rig) -> None:
    with rig.session() as session:
        batches = session.execute(rig.query(rig.series(1_000_000))).batches()
        next(batches)
        session.cancel()
    await_value("the warehouse to be idle", lambda: rig.running() == 0)


def test_last_changes_tell_whether_a_table_has_changed(rig: Rig) -> None:
    tables = ["shop.orders", "shop.no_such_table"]

    def token() -> str:
        with rig.session() as session:
            changes = session.last_changes(tables)
        if not rig.knows_no_tables:
            assert "shop.no_such_table" not in changes
        return changes["shop.orders"].token

    # A change that is just over may be told apart from one at the same time by another token.
    before = await_value("a token that stays", lambda: (found := token()) == token() and found)
    rig.insert()
    await_value("another token", lambda: token() != before)

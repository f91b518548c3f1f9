"""A chunk has the columns that its result was described with, or nothing is published (G5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import Cause, TypeMappingError, WarehouseError
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.snowflake import SnowflakeSession
from extract_project_tests.support.rigs import read
from extract_project_tests.support.snowflake_server import Answer, SnowflakeServer, table
from extract_project_tests.support.snowflake_server.wire import Chunk, Column

SQL = "select id, price, at, note from sold"
COLUMNS = [
    Column("ID", "FIXED", 10, 0),
    Column("PRICE", "FIXED", 10, 2),
    Column("COST", "FIXED", 10, 2),
    Column("AT", "TIMESTAMP_NTZ", scale=6),
    Column("NOTE", "TEXT", length=100),
]
ROWS = [[n, n, 2 * n, n * 10**9, str(n)] for n in range(1, 5)]


def whole() -> Answer:
    return table(COLUMNS, ROWS, chunk_rows=1)


def sends(server: SnowflakeServer, *last: Chunk) -> None:
    """What comes instead of the fourth chunk; the description stays."""
    answer = whole()
    chunks = [*answer.chunks[:3], *last]
    server.service.engine.script(SQL, replace(answer, chunks=chunks))


def chunk_of(columns: list[Column], row: list[Any]) -> Chunk:
    return table(columns, [row]).chunks[0]


def altered(position: int, **changes: Any) -> Chunk:
    columns = list(COLUMNS)
    columns[position] = replace(columns[position], **changes)
    return chunk_of(columns, ROWS[3])


def reordered(*order: int) -> Chunk:
    return chunk_of([COLUMNS[n] for n in order], [ROWS[3][n] for n in order])


def plain(**columns: pa.Array) -> Chunk:
    """Without any metadata."""
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return Chunk(1, bytes(sink.getvalue()))


@pytest.mark.parametrize(
    ("chunk", "difference"),
    [
        (reordered(0, 2, 1, 3, 4), "column 2 is 'PRICE', but was sent as 'COST'"),
        (reordered(0, 1, 1, 3, 4), "column 3 is 'COST', but was sent as 'PRICE'"),
        (reordered(0, 1, 2, 3), "5 columns were described, 4 sent: ID, PRICE, COST, AT"),
        (reordered(0, 1, 2, 3, 4, 4), "5 columns were described, 6 sent"),
        (altered(1, scale=3), "'PRICE': described with scale 2, sent with 3"),
        (altered(1, precision=12), "'PRICE': described with 10 digits, sent with 12"),
        (altered(3, scale=3), "'AT': described with scale 6, sent with 3"),
        (altered(3, scale=9), "'AT': described with scale 6, sent with 9"),
        (
            altered(3, type="TIMESTAMP_LTZ"),
            "'AT': described as TIMESTAMP_NTZ, sent as TIMESTAMP_LTZ",
        ),
        (altered(3, type="TIMESTAMP_TZ"), "described as TIMESTAMP_NTZ, sent as TIMESTAMP_TZ"),
        (altered(3, type="TIME"), "described as TIMESTAMP_NTZ, sent as TIME"),
        (altered(4, type="VARIANT"), "'NOTE': described as .*TEXT.*, sent as VARIANT"),
        (altered(4, name="note"), "column 5 is 'NOTE', but was sent as 'note'"),
        (
            plain(
                ID=pa.array([1]),
                PRICE=pa.array([1.5]),
                COST=pa.array([1]),
                AT=pa.array([1]),
                NOTE=pa.array(["n"]),
            ),
            "'PRICE': sent as double",
        ),
        (
            plain(
                ID=pa.array([1]),
                PRICE=pa.array([1], pa.decimal128(38, 0)),
                COST=pa.array([1]),
                AT=pa.array([1]),
                NOTE=pa.array(["n"]),
            ),
            r"'PRICE': sent as decimal128\(38, 0\)",
        ),
    ],
)
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "behind an address"])
def test_g5_a_chunk_with_other_columns_is_refused_and_passes_by_itself(
    server: SnowflakeServer, session: SnowflakeSession, chunk: Chunk, difference: str, inline: bool
) -> None:
    server.service.inline_rows = inline
    sends(server, chunk)
    with pytest.raises(
        WarehouseError, match=f"chunk 4 of 4 .*{difference}.*run it again"
    ) as raised:
        read(session, SQL)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_g5_the_first_chunk_is_held_against_the_description_too(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    answer = whole()
    swapped = replace(answer, chunks=[reordered(0, 2, 1, 3, 4), *answer.chunks[1:]])
    server.service.engine.script(SQL, swapped)
    batches = session.execute(Query(SQL)).batches()
    with pytest.raises(WarehouseError, match=r"chunk 1 of 4 .*column 2 is 'PRICE'"):
        next(batches)


def test_g5_a_chunk_without_metadata_is_read_by_the_description(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    bare = plain(
        ID=pa.array([4], pa.int8()),
        PRICE=pa.array([400]),
        COST=pa.array([800]),
        AT=pa.array([4_000_000]),
        NOTE=pa.array(["4"]),
    )
    sends(server, bare)
    expected = server.service.engine
    found = read(session, SQL)
    expected.script(SQL, whole())
    assert found == read(session, SQL)


STRUCTURED = (Column("", "FIXED", 38, 0),)
UNKEPT = [
    (Column("A", "DECFLOAT"), "DECFLOAT .*A::number"),
    (Column("A", "DECFLOAT", precision=38), "DECFLOAT .*A::number"),
    (Column("A", "VECTOR", dimension=3, fields=STRUCTURED), "VECTOR .*A::array"),
    (Column("A", "MAP", fields=STRUCTURED * 2), "MAP .*A::variant"),
    (Column("A", "FILE"), r"FILE .*fl_get_relative_path\(A\)"),
    (Column("A", "INTERVAL_YEAR_MONTH", 9, 0), "INTERVAL .*A::varchar"),
    (Column("A", "INTERVAL_DAY_TIME", 9, 9), "INTERVAL .*A::varchar"),
    (Column("A", "ARRAY", fields=STRUCTURED), "structured ARRAY .*A::array"),
    (Column("A", "OBJECT", fields=STRUCTURED), "structured OBJECT .*A::object"),
]
UNKEPT_IDS = [f"{c.type} {bool(c.fields)} {c.precision}" for c, _ in UNKEPT]


@pytest.mark.parametrize("rowset", [None, []], ids=["arrow", "text"])
@pytest.mark.parametrize(("column", "message"), UNKEPT, ids=UNKEPT_IDS)
def test_g5_a_type_that_no_file_keeps_is_refused_by_name_without_a_row(
    server: SnowflakeServer,
    session: SnowflakeSession,
    column: Column,
    message: str,
    rowset: list[Any] | None,
) -> None:
    server.service.engine.script("select a", Answer([column], [], rowset=rowset))
    for ask in (session.execute, session.describe):
        with pytest.raises(TypeMappingError, match=f"column 'A': (a )?{message}"):
            ask(Query("select a"))


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (pa.array([[1]]), "structured type .*A::variant"),
        (pa.array([{"x": 1}]), "structured type .*A::variant"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "structured type .*A::variant"),
    ],
    ids=["list", "struct", "map"],
)
def test_g5_a_structured_value_in_a_plain_column_is_refused_by_name(
    server: SnowflakeServer, session: SnowflakeSession, sent: pa.Array, message: str
) -> None:
    answer = Answer([Column("A", "ARRAY")], [plain(A=sent)])
    server.service.engine.script("select a", answer)
    with pytest.raises(TypeMappingError, match=f"column 'A': a {message}"):
        list(session.execute(Query("select a")).batches())


KEPT = [
    (Column("A", "UUID"), "2f9bcf4c-6d5e-4c1f-9d4f-0a4b1c2d3e4f"),
    (Column("A", "OBJECT", extended="GEOMETRY"), "SRID=4326;POINT(1 2)"),
]


@pytest.mark.parametrize(("column", "value"), KEPT, ids=["UUID", "GEOMETRY"])
def test_g5_what_is_text_in_files(
    server: SnowflakeServer, session: SnowflakeSession, column: Column, value: str
) -> None:
    shown = '{"type":"Point","coordinates":[1,2]}' if column.extended else value
    server.service.engine.script("select a", table([column], [[shown], [None]]))
    server.service.engine.script("select none", table([column], []))
    found = read(session, "select a")
    assert found.to_pylist() == [{"A": value}, {"A": None}]
    assert read(session, "select none").schema == found.schema


# A result that does not add up.


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "behind an address"])
@pytest.mark.parametrize(("said", "shown"), [(3, "3 rows"), (5, "5 rows"), (0, "0 rows")])
def test_a_count_that_is_not_that_of_the_rows(
    server: SnowflakeServer, session: SnowflakeSession, said: int, shown: str, inline: bool
) -> None:
    """The rows of the first chunk are not counted by themselves: Snowflake announces the sum."""
    server.service.inline_rows = inline
    server.service.engine.script(SQL, replace(whole(), total=said))
    with pytest.raises(
        WarehouseError, match=f"announced {shown} and sent 4: run it again"
    ) as raised:
        read(session, SQL)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


@pytest.mark.parametrize("gone", [("total",), ("total", "returned")])
def test_a_result_without_a_count(
    server: SnowflakeServer, session: SnowflakeSession, gone: tuple[str, ...]
) -> None:
    server.service.engine.script(SQL, replace(whole(), without=gone))
    with pytest.raises(
        WarehouseError, match=r"(announced 0 rows|did not say how many rows there are,) and sent 4"
    ) as raised:
        read(session, SQL)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


@pytest.mark.parametrize(
    "gone",
    [("rowtype",), ("rowtype", "rowsetBase64", "total", "returned"), ("queryResultFormat",)],
    ids=" ".join,
)
def test_success_without_a_result(
    server: SnowflakeServer, session: SnowflakeSession, gone: tuple[str, ...]
) -> None:
    server.service.engine.script(SQL, replace(whole(), without=gone))
    with pytest.raises(WarehouseError, match="run it again") as raised:
        read(session, SQL)
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


# Answers that come as text.

TWO = [Column("A", "FIXED", 10, 2), Column("B", "TEXT", length=9)]


@pytest.mark.parametrize(
    "rows",
    [[["1"]], [["1", "b"], ["2"]], [["1", "b", "c"]], [["1", "b"], None], [[]]],
    ids=["too short", "the second too short", "too long", "no row", "empty row"],
)
def test_g5_text_rows_of_another_width_are_a_transient_error(
    server: SnowflakeServer, session: SnowflakeSession, rows: list[list[str]]
) -> None:
    server.service.engine.script("show x", Answer(TWO, [], rowset=rows))
    with pytest.raises(WarehouseError) as raised:
        read(session, "show x")
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


def test_g5_a_number_beyond_its_precision_is_refused(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    answer = Answer(TWO, [], rowset=[["123456789012.34", "b"]])
    server.service.engine.script("show x", answer)
    with pytest.raises(TypeMappingError, match="column 'A'"):
        read(session, "show x")

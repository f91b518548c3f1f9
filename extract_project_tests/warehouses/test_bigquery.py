"""BigQuery: signing in, types, errors, and what is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from extract_project.errors import Cause, QueryCancelled, QueryTimeout, TypeMappingError
from extract_project.errors import WarehouseError as Failed
from extract_project.schema.choices import TypeChoices
from extract_project.warehouses.bigquery import BigQuerySession, BigQueryWarehouse
from extract_project.warehouses.facts import ColumnFacts
from extract_project.warehouses.protocol import Label, Query
from extract_project_tests.support.bigquery_server import (
    BigQueryServer,
    QueryError,
    bigquery_server,
    table,
)
from extract_project_tests.support.bigquery_server.sign_in import federation, service_account
from extract_project_tests.support.rigs import LABEL, bigquery_service, bigquery_warehouse, read

HOUR = timedelta(hours=1)
SLOW = "select count(*) as n from unnest(generate_array(1, 100000000000)) as i where mod(i, 7) = 3"


@pytest.fixture
def server() -> Iterator[BigQueryServer]:
    with bigquery_server(bigquery_service(chunk_rows=1000)) as server:
        yield server


@pytest.fixture
def session(server: BigQueryServer) -> Iterator[BigQuerySession]:
    with bigquery_warehouse(server).connect(LABEL, HOUR) as session:
        yield session


def scripted(
    server: BigQueryServer,
    session: BigQuerySession,
    kind: dict[str, Any] | str,
    sent: pa.Array,
    types: TypeChoices | None = None,
) -> pa.Table:
    """One column, `c`, of this type or field of the API."""
    server.service.engine.script("select c", table({"c": (kind, sent)}))
    return read(session, "select c", types or TypeChoices())


def big(text: str) -> Decimal:
    return Decimal(text)


# Types.


@pytest.mark.parametrize(
    "case",
    [
        ("BOOLEAN", pa.array([True]), pa.bool_(), True),
        ("INTEGER", pa.array([-(2**63)]), pa.int64(), -(2**63)),
        ("INT64", pa.array([2**63 - 1]), pa.int64(), 2**63 - 1),
        ("FLOAT", pa.array([0.1]), pa.float64(), 0.1),
        (
            "NUMERIC",
            pa.array([Decimal("99999999999999999999999999999.999999999")], pa.decimal128(38, 9)),
            pa.decimal128(38, 9),
            Decimal("99999999999999999999999999999.999999999"),
        ),
        (
            {"type": "NUMERIC", "precision": "10", "scale": "2"},
            pa.array([Decimal("1.5")], pa.decimal128(38, 9)),
            pa.decimal128(10, 2),
            Decimal("1.50"),
        ),
        (
            {"type": "NUMERIC", "precision": "20"},
            pa.array([7], pa.decimal128(20, 0)),
            pa.int64(),
            7,
        ),
        (
            "BIGNUMERIC",
            pa.array([Decimal("-1.000000001")], pa.decimal256(76, 38)),
            pa.decimal128(38, 9),
            Decimal("-1.000000001"),
        ),
        ("DATE", pa.array([date(1, 1, 1)]), pa.date32(), date(1, 1, 1)),
        ("TIME", pa.array([time(23, 59, 59, 999999)]), pa.time64("us"), time(23, 59, 59, 999999)),
        (
            "DATETIME",
            pa.array([datetime(9999, 12, 31, 23, 59, 59, 999999)]),
            pa.timestamp("us"),
            datetime(9999, 12, 31, 23, 59, 59, 999999),
        ),
        (
            "TIMESTAMP",
            pa.array([datetime(1, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            pa.timestamp("us", "UTC"),
            datetime(1, 1, 1, tzinfo=UTC),
        ),
        ("STRING", pa.array(["Größe\n"]), pa.string(), "Größe\n"),
        ("BYTES", pa.array([b"\x00\xff"]), pa.binary(), b"\x00\xff"),
        ("JSON", pa.array(['{"a":1.10}']), pa.string(), '{"a":1.10}'),
        ("GEOGRAPHY", pa.array(["POINT(1 2)"]), pa.string(), "POINT(1 2)"),
    ],
)
def test_g5_types_and_limits(
    server: BigQueryServer,
    session: BigQuerySession,
    case: tuple[dict[str, Any] | str, pa.Array, pa.DataType, Any],
) -> None:
    kind, sent, expected, value = case
    found = scripted(server, session, kind, pa.concat_arrays([sent, pa.nulls(1, sent.type)]))
    assert found.schema.types == [expected]
    assert found.column(0).to_pylist() == [value, None]
    assert session.describe(Query("select c")) == found.schema


def test_g5_nested_values_are_nested_in_the_file(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    fields = [
        {"name": "id", "type": "INTEGER"},
        {"name": "sizes", "type": "BIGNUMERIC", "mode": "REPEATED"},
        {"name": "valid", "type": "RANGE", "rangeElementType": {"type": "DATE"}},
    ]
    inside = pa.struct(
        {
            "id": pa.int64(),
            "sizes": pa.list_(pa.decimal256(76, 38)),
            "valid": pa.struct({"start": pa.date32(), "end": pa.date32()}),
        }
    )
    rows = [
        [{"id": 2**63 - 1, "sizes": [big("0.5"), big("7")], "valid": {"start": date(2026, 1, 1)}}],
        [],
        [{"id": None, "sizes": [], "valid": None}],
    ]
    kind = {"type": "RECORD", "mode": "REPEATED", "fields": fields}
    sent = pa.array(rows, pa.list_(inside))
    found = scripted(server, session, kind, sent)
    valid = pa.struct({"start": pa.date32(), "end": pa.date32()})
    element = pa.struct(
        {
            "id": pa.int64(),
            "sizes": pa.list_(pa.field("element", pa.decimal128(38, 9))),
            "valid": valid,
        }
    )
    assert found.schema.types == [pa.list_(pa.field("element", element))]
    first, empty, nothing = found.column(0).to_pylist()
    assert first == [
        {
            "id": 2**63 - 1,
            "sizes": [Decimal("0.5"), Decimal(7)],
            "valid": {"start": date(2026, 1, 1), "end": None},
        }
    ]
    assert (empty, nothing) == ([], [{"id": None, "sizes": [], "valid": None}])
    text = scripted(server, session, kind, sent, TypeChoices(numeric="text")).column(0)
    assert text.to_pylist()[0][0]["sizes"] == ["0.5", "7"]


@pytest.mark.parametrize(
    "value",
    ["0.00000000000000000000000000000000000001", "-1.5", "0", str(10**38), f"{5 * 10**38}.5"],
)
def test_g5_every_digit_of_a_bignumeric_is_refused_or_kept_as_the_author_chooses(
    server: BigQueryServer, session: BigQuerySession, value: str
) -> None:
    """The largest have 77 digits: more than any decimal, and less than 256 bits."""
    whole, _, fraction = value.partition(".")
    number = int(whole + fraction.ljust(38, "0"))
    raw = pa.py_buffer(number.to_bytes(32, "little", signed=True))
    sent = pa.Array.from_buffers(pa.decimal256(76, 38), 1, [None, raw])
    tiny = pa.array([Decimal("1e-38")], sent.type)
    both = pa.concat_arrays([sent, tiny, pa.nulls(1, sent.type)])
    kept = scripted(server, session, "BIGNUMERIC", both, TypeChoices(numeric="text"))
    assert kept.column(0).to_pylist() == [value, f"0.{1:038d}", None]
    if value in ("-1.5", "0"):
        assert scripted(server, session, "BIGNUMERIC", sent).column(0).to_pylist() == [big(value)]
    else:
        with pytest.raises(TypeMappingError, match="numeric: text"):
            scripted(server, session, "BIGNUMERIC", sent)
    if Decimal(value) > 1:
        for declared in (pa.decimal256(76, 38), pa.decimal128(38, 0), pa.int64()):
            with pytest.raises(TypeMappingError, match="column 'c' has "):
                list(session.execute(Query("select c", declared={"c": declared})).batches())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("INTERVAL", r"INTERVAL has no exact type in files: cast it, cast\(c as string\)"),
        (
            {"type": "INTERVAL", "mode": "REPEATED"},
            r"array\(select cast\(e as string\) from unnest\(c\) as e\)",
        ),
        (
            {"type": "RECORD", "fields": [{"name": "i", "type": "INTERVAL"}]},
            r"column 'c': INTERVAL has no exact type in files: cast it, cast\(i as string\)",
        ),
        (
            {"type": "TIMESTAMP", "timestampPrecision": "12"},
            r"TIMESTAMP\(12\) has no exact type",
        ),
        ("HYPERCUBE", r"the type HYPERCUBE is unknown here"),
    ],
)
def test_g5_what_no_file_keeps_is_refused_before_it_runs(
    server: BigQueryServer, session: BigQuerySession, kind: dict[str, Any] | str, said: str
) -> None:
    server.service.engine.script("select c", table({"c": (kind, pa.array(["x"]))}))
    for ask in (session.describe, session.execute):
        with pytest.raises(TypeMappingError, match=said):
            ask(Query("select c"))
    assert server.service.jobs == []


# What is sent.


def test_a_run_says_who_asks_and_what_decides_its_values(server: BigQueryServer) -> None:
    label = Label("umsätze/Orders", "v1.2", "run-1", "2026-01-31")
    fields = {"dataset": "shop"}
    with bigquery_warehouse(server, **fields).connect(label, HOUR) as session:
        zone = read(session, "select cast(timestamp '2026-01-31 06:00:00+00' as string) as c")
        found = session.execute(Query("select 1 as a"))
    assert zone.column(0).to_pylist() == ["2026-01-31 06:00:00+00"]
    job = server.service.jobs[-1]
    assert job.configuration["labels"] == {
        "extract": "umsätze_orders",
        "sql_version": "v1_2",
        "run_id": "run-1",
        "partition": "2026-01-31",
    }
    assert job.configuration["jobTimeoutMs"] == "3660000"
    query = job.configuration["query"]
    assert query["defaultDataset"] == {"projectId": "acme", "datasetId": "shop"}
    assert query["connectionProperties"] == [{"key": "time_zone", "value": "UTC"}]
    assert found.query_id == job.id
    assert re.fullmatch(r"extract_ums_tze_orders_[0-9a-f]{32}", job.id)
    assert found.query_url == (
        f"https://console.cloud.google.com/bigquery?project=acme&j=bq:EU:{job.id}&page=queryresults"
    )
    assert job.location == "EU", "where the tables are, as the dry run says"
    list(found.batches())
    assert found.usage is not None
    assert found.usage.bytes_billed == 10 << 20


def test_the_text_is_sent_as_it_stands_and_values_beside_it(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    from extract_project.sql.bigquery import BigQuery
    from extract_project.sql.guard import read_statement

    text = "/*---\n---*/\nselect :a as a, :A as b, :t as t, :d as d -- end\n;"
    found = read_statement(text, BigQuery(), ["a", "A", "t", "d"])
    at = datetime(2026, 1, 31, 6, tzinfo=UTC)
    values: dict[str, Any] = {
        "a": Decimal("-0.50"),
        "A": 10**30,
        "t": at,
        "d": date(2026, 1, 31),
    }
    session.execute(Query(text, found.placeholders, found.end, values))
    query = server.service.jobs[-1].configuration["query"]
    sent = text.replace(":A", "@A_2")
    assert query["query"] == sent.replace(":a", "@a").replace(":t", "@t").replace(":d", "@d")
    assert [
        (each["name"], each["parameterType"]["type"], each["parameterValue"]["value"])
        for each in query["queryParameters"]
    ] == [
        ("a", "NUMERIC", "-0.50"),
        ("A_2", "BIGNUMERIC", str(10**30)),
        ("t", "TIMESTAMP", "2026-01-31 06:00:00+00:00"),
        ("d", "DATE", "2026-01-31"),
    ]
    assert server.service.dry_runs == 1


MIDNIGHT = "2026-01-31 00:00:00"
MORNING = datetime(2026, 1, 31, 6)


@pytest.mark.parametrize(
    ("column", "value", "sent"),
    [
        (f"datetime '{MIDNIGHT}'", datetime(2026, 1, 31), ("DATETIME", MIDNIGHT)),
        (f"timestamp '{MIDNIGHT}+00'", MORNING, ("TIMESTAMP", "2026-01-31 06:00:00+00:00")),
        ("date '2026-01-31'", MORNING, ("DATETIME", "2026-01-31 06:00:00")),
        (f"datetime '{MIDNIGHT}'", MORNING.replace(tzinfo=UTC), ("DATETIME", str(MORNING))),
        ("date '2026-01-31'", datetime(2026, 1, 31, tzinfo=UTC), ("DATETIME", MIDNIGHT)),
        (f"timestamp '{MIDNIGHT}+00'", date(2026, 1, 31), ("TIMESTAMP", f"{MIDNIGHT}+00:00")),
        ("1.5", None, ("INT64", None)),
        ("b'x'", None, ("BYTES", None)),
        ("'x'", None, ("STRING", None)),
    ],
)
def test_a_value_has_the_type_that_the_statement_compares_it_with(
    server: BigQueryServer,
    session: BigQuerySession,
    column: str,
    value: Any,
    sent: tuple[str, str | None],
) -> None:
    from extract_project.sql.bigquery import BigQuery
    from extract_project.sql.guard import read_statement

    text = f"select count(*) as n from (select {column} as c) as r where c >= :v"
    found = read_statement(text, BigQuery(), ["v"])
    session.execute(Query(text, found.placeholders, found.end, {"v": value}))
    (each,) = server.service.jobs[-1].configuration["query"]["queryParameters"]
    assert (each["parameterType"]["type"], each["parameterValue"]["value"]) == sent


@pytest.mark.parametrize(("value", "types"), [(datetime(2026, 1, 31), 3), (MORNING, 2)])
def test_a_value_that_fits_nothing_is_told_by_its_own_type(
    server: BigQueryServer, session: BigQuerySession, value: datetime, types: int
) -> None:
    """A time of day is never cut off to make a DATE."""
    from extract_project.sql.bigquery import BigQuery
    from extract_project.sql.guard import read_statement

    text = "select 1 as n from (select true as c) as r where c = :v"
    found = read_statement(text, BigQuery(), ["v"])
    query = Query(text, found.placeholders, found.end, {"v": value})
    with pytest.raises(Failed, match="argument types: BOOL, DATETIME"):
        session.execute(query)
    assert (server.service.dry_runs, server.service.jobs) == (types, [])


@pytest.mark.parametrize(
    ("sql", "streams"),
    [
        ("select i from unnest(generate_array(1, 8000)) as i", 4),
        ("select i from unnest(generate_array(1, 8000)) as i order by i", 1),
        ("(select i from unnest(generate_array(1, 8000)) as i order by i)", 1),
        ("select i, row_number() over (order by i) as n from unnest(generate_array(1, 9)) as i", 4),
    ],
)
def test_an_order_is_kept_by_reading_one_stream(
    server: BigQueryServer, session: BigQuerySession, sql: str, streams: int
) -> None:
    rows = read(session, sql).column(0).to_pylist()
    assert sorted(rows) == list(range(1, len(rows) + 1))
    assert server.service.sessions == [streams]
    assert streams > 1 or rows == sorted(rows)


def test_g7_what_bigquery_does_not_take_for_a_query_does_not_run(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    server.service.statement_type = "SCRIPT"
    for ask in (session.describe, session.execute):
        with pytest.raises(Failed, match="takes the statement for SCRIPT: expected SELECT"):
            ask(Query("select 1 as a"))
    assert server.service.jobs == []


# Signing in.


def test_a_token_that_has_expired_is_replaced_while_rows_are_read(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    result = session.execute(Query("select i from unnest(generate_array(1, 8000)) as i"))
    assert server.service.sign_in.issued == 1
    server.service.sign_in.expire()
    assert sum(each.num_rows for each in result.batches()) == 8000
    assert server.service.sign_in.issued > 1
    server.service.sign_in.expire()
    assert read(session, "select 1 as a").num_rows == 1


def test_a_service_account_signs_in_with_its_key(server: BigQueryServer) -> None:
    warehouse = bigquery_warehouse(server, credentials=service_account(server.address))
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select 1 as a").num_rows == 1


def test_a_task_signs_in_with_its_role_on_aws(
    server: BigQueryServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATASK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    file = tmp_path / "federation.json"
    file.write_text(federation(server.address))
    warehouse = bigquery_warehouse(server, credentials=None, credentials_path=str(file))
    with pytest.raises(Failed, match="invalid_grant") as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.SIGN_IN, False)
    server.service.sign_in.aws_keys.add("AKIATASK")
    inline = bigquery_warehouse(server, credentials=json.loads(federation(server.address)))
    for each in (warehouse, inline):
        with each.connect(LABEL, HOUR) as session:
            assert read(session, "select 1 as a").num_rows == 1


def test_g11_a_refused_sign_in_names_the_setting_and_no_secret(server: BigQueryServer) -> None:
    given = json.loads(service_account(server.address))
    warehouse = bigquery_warehouse(
        server, credentials=json.dumps({**given, "client_email": "other@acme"})
    )
    with pytest.raises(Failed, match="check CREDENTIALS") as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.SIGN_IN, False)
    assert given["private_key"][40:80] not in str(raised.value)


def test_a_token_service_that_cannot_be_reached_is_transient(server: BigQueryServer) -> None:
    warehouse = bigquery_warehouse(server, credentials=service_account("http://127.0.0.1:1"))
    with pytest.raises(Failed, match="sign-in failed") as raised, warehouse.connect(LABEL, HOUR):
        pass
    assert (raised.value.cause, raised.value.transient) == (Cause.NETWORK, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"credentials": "hunter2"}, "CREDENTIALS is not JSON"),
        ({"credentials": "{}", "credentials_path": "/c"}, "both are set"),
    ],
)
def test_g11_settings_that_cannot_sign_in_say_which_to_set(
    fields: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        BigQueryWarehouse.model_validate({"type": "bigquery", "project": "p", **fields})
    (error,) = raised.value.errors()  # type: ignore[attr-defined]
    assert "hunter2" not in error["msg"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        ("nothing", "cannot be read: it is not JSON"),
        ('{"type": "authorized_user"}', "expected service_account or external_account"),
    ],
)
def test_a_file_that_has_no_credentials_is_a_setting(
    server: BigQueryServer, tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    warehouse = bigquery_warehouse(server, credentials=None, credentials_path=str(file))
    with pytest.raises(Failed, match=said), warehouse.connect(LABEL, HOUR):
        pass


# Errors.


@pytest.mark.parametrize(
    "case",
    [
        ("accessDenied", Cause.PERMISSION, False, "Data Viewer"),
        ("backendError", Cause.BUSY, True, ""),
        ("jobRateLimitExceeded", Cause.BUSY, True, ""),
        ("quotaExceeded", Cause.BUSY, False, "a quota of the project"),
        ("resourcesExceeded", Cause.SQL, False, "make the query simpler"),
        ("responseTooLarge", Cause.SQL, False, "publish less at a time"),
        ("invalidQuery", Cause.SQL, False, ""),
        ("somethingNew", Cause.SQL, False, "(somethingNew)"),
    ],
)
def test_errors_are_told_apart_by_their_reason(
    server: BigQueryServer, session: BigQuerySession, case: tuple[str, Cause, bool, str]
) -> None:
    reason, cause, transient, said = case
    server.service.engine.fails["select id from shop.orders"] = QueryError(reason, "it is so")
    with pytest.raises(Failed, match="it is so") as raised:
        session.execute(Query("select id from shop.orders"))
    assert (raised.value.cause, raised.value.transient) == (cause, transient)
    assert said in str(raised.value)
    assert raised.value.query_id == server.service.jobs[-1].id
    assert raised.value.query_url is not None


def test_a_column_behind_tabs_is_found(session: BigQuerySession) -> None:
    """BigQuery counts a tab as far as the next multiple of eight."""
    with pytest.raises(Failed, match="Unrecognized name: nope") as raised:
        session.execute(Query("select\n\tid,\tnope\nfrom shop.orders"))
    assert (raised.value.line, raised.value.column) == (2, 6)


def test_a_project_that_is_not_there_is_named(server: BigQueryServer) -> None:
    warehouse = bigquery_warehouse(server, project="other")
    with warehouse.connect(LABEL, HOUR) as session, pytest.raises(Failed) as raised:
        session.execute(Query("select 1 as a"))
    assert "Not found: Project other (notFound): check the name, and PROJECT" in str(raised.value)


def test_g8_the_server_ends_what_outlives_its_timeout(server: BigQueryServer) -> None:
    with bigquery_warehouse(server).connect(LABEL, HOUR) as session:
        session._timeout_ms = 200
        with pytest.raises(QueryTimeout, match="timed out"):
            session.execute(Query(SLOW))


def test_g8_a_query_cancelled_by_somebody_else_is_no_transient_failure(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    server.service.on_poll = lambda job: server.service.cancel(job.id, "EU")
    with pytest.raises(QueryCancelled, match="but not by this run") as raised:
        session.execute(Query(SLOW))
    assert not raised.value.transient
    assert raised.value.query_id == server.service.jobs[-1].id


def test_a_query_that_would_read_too_much_is_refused_before_it_runs(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    query = Query("select id from shop.orders", max_bytes=1 << 20)
    with pytest.raises(Failed, match="exceeded limit for bytes billed: 1048576") as raised:
        session.execute(query)
    assert (raised.value.key, raised.value.transient) == ("max_bytes", False)
    assert session.bytes_read(query) == 10 << 20
    assert server.service.jobs == []


# Tables.


def test_a_table_is_described_with_its_keys_and_comments(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    server.service.tables["shop.lines"] = {
        "schema": {
            "fields": [
                {"name": "id", "type": "INTEGER", "mode": "REQUIRED"},
                {"name": "note", "type": "STRING", "description": "free text"},
            ]
        },
        "tableConstraints": {"primaryKey": {"columns": ["id"]}},
    }
    for name in ("shop.lines", "acme.shop.lines", "`acme.shop.lines`"):
        found = session.facts(name)
        assert found.columns == (
            ColumnFacts("id", is_nullable=False),
            ColumnFacts("note", is_nullable=True, comment="free text"),
        )
        assert found.keys == (("id",),)
    with pytest.raises(Failed, match=r"Not found: Table acme:shop\.nothing"):
        session.facts("shop.nothing")
    with pytest.raises(Failed, match="lines has no dataset"):
        session.facts("lines")


def test_a_view_changes_with_the_tables_behind_it(
    server: BigQueryServer, session: BigQuerySession
) -> None:
    tables = server.service.tables
    tables["shop.a"] = {"lastModifiedTime": "1700000000000"}
    tables["shop.b"] = {"lastModifiedTime": "1700000000001"}
    tables["shop.v"] = {"type": "VIEW", "lastModifiedTime": "1600000000000"}
    tables["shop.outside"] = {"type": "EXTERNAL", "lastModifiedTime": "1600000000000"}
    server.service.behind["shop.v"] = ["shop.a", "shop.b"]

    def token() -> str:
        return session.last_changes(["shop.v"])["shop.v"].token

    before = token()
    assert token() == before
    tables["shop.b"] = {
        "lastModifiedTime": "1700000000001",
        "streamingBuffer": {"estimatedRows": "7"},
    }
    streamed = token()
    tables["shop.a"] = {"lastModifiedTime": "1700000000002"}
    assert len({before, streamed, token()}) == 3
    at = session.last_changes(["shop.v"])["shop.v"].at
    assert at == datetime.fromtimestamp(1_700_000_000.002, UTC)
    del tables["shop.b"]
    names = ["shop.v", "shop.e_*", "shop.outside", "shop.a", "shop.INFORMATION_SCHEMA.T", "alone"]
    assert list(session.last_changes(names)) == ["shop.a"], "the rest is not known"
    assert server.service.jobs == []

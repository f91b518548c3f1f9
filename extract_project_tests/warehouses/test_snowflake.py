"""Snowflake: exact types from the wire, every way to sign in, and what goes wrong on the way."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from extract_project.errors import (
    Cause,
    QueryCancelled,
    QueryTimeout,
    TypeMappingError,
    WarehouseError,
)
from extract_project.schema.choices import DEFAULTS, WIDEST, TypeChoices
from extract_project.warehouses.facts import ColumnFacts, TableFacts
from extract_project.warehouses.protocol import Label, Query
from extract_project.warehouses.snowflake import (
    SnowflakeSession,
    SnowflakeWarehouse,
    query_url,
)
from extract_project.warehouses.snowflake.chunks import Patience
from extract_project_tests.support.rigs import read, snowflake_warehouse
from extract_project_tests.support.snowflake_server import (
    Answer,
    Engine,
    SnowflakeError,
    SnowflakeServer,
    table,
)
from extract_project_tests.support.snowflake_server.wire import Column
from extract_project_tests.support.waiting import await_value

LABEL, HOUR = Label("sales/orders", "v1", "run-1", partition="2026-01-01"), timedelta(hours=1)
SLOW = "select count(*) as n from range(100000000000) t(n) where n % 7 = 3"


US, NS = pa.timestamp("us"), pa.timestamp("ns")
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456)
OFFSET = datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=1)))
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)
BIG = 10**38 - 1
NANOSECOND = 1_774_785_600_123_456_789

# Column, Arrow type in the file, values as Snowflake holds them, values in the file where they
# are not the same.
TypeCase = tuple[Column, pa.DataType, list[Any], list[Any] | None]
TYPES: list[TypeCase] = [
    (Column("a", "FIXED", 1, 0), pa.int64(), [0, 9, -9], None),
    (Column("a", "FIXED", 18, 0), pa.int64(), [10**18 - 1, 1 - 10**18, 7], None),
    (Column("a", "FIXED", 19, 0), pa.int64(), [2**63 - 1, -1], None),
    (Column("a", "FIXED", 38, 0), pa.int64(), [-(2**63), 1], None),
    (Column("a", "FIXED", 19, 0), pa.decimal128(19, 0), [Decimal(2**63 - 1), Decimal(-1)], None),
    (Column("a", "FIXED", 38, 0), pa.decimal128(38, 0), [Decimal(BIG), Decimal(-BIG)], None),
    (Column("a", "FIXED", 38, 0), pa.decimal128(38, 0), [Decimal(1), Decimal(-1)], None),
    (
        Column("a", "FIXED", 15, 2),
        pa.decimal128(15, 2),
        [Decimal("9999999999999.99"), Decimal("-0.01"), Decimal("0.00")],
        None,
    ),
    (Column("a", "FIXED", 3, 3), pa.decimal128(3, 3), [Decimal("-0.999"), Decimal("0.001")], None),
    (
        Column("a", "FIXED", 38, 37),
        pa.decimal128(38, 37),
        [Decimal("9.9999999999999999999999999999999999999"), Decimal("-1").scaleb(-37)],
        None,
    ),
    (Column("a", "REAL"), pa.float64(), [0.1, float("inf"), float("-inf"), -0.0], None),
    (Column("a", "BOOLEAN"), pa.bool_(), [True, False], None),
    (Column("a", "DATE"), pa.date32(), [date(1, 1, 1), date(9999, 12, 31)], None),
    (Column("a", "TIME", scale=0), pa.time64("us"), [time(23, 59, 59)], None),
    (Column("a", "TIME", scale=3), pa.time64("us"), [time(0, 0, 0, 1000)], None),
    (Column("a", "TIME", scale=6), pa.time64("us"), [time(23, 59, 59, 999999)], None),
    (
        Column("a", "TIME", scale=9),
        pa.time64("ns"),
        [86_399_999_999_999, 1],
        [86_399_999_999_999, 1],
    ),
    (Column("a", "TIMESTAMP_NTZ", scale=0), US, [datetime(1, 1, 1), datetime(9999, 12, 31)], None),
    (Column("a", "TIMESTAMP_NTZ", scale=3), US, [datetime(1969, 12, 31, 23, 59, 59, 999000)], None),
    (Column("a", "TIMESTAMP_NTZ", scale=6), US, [datetime(1, 1, 1, 0, 0, 0, 1), LAST, NOON], None),
    (Column("a", "TIME", scale=9), pa.time64("us"), [1000], [time(0, 0, 0, 1)]),
    (Column("a", "TIMESTAMP_NTZ", scale=9), NS, [NANOSECOND, -1], [NANOSECOND, -1]),
    (Column("a", "TIMESTAMP_NTZ", scale=9), US, [NOON, datetime(1, 1, 1), LAST], None),
    (Column("a", "TIMESTAMP_NTZ", scale=7), US, [datetime(9999, 12, 31), NOON], None),
    (
        Column("a", "TIMESTAMP_TZ", scale=9),
        pa.timestamp("us", "UTC"),
        [OFFSET, LAST.replace(tzinfo=UTC)],
        [OFFSET.astimezone(UTC), LAST.replace(tzinfo=UTC)],
    ),
    (
        Column("a", "TIMESTAMP_LTZ", scale=6),
        pa.timestamp("us", "UTC"),
        [OFFSET, LAST.replace(tzinfo=UTC)],
        [OFFSET.astimezone(UTC), LAST.replace(tzinfo=UTC)],
    ),
    (
        Column("a", "TIMESTAMP_TZ", scale=3),
        pa.timestamp("us", "UTC"),
        [OFFSET, LAST.replace(tzinfo=UTC, microsecond=999000)],
        [OFFSET.astimezone(UTC), LAST.replace(tzinfo=UTC, microsecond=999000)],
    ),
    (
        Column("a", "TIMESTAMP_TZ", scale=9),
        pa.timestamp("ns", "UTC"),
        [OFFSET],
        [int(OFFSET.timestamp()) * 10**9],
    ),
    (Column("a", "TEXT"), pa.string(), ["", 'a "b", c\r\n\\N \t é🙂\x01'], None),
    (Column("a", "BINARY"), pa.binary(), [b"", b"\x00\xff"], None),
    (Column("a", "VARIANT"), pa.string(), ['{"a":1.50}', "null", '"text"'], None),
    (Column("a", "OBJECT"), pa.string(), ['{"a":[1,null]}'], None),
    (Column("a", "ARRAY"), pa.string(), ["[1,undefined]"], ["[1,null]"]),
    (Column("a", "OBJECT", extended="GEOGRAPHY"), pa.string(), ['{"type":"Point"}'], None),
]
IDS = [f"{c.type}({c.precision},{c.scale}) {v[0]!r}"[:60] for c, _, v, _ in TYPES]


@pytest.mark.parametrize("case", TYPES, ids=IDS)
def test_g5_types_and_limits(
    server: SnowflakeServer, session: SnowflakeSession, case: TypeCase
) -> None:
    """Each value in a chunk of its own, so that widths differ; NULLs; and no rows at all."""
    column, kind, values, expected = case
    rows = [None, *values, None]
    engine = server.service.engine
    engine.script("select a from t", table([column], [[v] for v in rows], chunk_rows=1))
    engine.script("select a from t where false", table([column], []))

    unit = getattr(kind, "unit", "")
    wide = unit == "ns" or (pa.types.is_decimal(kind) and not kind.scale)
    types = WIDEST if wide else DEFAULTS
    found = read(session, "select a from t", types)
    assert found.schema.field("a").type == kind
    shown = found["a"].cast(pa.int64()) if unit == "ns" else found["a"]
    assert shown.to_pylist() == [None, *(expected or values), None]
    assert read(session, "select a from t where false", types).schema == found.schema


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (Column("a", "VECTOR"), ["[1]"], r"column 'a': VECTOR .*a::array"),
        (Column("a", "MAP"), ["{}"], r"column 'a': MAP .*a::variant"),
        (Column("a", "DECFLOAT"), ["1"], r"column 'a': DECFLOAT .*a::number"),
        (Column("a", "INTERVAL_DAY_TIME"), ["1"], r"column 'a': INTERVAL .*a::varchar"),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_g5_what_no_file_keeps_is_an_error(
    server: SnowflakeServer,
    session: SnowflakeSession,
    column: Column,
    values: list[Any],
    message: str,
) -> None:
    server.service.engine.script("select a from t", table([column], [[v] for v in values]))
    with pytest.raises(TypeMappingError, match=message):
        read(session, "select a from t")


MOMENT = "2026-03-29T12:00:00.123456789"
FINE = f"has {MOMENT} in row 3, with digits beyond a microsecond: to keep them, write "
LATE = "in row 3, outside the years 1677 to 2262, the range of nanoseconds: to keep it, "


BeyondCase = tuple[Column, Any, TypeChoices, str]


@pytest.mark.parametrize(
    "case",
    [
        (
            Column("a", "FIXED", 38, 0),
            Decimal(2**63),
            DEFAULTS,
            "has 9223372036854775808 in row 3, beyond int64: to keep it, write 'integers: decimal'",
        ),
        (Column("a", "FIXED", 19, 0), Decimal(-(2**63) - 1), DEFAULTS, "has -9223372036854775809"),
        (Column("a", "TIMESTAMP_NTZ", scale=9), NANOSECOND, DEFAULTS, f"{FINE}'timestamps: ns'"),
        (
            Column("a", "TIMESTAMP_LTZ", scale=9),
            NANOSECOND,
            DEFAULTS,
            f"has {MOMENT}Z in row 3, with digits beyond a microsecond",
        ),
        (Column("a", "TIMESTAMP_NTZ", scale=9), -1, DEFAULTS, "1969-12-31T23:59:59.999999999 "),
        (
            Column("a", "TIMESTAMP_NTZ", scale=9),
            253_402_300_799_999_999_999,
            DEFAULTS,
            "has 9999-12-31T23:59:59.999999999 in row 3, with digits beyond a microsecond, which "
            "no type of a file can keep in such a year: cut them in the SQL, date_trunc('micro",
        ),
        (
            Column("a", "TIME", scale=9),
            86_399_999_999_999,
            DEFAULTS,
            "has 23:59:59.999999999 in row 3, with digits beyond a microsecond: to keep them, "
            "write 'timestamps: ns' in the header, or cast it in the SQL",
        ),
        (Column("a", "TIMESTAMP_NTZ", scale=9), LAST, WIDEST, f"{LATE}write 'timestamps: us' in"),
        (Column("a", "TIMESTAMP_TZ", scale=9), LAST.replace(tzinfo=UTC), WIDEST, LATE),
        (Column("a", "TIMESTAMP_NTZ", scale=7), LAST, WIDEST, LATE),
    ],
    ids=str,
)
def test_g5_a_value_beyond_is_refused_with_the_key_that_keeps_it(
    server: SnowflakeServer, session: SnowflakeSession, case: BeyondCase
) -> None:
    """In a later chunk than the first, as a value of a wider form than those before it."""
    column, value, types, message = case
    rows: list[list[Any]] = [[None], [0], [value]]
    if column.type.startswith("TIMESTAMP"):
        rows[1] = [NOON.replace(tzinfo=UTC) if "TZ" in column.type[-3:-1] else NOON]
    server.service.engine.script("select a from t", table([column], rows, chunk_rows=2))
    with pytest.raises(TypeMappingError) as raised:
        read(session, "select a from t", types)
    assert "column 'a' " in str(raised.value)
    assert message in str(raised.value)


def test_two_hundred_columns_of_snowflakes_defaults_are_a_file_that_readers_use(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """INTEGER and TIMESTAMP_NTZ as Snowflake declares them; one column holds 9999-12-31."""
    columns = [
        Column(f"C{n}", "FIXED", 38, 0) if n % 2 else Column(f"C{n}", "TIMESTAMP_NTZ", scale=9)
        for n in range(200)
    ]
    far = datetime(9999, 12, 31)
    rows: list[list[Any]] = [[n * row if n % 2 else NOON for n in range(200)] for row in range(5)]
    rows[4][100] = far
    rows.append([None] * 200)
    engine = server.service.engine
    engine.script("select * from wide", table(columns, rows, chunk_rows=2))
    engine.script("select * from wide where false", table(columns, []))
    found = read(session, "select * from wide")
    assert found.schema.types == [US, pa.int64()] * 100
    assert [list(row.values()) for row in found.to_pylist()] == rows
    assert read(session, "select * from wide where false").schema == found.schema
    with pytest.raises(TypeMappingError, match=r"column 'C100' has 9999-12-31T00:00:00.* in row 5"):
        read(session, "select * from wide", WIDEST)


def test_a_table_is_described_with_its_keys_and_comments(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """`describe table`, as documented; this double keeps no keys and no comments."""
    names = ("name", "type", "kind", "null?", "default", "primary key", "unique key", "comment")
    columns = [Column(name, "TEXT", length=100) for name in names]
    rowset = [
        ["ID", "NUMBER(38,0)", "COLUMN", "N", None, "Y", "N", "the shop's number"],
        ["Name", "VARCHAR(10)", "COLUMN", "Y", None, "N", "Y", None],
    ]
    server.service.engine.script("describe table shop.orders", Answer(columns, [], rowset=rowset))
    assert session.facts("shop.orders") == TableFacts(
        (ColumnFacts("ID", False, "the shop's number"), ColumnFacts("Name", True)),
        (("ID",), ("Name",)),
    )


def test_g5_answers_that_come_as_text(server: SnowflakeServer, session: SnowflakeSession) -> None:
    """`show` and `describe` answer in JSON; the connector makes the same wire values of it."""
    columns = [
        Column("name", "TEXT", length=100),
        Column("rows", "FIXED", 38, 0),
        Column("share", "FIXED", 10, 2),
        Column("created_on", "TIMESTAMP_LTZ", scale=9),
        Column("changed_on", "TIMESTAMP_TZ", scale=3),
        Column("at", "TIME", scale=9),
        Column("day", "DATE"),
        Column("kept", "BOOLEAN"),
    ]
    row = ["orders", "12", "3.50", "1774785600.123456789", "1774785600.123000000 1500",
           "3600.000000001", "20454", "true"]  # fmt: skip
    nothing = [None] * len(row)
    server.service.engine.script("show tables", Answer(columns, [], rowset=[row, nothing]))
    found = read(session, "show tables", WIDEST)
    assert [str(kind) for kind in found.schema.types] == [
        *("string", "decimal128(38, 0)", "decimal128(10, 2)", "timestamp[ns, tz=UTC]"),
        *("timestamp[us, tz=UTC]", "time64[ns]", "date32[day]", "bool"),
    ]
    assert found["rows"].to_pylist() == [Decimal(12), None]
    assert found["share"].to_pylist() == [Decimal("3.50"), None]
    assert found["created_on"].cast(pa.int64()).to_pylist() == [1_774_785_600_123_456_789, None]
    assert found["changed_on"].cast(pa.int64()).to_pylist() == [1_774_785_600_123_000, None]
    assert found["at"].cast(pa.int64()).to_pylist() == [3_600_000_000_001, None]
    assert found["day"].to_pylist() == [date(2026, 1, 1), None]
    assert found["kept"].to_pylist() == [True, None]


def test_g5_a_thousand_columns(server: SnowflakeServer, session: SnowflakeSession) -> None:
    columns = [Column(f"C{n}", "FIXED", 38, 0) for n in range(1000)]
    rows = [[n * row for n in range(1000)] for row in range(3)]
    server.service.engine.script("select * from wide", table(columns, rows, chunk_rows=1))
    found = read(session, "select * from wide")
    assert [list(row.values()) for row in found.to_pylist()] == rows


def test_g5_a_million_rows_in_chunks_of_changing_width(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """Half of the sums are beyond 64 bits, so chunks differ between integers and decimals."""
    rows = 1_000_000
    found = read(
        session,
        f"select i as a, (i * i * i)::number(38, 4) as b from range({rows}) t(i) order by i",
    )
    assert found.num_rows == rows
    assert found["A"].cast(pa.int64()).to_pylist() == list(range(rows))
    assert found["B"][rows - 1].as_py() == Decimal((rows - 1) ** 3)
    assert found["B"][1].as_py() == Decimal(1)


def test_a_session_says_who_asks_and_for_how_long(server: SnowflakeServer) -> None:
    with snowflake_warehouse(server).connect(LABEL, timedelta(minutes=30)) as session:
        read(session, "select id from shop.orders")
    (query,) = server.service.queries
    assert json.loads(query.tag) == {
        "extract": "sales/orders",
        "sql_version": "v1",
        "run_id": "run-1",
        "partition": "2026-01-01",
    }
    parameters = server.service.sessions[0].parameters
    assert parameters["STATEMENT_TIMEOUT_IN_SECONDS"] == str(31 * 60)
    assert parameters["TIMEZONE"] == "UTC"
    assert parameters["ABORT_DETACHED_QUERY"] == "true"


def test_the_text_is_sent_as_it_stands(server: SnowflakeServer, session: SnowflakeSession) -> None:
    text = "\n/*---\ndescription: x\n---*/\nselect id -- the key\nfrom shop.orders\n"
    read(session, text)
    assert server.service.queries[-1].sql == text


def test_a_result_leads_to_its_page(session: SnowflakeSession) -> None:
    result = session.execute(Query("select id from shop.orders"))
    assert result.query_url == (
        f"https://app.snowflake.com/acme/prod/#/compute/history/queries/{result.query_id}/detail"
    )
    assert query_url("xy12345.eu-central-1", "q") == (
        "https://app.snowflake.com/eu-central-1/xy12345/#/compute/history/queries/q/detail"
    )


# Signing in.


def key_pair() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    return key, pem(key, serialization.NoEncryption())


def pem(key: rsa.RSAPrivateKey, encryption: serialization.KeySerializationEncryption) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


@pytest.mark.parametrize("form", ["text", "one line", "encrypted", "path", "encrypted path"])
def test_signing_in_with_a_key_pair(server: SnowflakeServer, tmp_path: Path, form: str) -> None:
    key, text = key_pair()
    server.service.public_keys["LOADER"] = key.public_key()
    fields: dict[str, Any] = {}
    if "encrypted" in form:
        text = pem(key, serialization.BestAvailableEncryption(b"open sesame"))
        fields["private_key_passphrase"] = "open sesame"
    if "path" in form:
        (tmp_path / "key.p8").write_text(text)
        fields["private_key_path"] = str(tmp_path / "key.p8")
    else:
        fields["private_key"] = text.replace("\n", "\\n") if form == "one line" else text
    with snowflake_warehouse(server, **fields).connect(LABEL, HOUR) as session:
        assert read(session, "select id from shop.orders").num_rows == 1
    assert server.service.logins[0]["AUTHENTICATOR"] == "SNOWFLAKE_JWT"


def test_a_key_that_is_not_the_users_says_what_to_do(server: SnowflakeServer) -> None:
    _, text = key_pair()
    server.service.public_keys["LOADER"] = key_pair()[0].public_key()
    warehouse = snowflake_warehouse(server, private_key=text)
    with (
        pytest.raises(WarehouseError, match=r"user 'loader'.*rsa_public_key") as raised,
        warehouse.connect(LABEL, HOUR),
    ):
        pass
    assert not raised.value.transient
    assert "PRIVATE" not in str(raised.value)


@pytest.mark.parametrize("authenticator", ["oauth", "programmatic_access_token"])
def test_signing_in_with_a_token(server: SnowflakeServer, authenticator: str) -> None:
    warehouse = snowflake_warehouse(server, token="pat", authenticator=authenticator)
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select id from shop.orders").num_rows == 1
    assert server.service.logins[0]["AUTHENTICATOR"] == authenticator.upper()


def test_signing_in_with_a_workload_identity(
    server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secret: the connector attests the role that the process runs under."""
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "127.0.0.1")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    warehouse = snowflake_warehouse(server, workload_identity_provider="AWS", user=None)
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select id from shop.orders").num_rows == 1
    (login,) = server.service.logins
    assert (login["AUTHENTICATOR"], login["PROVIDER"]) == ("WORKLOAD_IDENTITY", "AWS")
    assert "PASSWORD" not in login


def test_a_password_is_warned_of(server: SnowflakeServer) -> None:
    warehouse = snowflake_warehouse(server, password="secret")
    with (
        pytest.warns(UserWarning, match="use a key pair"),
        warehouse.connect(LABEL, HOUR) as session,
    ):
        assert read(session, "select id from shop.orders").num_rows == 1


def test_g11_a_refused_sign_in_names_the_user_and_no_secret(server: SnowflakeServer) -> None:
    warehouse = snowflake_warehouse(server, token="hunter2", authenticator="oauth")
    with (
        pytest.raises(
            WarehouseError, match="acme-prod: sign-in failed for user 'loader'"
        ) as raised,
        warehouse.connect(LABEL, HOUR),
    ):
        pass
    assert "issue a new one" in str(raised.value)
    assert "hunter2" not in f"{raised.value!r}{warehouse!r}"


def test_connections_toml_is_honoured(
    server: SnowflakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "connections.toml"
    file.write_text(
        f'[acme]\naccount = "acme-prod"\nuser = "loader"\nhost = "{server.host}"\n'
        f'port = {server.port}\nprotocol = "http"\nauthenticator = "oauth"\ntoken = "pat"\n'
    )
    file.chmod(0o600)
    monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
    warehouse = SnowflakeWarehouse(type="snowflake", connection_name="acme")
    with warehouse.connect(LABEL, HOUR) as session:
        assert read(session, "select id from shop.orders").num_rows == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"account": "a"}, "set one of PRIVATE_KEY, .*: nothing is set"),
        ({"account": "a", "token": "t", "password": "p"}, "TOKEN and PASSWORD are set"),
        ({"password": "p"}, "ACCOUNT is not set"),
        ({"account": "a", "token": "t"}, "TOKEN needs AUTHENTICATOR: oauth or"),
        ({"account": "a", "password": "p", "acount": "x"}, "acount"),
    ],
)
def test_settings_that_cannot_sign_in_say_which_to_set(
    fields: dict[str, str], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        SnowflakeWarehouse.model_validate({"type": "snowflake", **fields})


# Errors, sessions and time.


@pytest.mark.parametrize(
    ("code", "cause", "transient", "hint"),
    [
        (("003001", "42501"), Cause.PERMISSION, False, "grant what is missing"),
        (("002043", "02000"), Cause.PERMISSION, False, "check the name"),
        (("000606", "57P03"), Cause.SETTINGS, False, "set WAREHOUSE"),
        (("000608", "57P03"), Cause.SETTINGS, False, "set auto_resume = true"),
        (("090105", "22000"), Cause.SETTINGS, False, "set DATABASE"),
        (("090106", "22000"), Cause.SETTINGS, False, "set SCHEMA"),
        (("090073", "22000"), Cause.BUSY, False, "raise its quota"),
        (("000603", "XX000"), Cause.BUSY, True, ""),
        (("000625", "57014"), Cause.BUSY, True, ""),
        (("370001", "XX000"), Cause.BUSY, True, ""),
        (("000699", "57P03"), Cause.BUSY, False, ""),
        (("099999", "53000"), Cause.BUSY, True, ""),
        (("099999", "08006"), Cause.NETWORK, True, ""),
        (("100038", "22018"), Cause.SQL, False, ""),
        (("099999", "XX000"), Cause.SQL, False, ""),
    ],
)
def test_errors_are_told_apart_by_their_code(
    server: SnowflakeServer,
    session: SnowflakeSession,
    *,
    code: tuple[str, str],
    cause: Cause,
    transient: bool,
    hint: str,
) -> None:
    error = SnowflakeError(*code, "something happened")
    server.service.engine.script("select 1 as a", error)
    with pytest.raises(WarehouseError, match=f"something happened.*{code[0]}.*{hint}") as raised:
        read(session, "select 1 as a")
    assert (raised.value.cause, raised.value.transient) == (cause, transient)
    assert raised.value.query_id == server.service.queries[-1].id


def test_an_expired_session_is_renewed_while_a_query_runs(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    server.service.expire_sessions()
    assert read(session, "select id from shop.orders").num_rows == 1


def test_a_lost_session_is_transient(server: SnowflakeServer, session: SnowflakeSession) -> None:
    server.service.end_sessions()
    with pytest.raises(WarehouseError) as raised:
        read(session, "select id from shop.orders")
    assert raised.value.transient


def test_a_query_is_asked_for_until_it_is_done(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    server.service.hold = 0.001
    sql = "select count(*) as n from range(300000000) t(i) where hash(i) % 7 = 3"
    assert read(session, sql).num_rows == 1


def test_http_errors_before_the_answer_are_survived(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """Sent again under the same request id, so that it runs once."""
    server.service.faults.add("/queries/v1/query-request", "status", times=2)
    assert read(session, "select id from shop.orders").num_rows == 1
    assert len(server.service.queries) == 1


def test_g8_the_server_ends_a_query_that_outlives_its_session(server: SnowflakeServer) -> None:
    with (
        snowflake_warehouse(server).connect(LABEL, timedelta(seconds=-59)) as session,
        pytest.raises(QueryTimeout, match="timeout of 1 second"),
    ):
        read(session, SLOW)
    assert server.service.queries[-1].state == "FAILED_WITH_ERROR"


def test_g8_a_query_cancelled_by_somebody_else_is_no_transient_failure(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            read(session, SLOW)
        except WarehouseError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    query = await_value("the query", lambda: next(iter(server.service.queries), None))
    await_value("its end", lambda: server.service.abort(query.id)["success"] or None)
    thread.join()
    (failure,) = failures
    assert isinstance(failure, QueryCancelled)
    assert not failure.transient
    assert failure.query_id == query.id


def test_g8_a_cancel_before_the_query_has_an_id_still_ends_it(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    session.cancel()
    with pytest.raises(QueryCancelled):
        read(session, SLOW)
    await_value("its end", lambda: server.service.queries[-1].state == "ABORTED")


# Chunks.

MANY = "select i as a from range(20000) t(i) order by i"


def assert_whole(found: pa.Table) -> None:
    assert found["A"].cast(pa.int64()).to_pylist() == list(range(20_000))


@pytest.mark.parametrize("inline", [True, False], ids=["first inline", "all behind addresses"])
@pytest.mark.parametrize("kind", ["drop", "truncate", "short", "status"])
def test_a_chunk_that_breaks_is_fetched_again(
    server: SnowflakeServer, session: SnowflakeSession, kind: Any, inline: bool
) -> None:
    server.service.inline_rows = inline
    server.service.faults.add("/chunks/", kind, times=4)
    assert_whole(read(session, MANY))


def test_expired_addresses_are_renewed(server: SnowflakeServer, session: SnowflakeSession) -> None:
    result = session.execute(Query(MANY))
    batches = result.batches()
    first = next(batches)
    server.service.expire_urls()
    rest = list(batches)
    assert_whole(pa.Table.from_batches([first, *rest], result.schema))


def test_a_chunk_that_stalls_is_fetched_again(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """Nothing in the connector ends such a download."""
    session.patience = Patience(stall_seconds=0.3)
    server.service.faults.add("/chunks/", "stall", times=2)
    assert_whole(read(session, MANY))


@pytest.mark.parametrize("kind", ["drop", "truncate", "short"])
def test_a_chunk_that_never_arrives_fails_as_a_whole_and_is_transient(
    server: SnowflakeServer, session: SnowflakeSession, kind: Any
) -> None:
    session.patience = Patience(first_pause=0.001)
    server.service.faults.add("/chunks/", kind, times=10_000)
    with pytest.raises(
        WarehouseError, match=r"chunk 2 of 20 .* not arrive whole in 6 tries"
    ) as raised:
        read(session, MANY)
    assert raised.value.transient


def test_rows_are_counted_against_what_was_reported(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    """Every chunk is whole, and yet there is one too few."""
    whole = table([Column("A", "FIXED", 38, 0)], [[i] for i in range(3000)], chunk_rows=1000)

    class Short(Answer):
        rows = 3001

    server.service.inline_rows = False
    server.service.engine.script(MANY, Short(whole.columns, whole.chunks))
    with pytest.raises(WarehouseError, match=r"announced 3,001 rows and sent 3,000") as raised:
        read(session, MANY)
    assert raised.value.transient


@pytest.mark.parametrize(
    ("said", "seconds", "credits"),
    [
        (("X-Small", "STANDARD", 36_000), 36.0, 0.01),
        (("2X-Large", "STANDARD", 1_800_000), 1800.0, 16.0),
        (("Medium", "SNOWPARK", 36_000), 36.0, None),
        (("Gigantic", "STANDARD", 36_000), 36.0, None),
        ((None, None, 20), None, None),
    ],
)
def test_what_a_query_took_is_asked_without_another_query(
    server: SnowflakeServer,
    session: SnowflakeSession,
    said: tuple[str | None, str | None, int],
    seconds: float | None,
    credits: float | None,
) -> None:
    size, kind, milliseconds = said
    server.service.monitored = {
        "warehouseExternalSize": size,
        "warehouseServerType": kind,
        "totalDuration": milliseconds,
    }
    result = session.execute(Query("select 1 as i"))
    list(result.batches())
    usage = result.usage
    assert (usage and usage.seconds, usage and usage.credits) == (seconds, credits)
    assert len(server.service.queries) == 1


def test_a_status_that_cannot_be_read_costs_nothing(
    server: SnowflakeServer, session: SnowflakeSession
) -> None:
    server.service.monitored = {"totalDuration": "long"}
    result = session.execute(Query("select 1 as i"))
    assert sum(batch.num_rows for batch in result.batches()) == 1
    assert result.usage is None


def test_the_server_keeps_results_beside_a_database_that_others_read(tmp_path: Path) -> None:
    path = str(tmp_path / "shared.duckdb")
    with duckdb.connect(path) as database:
        database.execute("create table shared as select 7 as i")
    engine = Engine(path, read_only=True)
    engine.run(engine.cursor(), "select i from shared", [], query_id="01-a")
    again = "select * from table(result_scan('01-a'))"
    assert engine.run(engine.cursor(), again, []).rows == 1

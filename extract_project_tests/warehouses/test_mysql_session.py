"""What a session of MySQL's sets, what it refuses, and what it knows of tables."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest

from extract_project.doctor.warehouses import sign_in
from extract_project.errors import WarehouseError
from extract_project.problem import Refused
from extract_project.schema.annotations import descriptions_of
from extract_project.sql.guard import read_statement
from extract_project.sql.mysql import MySQL
from extract_project.sql.query import Query
from extract_project.warehouses.conformance.rig import LABEL
from extract_project.warehouses.facts import ColumnFacts
from extract_project.warehouses.mysql.server_error import ServerError
from extract_project_tests.support.mariadb_server import MariaDB, read, table
from extract_project_tests.support.postgres_admin import HOUR, query
from extract_project_tests.support.waiting import await_value

HOSTILE = {
    "time_zone": "'+09:00'",
    "sql_mode": "'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,ORACLE'",
    "lc_messages": "'de_DE'",
    "lc_time_names": "'de_DE'",
    "default_week_format": "3",
    "div_precision_increment": "1",
    "group_concat_max_len": "4",
    "sql_select_limit": "1",
    "sql_auto_is_null": "1",
    "default_regex_flags": "'DOTALL'",
    "max_recursive_iterations": "3",
    "character_set_client": "latin1",
    "character_set_results": "latin1",
    "character_set_connection": "latin1",
    "max_sort_length": "8",
    "tx_isolation": "'READ-UNCOMMITTED'",
    "completion_type": "'CHAIN'",
    "max_error_count": "0",
    "sql_notes": "0",
    "note_verbosity": "''",
    "old_mode": "'ZERO_DATE_TIME_CAST'",
}
EXPRESSIONS = (
    "now() = utc_timestamp()",
    "timestamp'2026-01-31 06:00:00' + interval 1 hour",
    "from_unixtime(0)",
    '"a\'b"',
    "'1' || '0'",
    "'it\\'s'",
    "not 1 between -5 and 5",
    "monthname('2026-03-01')",
    "week('2026-01-04')",
    "1 / 7",
    "(select group_concat(seq) from seq_1_to_9)",
    "'Größe 😀'",
    "'a\\nb' regexp 'a.b'",
    "length('ä')",
    "@@tx_isolation",
    "char_length(repeat('ä', 9))",
    "cast(time'10:00:00' as datetime) > '2026-01-01'",
)


def _read_all(server: MariaDB) -> list[Any]:
    found: list[Any] = []
    for each in EXPRESSIONS:
        found += read(server, f"select {each} as a").column(0).to_pylist()
    found.append(read(server, "select seq as n from seq_1_to_3").num_rows)
    recursive = "with recursive r as (select 1 as n union all select n + 1 from r where n < 50)"
    found.append(read(server, f"{recursive} select n from r").num_rows)
    return found


def test_g5_no_setting_of_a_server_changes_what_is_read(mariadb: MariaDB) -> None:
    """Neither a global one nor what `init_connect` does in each session."""
    plain = _read_all(mariadb)
    before = {name: mariadb.execute(f"select @@global.{name}")[0][0] for name in HOSTILE}
    try:
        mariadb.execute(*(f"set global {name} = {value}" for name, value in HOSTILE.items()))
        assert _read_all(mariadb) == plain
    finally:
        for name, value in before.items():
            shown = value if isinstance(value, int) else f"'{value}'"
            mariadb.execute(f"set global {name} = {shown}")
    sets = ", ".join(f"session {name} = {value}" for name, value in HOSTILE.items())
    mariadb.execute(f'set global init_connect = "set {sets}"')
    try:
        assert _read_all(mariadb) == plain
        cut = r"the server changed values .*'10:00:00.1234567' \(1292\)"
        with pytest.raises(WarehouseError, match=cut):
            read(mariadb, "select cast('10:00:00.1234567' as time(6)) as a")
    finally:
        mariadb.execute("set global init_connect = ''")


def test_g5_an_instant_is_one_whatever_zone_the_server_is_in(mariadb: MariaDB) -> None:
    mariadb.execute(
        "create or replace table shop.t (at timestamp(6), day datetime)",
        "set time_zone = '+00:00'",
        "insert into shop.t values ('2026-01-31 06:00:00.5', '2026-01-31 06:00:00')",
    )
    moment = datetime(2026, 1, 31, 1, 0, 0, 500_000, UTC)
    east = moment.replace(hour=6)
    for given in (east, east.astimezone(timezone(timedelta(hours=-5)))):
        with mariadb.warehouse.connect(LABEL, HOUR) as session:
            found = table(session, query("select at, day from shop.t where at = :at", at=given))
        assert found.to_pylist() == [{"at": east, "day": datetime(2026, 1, 31, 6)}]
    mariadb.execute("drop table shop.t")


PIECES = (
    *(" into outfile '/tmp/x'", "into outfile'/tmp/x'", " into @a", " for update", " from dual"),
    *(
        "'",
        '"',
        "`",
        "''",
        '""',
        "'\\'",
        '"\\"',
        "`a`",
        "x'",
        "b'",
        "n'",
        "_utf8'",
        "{d '1'}",
        "\\N",
        "\\",
    ),
    *(
        "/*",
        "*/",
        "/*!",
        "/*!50000 ",
        "/*M!",
        "/*+ ",
        "/**/",
        "/*/",
        "*/*",
        "--",
        "-- ",
        "--\x01",
        "#",
    ),
    *(
        "1",
        "1.",
        "1e5",
        ".5",
        "0x",
        "0xa",
        "a",
        "é",
        "$$",
        "$a$",
        "@",
        "?",
        ":",
        ";",
        ",",
        "(",
        ")",
    ),
    *("-", "%", "||", "&&", "<=>", " as x", " where 1", " union select 2", " limit 1"),
    *(" ", "\n", "\r", "\x0b"),
)


def test_g7_whatever_passes_the_guard_is_a_query_to_the_server(mariadb: MariaDB) -> None:
    """Random texts: what the server would write somewhere has no columns when it is prepared."""
    chosen = Random(11)
    prepared = 0
    mariadb.execute("create user writer identified by 'hunter2'", "grant all on *.* to writer")
    with mariadb.warehouse.model_copy(update={"user": "writer"}).connect(LABEL, HOUR) as session:
        for _ in range(4_000):
            text = "select 1" + "".join(chosen.choices(PIECES, k=chosen.randint(1, 8)))
            with suppress(Refused, ServerError):
                read_statement(text, MySQL())
                columns = session.connection.prepare(text).columns
                prepared += 1
                assert columns, text
    assert prepared > 200
    mariadb.execute("drop user writer")


CHANGED = [
    ("cast('abc' as signed)", "Truncated incorrect INTEGER value: 'abc'"),
    ("cast('12022-01-01' as date)", "Incorrect datetime value: '12022-01-01'"),
    ("cast(1e30 as decimal(5,2))", "Out of range value"),
    ("str_to_date('31.01.2026', '%Y-%m-%d')", "Incorrect datetime value"),
    ("date_add('9999-12-31', interval 1 day)", "Datetime function"),
    ("json_extract('{bad', '$.a')", "Syntax error in JSON text"),
    ("(select count(*) from shop.orders where 'x' = id)", "Truncated incorrect"),
]
CUT = [
    ("length(repeat('a', 100000000))", "Result of repeat() was larger than max_allowed_packet"),
    ("(select n from (select 1 as n union select 2) x limit 1 rows examined 1)", "incomplete"),
]


@pytest.mark.parametrize(("sql", "said"), CHANGED + CUT)
def test_g5_a_result_that_the_server_changed_is_refused(
    mariadb: MariaDB, caplog: pytest.LogCaptureFixture, sql: str, said: str
) -> None:
    mariadb.execute("create or replace table shop.orders as select 1 as id")
    with pytest.raises(WarehouseError) as raised:
        read(mariadb, f"select {sql} as a")
    assert said in str(raised.value)
    assert not raised.value.transient
    lenient = mariadb.warehouse.model_copy(update={"on_conversion": "log"})
    with lenient.connect(LABEL, HOUR) as session, caplog.at_level(logging.WARNING):
        if (sql, said) in CUT:
            with pytest.raises(WarehouseError, match="the result is not whole"):
                table(session, Query(f"select {sql} as a"))
        else:
            assert table(session, Query(f"select {sql} as a")).num_rows == 1
            assert said in caplog.text


MANY = 66_000
HARMLESS = "cast(-seq as unsigned) >> 1"


@pytest.mark.parametrize(
    ("first", "rows", "said"),
    [
        ("1 / (seq - seq)", MANY, "Truncated incorrect INTEGER value: 'x'"),
        (HARMLESS, 100, "Truncated incorrect INTEGER value: 'x'"),
        (HARMLESS, MANY, "may have changed values"),
    ],
)
def test_g5_a_change_is_not_hidden_by_the_warnings_before_it(
    mariadb: MariaDB, first: str, rows: int, said: str
) -> None:
    """The server keeps only some, by default 64."""
    text = f"select {first} as a, cast(if(seq = {rows}, 'x', '1') as signed) as b"
    mariadb.execute("set global max_error_count = 0")
    try:
        with pytest.raises(WarehouseError, match=said):
            read(mariadb, f"{text} from seq_1_to_{rows}")
    finally:
        mariadb.execute("set global max_error_count = 64")


def test_g5_a_zone_that_the_server_does_not_know_is_refused(mariadb: MariaDB) -> None:
    """`convert_tz` would be NULL, without a warning. This server has loaded no zones."""
    told = "the server does not know the time zone 'Europe/Berlin', with which convert_tz"
    for text, place in (
        ("select convert_tz(now(), '+00:00', 'Europe/Berlin') as a", (1, 36)),
        ("select 1 as b,\n convert_tz(max(now()), 'Europe/Berlin', '+01:00') as a", (2, 25)),
    ):
        with pytest.raises(WarehouseError, match=told) as refused:
            read(mariadb, text)
        assert (refused.value.line, refused.value.column) == place
        assert not refused.value.transient
    offsets = (
        "select convert_tz('2026-01-31 06:00:00', '+00:00', '+02:00') as a, 'UTC' as convert_tz"
    )
    assert read(mariadb, offsets).column(0).to_pylist() == [datetime(2026, 1, 31, 8)]
    named = "insert into mysql.time_zone_name values ('Test/Zone', 7)"
    mariadb.execute(
        "insert into mysql.time_zone values (7, 'N')",
        "insert into mysql.time_zone_transition_type values (7, 0, 3600, 0, 'TST')",
        named,
    )
    try:
        text = "select convert_tz('2026-01-31 06:00:00', '+00:00', 'Test/Zone') as a"
        assert read(mariadb, text).column(0).to_pylist() == [datetime(2026, 1, 31, 7)]
    finally:
        for name in ("time_zone", "time_zone_transition_type", "time_zone_name"):
            mariadb.execute(f"delete from mysql.{name} where time_zone_id = 7")


def test_what_is_null_by_its_meaning_is_not_refused(mariadb: MariaDB) -> None:
    found = read(
        mariadb, "select 1 / 0 as a, 1 % 0 as b, cast(-1 as unsigned) >> 60 as c, log(0) as d"
    )
    assert [each.to_pylist()[0] for each in found.columns] == [None, None, 15, None]


@pytest.fixture
def tables(mariadb: MariaDB) -> Iterator[MariaDB]:
    mariadb.execute(
        "create table shop.`t.x` (id int primary key comment 'the shop''s\n number', a int not null"
        ", b varchar(9) comment 'é', unique key (b, a), unique key p (b(3)), key (a))",
        "create view shop.v as select id, a + 1 as c from shop.`t.x`",
        "create table shop.Upper (n int)",
        "create table shop.parts (n int) partition by hash(n) partitions 2",
        "create table shop.isam (n int) engine=myisam",
        "insert into shop.parts values (0), (1)",
    )
    yield mariadb
    mariadb.execute("drop table shop.`t.x`, shop.Upper, shop.parts, shop.isam; drop view shop.v")


def test_the_doctor_knows_who_may_do_more_than_read(mariadb: MariaDB) -> None:
    assert [found.ok for found in sign_in("m", mariadb.warehouse)] == [True, True]
    mariadb.execute("grant insert on *.* to reader")
    try:
        assert [found.ok for found in sign_in("m", mariadb.warehouse)] == [True, False]
    finally:
        mariadb.execute("revoke insert on *.* from reader")


def test_facts_of_a_table(tables: MariaDB) -> None:
    with tables.warehouse.connect(LABEL, HOUR) as session:
        facts = session.facts("`t.x`")
        assert session.facts("shop.`t.x`") == facts
        with pytest.raises(WarehouseError, match=r"there is no table 'shop.nope'"):
            session.facts("shop.nope")
    assert facts.columns == (
        ColumnFacts("id", False, "the shop's\n number"),
        ColumnFacts("a", False),
        ColumnFacts("b", True, "é"),
    )
    assert facts.keys == (("id",), ("b", "a"))


def test_a_column_that_passes_through_brings_its_comment(tables: MariaDB) -> None:
    text = "select x.id as number, b, upper(b) as u, v.id as other from `t.x` x join v using (id)"
    with tables.warehouse.connect(LABEL, HOUR) as session:
        for schema in (session.describe(Query(text)), session.execute(Query(text)).schema):
            said = descriptions_of(schema)
            assert said.pop("other", said["number"]) == said["number"]
            assert said == {"number": "the shop's number", "b": "é"}


def test_last_changes_of_every_kind_of_table(tables: MariaDB) -> None:
    names = ["shop.t.x", "shop.Upper", "parts", "isam"]

    def tokens() -> dict[str, str]:
        with tables.warehouse.connect(LABEL, HOUR) as session:
            found = session.last_changes([*names, "shop.v", "nope", "shop.nope"])
        assert set(found) == set(names)
        return {name: change.token for name, change in found.items()}

    def settled() -> dict[str, str]:
        def stays() -> dict[str, str] | None:
            found = tokens()
            return found if found == tokens() else None

        return await_value("tokens that stay", stays)

    seen = settled()
    for name, *statements in (
        ("shop.t.x", "insert into shop.`t.x` values (1, 2, 'x')"),
        ("shop.t.x", "truncate shop.`t.x`"),
        ("shop.Upper", "insert into shop.Upper values (1)"),
        ("shop.Upper", "alter table shop.Upper add column m int"),
        ("parts", "alter table shop.parts truncate partition p1"),
        ("isam", "insert into shop.isam values (1)"),
    ):
        tables.execute(*statements)
        now = tokens()
        changed = {each for each in names if now[each] != seen[each]}
        assert name in changed, statements
        seen = now


def test_last_changes_see_a_transaction_that_began_with_another(tables: MariaDB) -> None:
    """MariaDB notes the second in which a transaction began, and both began in the same."""

    def token() -> str:
        with tables.warehouse.connect(LABEL, HOUR) as session:
            return session.last_changes(["shop.Upper"])["shop.Upper"].token

    with tables.admin() as one, tables.admin() as other:
        cursors = [connection.cursor() for connection in (one, other)]
        await_value("the beginning of a second", lambda: time.time() % 1 < 0.3)
        later = time.time() + 3
        for cursor in cursors:
            cursor.execute("begin")
            cursor.execute("insert into shop.Upper values (1)")
        cursors[0].execute("commit")
        await_value("a time when that second is long over", lambda: time.time() > later)
        before = token()
        cursors[1].execute("commit")
        assert token() != before

"""`engine: unload` on Redshift: a query runs once, into a temporary table, and is written.

What is alike for all warehouses is tested with Snowflake, in `test_unload` and `test_reconcile`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from extract_project.errors import (
    Cause,
    ExtractError,
    RunEnded,
    StagingError,
    TypeMappingError,
    WarehouseError,
)
from extract_project.history.parts import load_manifest
from extract_project.history.versions import find_version
from extract_project.manifest.fields.partitions import Partition
from extract_project.stopping import Stop
from extract_project.warehouses.libpq.connection import Column
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project.warehouses.protocol import Query
from extract_project.warehouses.redshift.types import redshift_columns
from extract_project.warehouses.redshift.unload import require_writable, unload_sql
from extract_project_tests.conftest import Site
from extract_project_tests.support.redshift_server import execute, redshift_server
from extract_project_tests.support.redshift_server.unload import UNLOAD, Entry, Unloading
from extract_project_tests.support.unloads import CHECKS, HEADER, RedshiftRig
from extract_project_tests.support.waiting import await_value

COLUMNS = """
    n as id, (case when n % 3 <> 0 then n * 1000000007::bigint end)::decimal(38, 0) as wide,
    (n / 7.0)::decimal(18, 4) as price, n / 3.0::float8 as share, n % 2 = 0 as even,
    case when n % 5 <> 0 then 'Grüße ' || n end as label, date '2026-01-01' + n as day,
    timestamp '2026-01-01 00:00:00.000001' + n * interval '1 minute' as at,
    'it''s'::varchar(10) as "mixed ""case", (n % 100)::smallint as small,
    time '23:59:59.999999' as t
"""
SERIES = f"select {COLUMNS} from generate_series(1, {{}}) n"


@pytest.fixture
def red(site: Site, postgres: PostgresWarehouse) -> Iterator[RedshiftRig]:
    with redshift_server(postgres) as server:
        yield RedshiftRig(site, server)


def unloads(red: RedshiftRig) -> list[str]:
    return [each for each in red.server.statements if each.startswith("unload")]


def inserts(red: RedshiftRig) -> list[str]:
    """The statements that ran a query."""
    found = red.server.statements
    return [each for each in found if each.startswith("insert into extract_project_result ")]


def test_both_engines_publish_the_same(red: RedshiftRig) -> None:
    streamed = red.extract(HEADER.format("stream", CHECKS) + SERIES.format(250), "sales/streamed")
    unloaded = red.extract(HEADER.format("unload", CHECKS) + SERIES.format(250))
    before, done = red.publish(streamed), red.publish(unloaded)
    assert done.published.outcome == "published"
    assert red.rows(unloaded).equals(red.rows(streamed))
    ours, theirs = red.receipt(unloaded), red.receipt(streamed)
    for name in ("rows", "columns", "schema_sha256", "arrow_schema", "checks"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.metrics.nulls == theirs.metrics.nulls
    assert sorted(map(str, done.staged.preview)) == sorted(map(str, before.staged.preview))
    assert [part.rows for part in load_manifest(red.current(unloaded)).parts] == [100, 100, 50]
    assert str(ours.query_id).startswith("query ")
    assert len(red.lying()) == 3  # the warehouse's own manifest is hidden


def test_the_query_runs_once_and_nothing_stays_in_the_warehouse(red: RedshiftRig) -> None:
    red.publish(red.extract(HEADER.format("unload", "") + SERIES.format(250)))
    ran = [each for each in red.server.statements if "generate_series" in each]
    described, described_again, inserted = ran
    assert described == described_again
    assert inserted == f"insert into extract_project_result {described}"
    assert sum("rollback" in each for each in red.server.statements) == 2
    kept = "select count(*) from pg_class where relname like 'extract_project%'"
    await_value("no table", lambda: execute(red.server.postgres, kept)[0] == 0)


def test_values_are_bound_to_what_is_kept(red: RedshiftRig) -> None:
    params = 'params: {least: 10, word: "it\'s \\\\", at: 2026-01-01T00:00:00}\n'
    text = (
        "select n as id, :word as word, :at::timestamp as at from generate_series(1, 20) n "
        "where n >= :least"
    )
    extract = red.extract(HEADER.format("unload", params) + text)
    red.publish(extract)
    assert red.rows(extract).to_pylist()[0] == {
        "id": 10,
        "word": "it's \\",
        "at": datetime(2026, 1, 1),
    }
    assert any("select n as id, $1 as word, $2::timestamp" in each for each in inserts(red))


def test_a_partition_is_unloaded_by_itself(red: RedshiftRig) -> None:
    text = "select :partition_key as key, n as id from generate_series(1, 150) n"
    extract = red.extract(HEADER.format("unload", "partitions: [eu, us]\n") + text)
    red.publish(extract, partition=Partition("eu"))
    version = find_version(red.site.data.store, red.site.target(extract, "eu").key)
    assert version is not None
    assert len(load_manifest(version).parts) == 2


def test_a_result_without_rows_is_a_file_without_rows(red: RedshiftRig) -> None:
    """Redshift writes neither a file nor a manifest for it."""
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(0))
    assert red.publish(extract).published.outcome == "published"
    assert red.rows(extract).num_rows == 0
    assert red.rows(extract).schema.names[-1] == "t"
    assert red.lying() == []


@pytest.mark.parametrize(("least", "is_unloaded"), [(150, True), (151, False)])
def test_auto_unloads_results_of_many_rows(red: RedshiftRig, least: int, is_unloaded: bool) -> None:
    extract = red.extract(HEADER.format("auto", "") + SERIES.format(150))
    red.publish(extract, unload_from_rows=least)
    assert red.rows(extract).num_rows == 150
    assert bool(red.lying()) == is_unloaded
    assert len(inserts(red)) == 1


def test_auto_streams_what_redshift_would_not_write(red: RedshiftRig) -> None:
    text = "select 1 as id, timestamptz '2026-01-01 00:00+00' as at, '{\"a\": 1}'::jsonb as s"
    extract = red.extract(HEADER.format("auto", "") + text)
    red.publish(extract)
    assert red.rows(extract).to_pylist()[0]["s"] == '{"a": 1}'


def test_g12_equal_rows_in_another_order_add_no_version(red: RedshiftRig) -> None:
    first = red.publish(red.extract(HEADER.format("unload", "") + SERIES.format(20)))
    turned = red.extract(HEADER.format("unload", "") + SERIES.format(20) + " order by n desc")
    again = red.publish(turned)
    assert (again.published.outcome, again.published.version_id) == (
        "unchanged",
        first.published.version_id,
    )


@pytest.mark.parametrize(
    "change",
    [
        "share + case when n = 7 then 4e-16 else 0 end as share",  # the last of 17 digits
        pytest.param(  # for a NULL
            "case when n = 10 then '' else label end as label", marks=pytest.mark.soak
        ),
        pytest.param(
            "at + case when n = 7 then interval '1 microsecond' else interval '0' end as at",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_g12_rows_that_differ_in_one_value_add_a_version(red: RedshiftRig, change: str) -> None:
    name = change.rpartition(" ")[2]
    inner = f"select n, {COLUMNS} from generate_series(1, 20) n"
    for chosen in (name, change):
        text = f"select id, {chosen} from ({inner}) as r"
        extract = red.extract(HEADER.format("unload", "") + text)
        assert red.publish(extract).published.outcome == "published"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "select (case when n = 50 then 9223372036854775808 else n end)::decimal(38, 0) as n "
            "from generate_series(1, 99) n",
            "column 'n' has 9223372036854775808, beyond int64: to keep it, write 'integers: dec",
        ),
        ("select now() as at", "column 'at': write at at time zone 'UTC'"),
        ("select '{}'::jsonb as s", r"column 's': write json_serialize\(s\)"),
        ("select 1.5 as n", r"cast\(n as decimal\(38, 9\)\)"),
        ("select '\\x00'::bytea as b", r"column 'b': write from_varbyte\(b, 'hex'\)"),
        ('select 1 as "a\\b"', "has a backslash in its name"),
    ],
)
def test_g5_what_files_would_not_hold_is_refused_before_they_are_written(
    red: RedshiftRig, sql: str, told: str
) -> None:
    extract = red.extract(HEADER.format("unload", "") + sql)
    with pytest.raises(TypeMappingError, match=told):
        red.publish(extract)
    assert all("-attempt/" in each for each in unloads(red))
    assert red.lying() == []


# What goes wrong.


def _lost(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    red.site.s3.delete_object(Bucket=bucket, Key=entries[0]["url"].partition(f"{bucket}/")[2])
    return entries


def _foreign(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    red.put(f"{folder}0003_part_00.parquet", b"x")
    return entries


def _untold(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    return entries[1:]


def _changed(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    red.put(entries[0]["url"].partition(f"{bucket}/")[2], b"x")
    return entries


def _elsewhere(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    return [{**entries[0], "url": entries[0]["url"].replace("_parts", "other")}, *entries[1:]]


def _rows(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    meta = entries[0]["meta"]
    return [
        {**entries[0], "meta": {**meta, "record_count": meta["record_count"] - 1}},
        *entries[1:],
    ]


def _size(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> list[Entry]:
    meta = entries[0]["meta"]
    return [
        {**entries[0], "meta": {**meta, "content_length": meta["content_length"] + 1}},
        *entries[1:],
    ]


def in_the_result(lie: Callable[..., Any]) -> Callable[..., Any]:
    """The lie, but not in the attempt."""

    def told(red: RedshiftRig, bucket: str, folder: str, entries: list[Entry]) -> Any:
        return entries if folder.endswith("-attempt/") else lie(red, bucket, folder, entries)

    return told


RARE = (_changed, _untold, _elsewhere, _size)


@pytest.mark.parametrize(
    "lie", [_lost, _foreign, _rows, *(pytest.param(each, marks=pytest.mark.soak) for each in RARE)]
)
def test_g1_what_differs_from_the_manifest_is_refused(
    red: RedshiftRig, lie: Callable[..., Any]
) -> None:
    told = in_the_result(lie)
    red.server.unloading.listed = lambda bucket, folder, entries: told(red, bucket, folder, entries)
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(150))
    with pytest.raises(StagingError) as raised:
        red.publish(extract)
    assert raised.value.transient
    assert red.lying() == []
    assert find_version(red.site.data.store, red.site.target(extract).key) is None


_TOTAL = {"record_count": 7, "content_length": 7}


@pytest.mark.parametrize(
    ("manifests", "told"),
    [
        ([], "is missing"),
        ([{"meta": _TOTAL}], "says that there are 7 in 7"),
        pytest.param(
            *([{"entries": [{"url": "s3://x"}]}], "is not of the form that was expected"),
            marks=pytest.mark.soak,
        ),
        pytest.param([{}, {}], "was written more than once", marks=pytest.mark.soak),
    ],
)
def test_g1_a_manifest_that_contradicts_itself_is_no_list(
    red: RedshiftRig, manifests: list[dict[str, Any]], told: str
) -> None:
    """Nor one that is not there, or was replaced. `manifests`: what is put in its place."""

    def done(bucket: str, folder: str) -> None:
        key = f"{folder}manifest"
        true = json.loads(red.site.body(key))
        (version,) = red.site.version_ids(key)
        red.site.s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
        for each in manifests:
            red.put(key, json.dumps({**true, **each}).encode())

    red.server.unloading.done = done
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(150))
    with pytest.raises(ExtractError, match=told) as raised:
        red.publish(extract)
    assert getattr(raised.value, "transient", False)
    assert red.lying() == []


def test_g1_rows_that_are_written_otherwise_than_counted_are_refused(red: RedshiftRig) -> None:
    def shifted(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("at")
        later = pc.add(rows.column(at), pa.scalar(3_600_000_000, pa.duration("us")))
        return rows.set_column(at, "at", later)

    red.server.unloading.typed = shifted
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(250))
    with pytest.raises(StagingError, match="the values of 'at' in the files are"):
        red.publish(extract)


def _breaks(bucket: str, folder: str) -> None:
    if not folder.endswith("-attempt/"):
        raise ConnectionError("after everything was written")


@pytest.mark.parametrize(
    ("fault", "told", "cause"),
    [
        ({"fails_after": 1}, "SlowDown", Cause.BUSY),
        ({"done": _breaks}, "server closed the connection", Cause.NETWORK),
    ],
)
def test_g2_an_unload_that_fails_leaves_nothing_that_is_seen(
    red: RedshiftRig, fault: dict[str, Any], told: str, cause: Cause
) -> None:
    """Nor anything that the next one would find in its way."""
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(150))
    red.server.unloading = Unloading(**fault)
    with pytest.raises(WarehouseError, match=told) as raised:
        red.publish(extract)
    assert (raised.value.cause, raised.value.transient) == (cause, True)
    assert red.lying() == []
    red.server.unloading = Unloading()
    assert red.publish(extract).published.outcome == "published"


def test_a_role_that_is_not_the_clusters_is_known_before_the_query_runs(red: RedshiftRig) -> None:
    extract = red.extract(HEADER.format("unload", "") + SERIES.format(250))
    with pytest.raises(WarehouseError, match="Not authorized to assume IAM Role") as raised:
        red.publish(extract, unload_role="arn:aws:iam::123456789012:role/other")
    assert raised.value.cause is Cause.PERMISSION
    assert raised.value.line is None
    assert inserts(red) == []


@pytest.mark.parametrize("engine", ["unload", "auto"])
def test_a_missing_role_is_named_before_the_query_runs(red: RedshiftRig, engine: str) -> None:
    extract = red.extract(HEADER.format(engine, "") + "select 1 as n")
    with pytest.raises(WarehouseError, match="__UNLOAD_ROLE: set it") as raised:
        red.publish(extract, unload_role=None)
    assert (raised.value.cause, raised.value.transient) == (Cause.SETTINGS, False)


def test_a_user_that_may_make_no_temporary_tables_is_told_what_to_grant(red: RedshiftRig) -> None:
    execute(red.server.postgres, "create role reader login; grant pg_read_all_data to reader")
    execute(red.server.postgres, "revoke temporary on database postgres from public")
    red.server.role = "reader"
    try:
        with pytest.raises(WarehouseError, match="grant temporary on database") as raised:
            red.publish(red.extract(HEADER.format("unload", "") + "select 1 as n"))
        assert raised.value.cause is Cause.PERMISSION
    finally:
        execute(red.server.postgres, "grant temporary on database postgres to public")
        execute(red.server.postgres, "drop owned by reader; drop role reader")


def test_an_error_of_the_query_is_at_its_line_though_it_is_kept(red: RedshiftRig) -> None:
    extract = red.extract(HEADER.format("unload", "") + "select 1 as id,\n  nope as n")
    with pytest.raises(WarehouseError, match="nope") as raised:
        red.publish(extract)
    assert (raised.value.line, raised.value.column) == (5, 3)


def test_more_columns_than_a_summary_has_room_for_are_refused() -> None:
    described = [Column(f"c{number}", 23, -1) for number in range(400)]
    require_writable(redshift_columns(described[:399], Query("select")))
    with pytest.raises(TypeMappingError, match="cannot summarize 400 columns, but 399 at most"):
        require_writable(redshift_columns(described, Query("select")))


def test_files_are_encrypted_with_the_key_and_the_region_is_the_buckets() -> None:
    columns = redshift_columns([Column("it's", 23, -1)], Query("select"))
    sql = unload_sql(
        "kept", columns, "s3://acme/a/", role="default", region="eu-west-1", kms_key_id="key-1"
    )
    found = UNLOAD.fullmatch(sql)
    assert found
    assert found["query"] == """select "it''s" as "it''s" from kept"""
    assert (found["default"], found["region"], found["key"]) == ("default", "eu-west-1", "key-1")


def test_g8_a_run_that_is_ended_while_the_query_runs_cancels_it(red: RedshiftRig) -> None:
    text = "select count(*)::bigint as n from generate_series(1, 100000000000)"
    extract = red.extract(HEADER.format("unload", "") + text)
    stop, raised = Stop(extract.header.timeout), list[ExtractError]()

    def run() -> None:
        try:
            red.publish(extract, stop)
        except ExtractError as error:
            raised.append(error)

    running = threading.Thread(target=run)
    running.start()
    active = (
        "select count(*) from pg_stat_activity where application_name like 'extract %' "
        "and state = 'active' and query like 'insert into extract_project_result%'"
    )
    await_value("the query", lambda: execute(red.server.postgres, active)[0] == 1)
    stop.end()
    running.join(60)
    await_value("its end", lambda: execute(red.server.postgres, active)[0] == 0)
    assert isinstance(raised[0], RunEnded)
    assert red.lying() == []

"""`engine: unload`: the warehouse writes the files, and nothing that it says is believed."""

from __future__ import annotations

import io
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project.errors import (
    Cause,
    ExtractError,
    RunEnded,
    Superseded,
    TypeMappingError,
    WarehouseError,
)
from extract_project.history.parts import load_manifest, run_receipt, whole_key
from extract_project.history.reading import open_version
from extract_project.history.receipt import receipt_id
from extract_project.history.retention import Rule, find_prunable, key_prefixes, owns, remove
from extract_project.history.versions import find_version, list_versions
from extract_project.manifest.fields.partitions import Partition
from extract_project.pipeline.attempt import RefusedResult
from extract_project.pipeline.audit import Audit
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.stopping import Stop
from extract_project_tests.support.snowflake_server.engine import Answer, SnowflakeError
from extract_project_tests.support.snowflake_server.unload import File
from extract_project_tests.support.unloads import CHECKS, HEADER, SERIES, Rig
from extract_project_tests.support.waiting import await_value

TOO_OLD = datetime(2021, 1, 1, tzinfo=UTC)


def test_both_engines_publish_the_same(rig: Rig) -> None:
    streamed = rig.extract(HEADER.format("stream", CHECKS) + SERIES.format(251), "sales/streamed")
    unloaded = rig.extract(HEADER.format("unload", CHECKS) + SERIES.format(251))
    before = rig.publish(streamed)
    done = rig.publish(unloaded)
    assert done.published.outcome == "published"
    assert rig.rows(unloaded).equals(rig.rows(streamed))
    ours, theirs = rig.receipt(unloaded), rig.receipt(streamed)
    for name in ("rows", "columns", "schema_sha256", "arrow_schema", "checks"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.metrics.nulls == theirs.metrics.nulls
    assert done.staged.preview == before.staged.preview
    assert len(done.staged.preview) == 10
    manifest = load_manifest(rig.current(unloaded))
    assert [part.rows for part in manifest.parts] == [100, 100, 50]
    assert ours.query_id in {each.id for each in rig.server.service.queries}
    assert {run_receipt(part.key) for part in manifest.parts} == {ours.id}


def test_the_query_runs_once(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    texts = [each.sql for each in rig.server.service.queries]
    assert sum("range(" in each for each in texts) == 1
    assert [each.split()[0] for each in texts] == ["copy", "/*---", "select", "select", "copy"]


def test_g9_of_a_long_text_only_what_is_shown_is_fetched(rig: Rig) -> None:
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(251)))
    (first,) = (each.sql for each in rig.server.service.queries if "limit 10" in each.sql)
    assert 'left("LONG", 100) as "LONG"' in first


def test_a_result_without_rows_is_a_file_without_rows(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    empty = rig.extract(HEADER.format("unload", "") + SERIES.format(1))
    assert rig.publish(empty).published.outcome == "published"
    assert rig.rows(empty).num_rows == 0
    assert rig.rows(empty).schema.names == list(rig.receipt(extract).metrics.nulls)
    assert rig.lying() == []


@pytest.mark.parametrize(("least", "folder"), [(250, True), (251, False)])
def test_auto_unloads_results_of_many_rows(rig: Rig, least: int, folder: bool) -> None:
    extract = rig.extract(HEADER.format("auto", "") + SERIES.format(251))
    rig.publish(extract, unload_from_rows=least)
    assert rig.rows(extract).num_rows == 250
    assert bool(rig.lying()) == folder


def test_auto_streams_a_result_without_rows_whatever_the_setting(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("auto", "") + SERIES.format(1))
    rig.publish(extract, unload_from_rows=0)
    assert rig.rows(extract).num_rows == 0


def test_a_count_that_differs_from_the_announced_rows_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    asked = rig.server.service.engine.run

    def short(cursor: Any, sql: str, *more: Any) -> Answer:
        answer = asked(cursor, sql, *more)
        return replace(answer, total=251) if "range(1, 251)" in sql else answer

    monkeypatch.setattr(rig.server.service.engine, "run", short)
    with pytest.raises(WarehouseError, match="announced 251 rows, and counts 250"):
        rig.publish(extract)
    assert rig.lying() == []


def test_an_error_of_a_statement_of_ours_names_no_line_of_the_file(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    asked = rig.server.service.engine.run

    def failing(cursor: Any, sql: str, *more: Any) -> Answer:
        if "hash_agg" in sql:
            raise SnowflakeError(
                "000904", "42000", "SQL compilation error: error line 1 at position 7"
            )
        return asked(cursor, sql, *more)

    monkeypatch.setattr(rig.server.service.engine, "run", failing)
    with pytest.raises(WarehouseError, match="SQL compilation error") as raised:
        rig.publish(extract)
    assert raised.value.line is None


def test_g12_equal_rows_in_another_order_add_no_version(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    first = rig.publish(extract)
    named = rig.lying()
    turned = rig.extract(HEADER.format("unload", "") + SERIES.format(251) + " order by n desc")
    again = rig.publish(turned)
    assert (again.published.outcome, again.published.version_id) == (
        "unchanged",
        first.published.version_id,
    )
    assert rig.lying() == named
    other = rig.extract(HEADER.format("unload", "") + SERIES.format(252))
    assert rig.publish(other).published.outcome == "published"
    assert {run_receipt(key) for key in rig.lying()} == {rig.receipt(other).id}


def test_a_version_can_be_read_and_rolled_back_to_after_the_next(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    before = rig.rows(extract)
    old = rig.current(extract)
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(100)))
    reader = open_version(old)
    assert pa.Table.from_batches(reader, reader.schema).sort_by("ID").equals(before)
    target = Target.of(rig.site.data, extract)
    restore(rig.site.state, target, Order(old.version_id, "wrong rows", "ana"))
    assert rig.rows(extract).equals(before)
    assert len(rig.lying()) == 3


@pytest.mark.parametrize("columns", [{"B": [1], "A": [1]}, {"A": ["1"], "B": ["1"]}])
def test_parts_with_other_columns_are_not_read_as_if_they_had_the_same(
    rig: Rig, columns: dict[str, list[Any]]
) -> None:
    extract = rig.extract(
        HEADER.format("unload", "") + "select n as a, n as b from range(150) t(n)"
    )
    rig.publish(extract)
    current = rig.current(extract)
    manifest = load_manifest(current)
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    part = manifest.parts[1]
    put = rig.site.s3.put_object(Bucket=rig.site.data.bucket, Key=part.key, Body=body.getvalue())
    other = part.model_copy(update={"version_id": put["VersionId"], "bytes": len(body.getvalue())})
    mixed = manifest.model_copy(update={"parts": (manifest.parts[0], other)})
    store = rig.site.data.store
    store.put(current.key, mixed.model_dump_json().encode(), "application/json")
    with pytest.raises(pa.ArrowInvalid, match="Schema at index 1 was different"):
        open_version(rig.current(extract)).read_all()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "select case when n = 50 then 9223372036854775808 else n end::decimal(38, 0) as n "
            "from range(100) t(n)",
            "column 'N' has 9223372036854775808, beyond int64: to keep it, write 'integers: dec",
        ),
        (
            "select make_timestamp_ns(1767225600000000000 + (n = 50)::int) as at "
            "from range(100) t(n)",
            "column 'AT' has 2026-01-01 00:00:00.000000001, with digits beyond a microsecond",
        ),
        ("select timestamptz '2026-01-01 00:00:00+00' as at", 'does not write the type of "AT"'),
    ],
)
def test_g5_what_files_would_not_hold_is_refused_before_they_are_written(
    rig: Rig, sql: str, told: str
) -> None:
    extract = rig.extract(HEADER.format("unload", "") + sql)
    with pytest.raises(TypeMappingError, match=told):
        rig.publish(extract)
    copies = [each.sql for each in rig.server.service.queries if each.sql.startswith("copy")]
    assert all("-attempt/" in each for each in copies)


def test_a_declared_type_that_needs_a_cast_is_refused(rig: Rig) -> None:
    columns = "columns: {N: int32}\n"
    extract = rig.extract(HEADER.format("unload", columns) + "select 1 as n")
    with pytest.raises(TypeMappingError, match="'N' is int64, and the header declares int32"):
        rig.publish(extract)


def test_g1_a_check_that_fails_refuses_the_result_and_shows_its_rows(rig: Rig) -> None:
    checks = "checks:\n- between: {PRICE: [0, 20]}\n- unique: [ID]\n"
    extract = rig.extract(HEADER.format("unload", checks) + SERIES.format(251))
    with pytest.raises(RefusedResult) as raised:
        rig.publish(extract)
    (outcome,) = raised.value.outcomes
    assert "PRICE in 110 of 250 rows" in outcome.verdict.summary
    assert set(outcome.verdict.samples[0]) == {"row", "ID", "PRICE"}
    assert rig.lying() == []
    assert list(list_versions(rig.site.data.store, rig.site.target(extract).key)) == []


def test_only_columns_that_checks_name_are_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "'" + "x" * 40 + "' || hash(n) as noise"
    text = f"select n as id, {wide} from range(1, 40001) t(n)"
    checks = "checks:\n- max_null_ratio: {ID: 0}\n- min_rows: 40000\n"
    extract = rig.extract(HEADER.format("unload", checks) + text)
    rig.unloading.file_rows = 40_000
    read = 0
    fetch = type(rig.site.data.store).read_range

    def counted(self: Any, key: str, version_id: str, start: int, end: int) -> bytes:
        nonlocal read
        read += end - start
        return fetch(self, key, version_id, start, end)

    monkeypatch.setattr(type(rig.site.data.store), "read_range", counted)
    rig.publish(extract)
    (part,) = load_manifest(rig.current(extract)).parts
    assert read < part.bytes / 2


def test_g9_long_values_are_read_a_few_rows_at_a_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = "checks:\n- accepted_values: {KIND: [a]}\n- unique: [NOISE]\n"
    noise = "array_to_string([md5((n * 10000 + i)::varchar) for i in range(1000)], '') as noise"
    text = f"select 'a' as kind, {noise} from range(120) t(n)"
    extract = rig.extract(HEADER.format("unload", checks) + text)
    seen: list[int] = []
    observe = Audit.observe

    def watched(self: Audit, rows: pa.Table) -> None:
        seen.append(rows.nbytes)
        observe(self, rows)

    monkeypatch.setattr(Audit, "observe", watched)
    monkeypatch.setattr("extract_project.pipeline.unload._BATCH_BYTES", 1 << 20)
    rig.publish(extract)
    assert sum(seen) > 3 << 20
    assert max(seen) < 5 << 18


def test_g8_a_run_that_is_ended_cancels_the_unload_and_leaves_nothing(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    begun, ended = threading.Event(), threading.Event()

    def slow(bucket: str, folder: str, files: list[File]) -> list[File]:
        begun.set()
        ended.wait(60)
        return files

    rig.unloading.listed = slow
    stop = Stop(extract.header.timeout)
    raised: list[BaseException] = []

    def run() -> None:
        with suppress(ExtractError):
            try:
                rig.publish(extract, stop)
            except ExtractError as error:
                raised.append(error)
                raise

    running = threading.Thread(target=run)
    running.start()
    assert begun.wait(60)
    stop.end()
    running.join(60)
    ended.set()
    assert isinstance(raised[0], RunEnded)
    assert "for the warehouse to write the result, and its query was cancelled" in str(raised[0])
    (copy,) = (each for each in rig.server.service.queries if each.sql.startswith("copy"))
    await_value("the end of the statement", lambda: copy.state == "ABORTED")
    assert rig.lying() == []
    assert find_version(rig.site.data.store, rig.site.target(extract).key) is None


def test_g4_an_unload_that_a_later_run_has_overtaken_is_superseded(rig: Rig) -> None:
    """The later run hides the parts of the earlier one, which is still writing."""
    begun, overtaken = threading.Event(), threading.Event()

    def slow(bucket: str, folder: str, files: list[File]) -> list[File]:
        if not folder.endswith("-attempt/") and not begun.is_set():
            begun.set()
            overtaken.wait(60)
        return files

    rig.unloading.listed = slow
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    raised: list[ExtractError] = []

    def run() -> None:
        try:
            rig.publish(extract)
        except ExtractError as error:
            raised.append(error)

    earlier = threading.Thread(target=run)
    earlier.start()
    assert begun.wait(60)
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(301)))
    overtaken.set()
    earlier.join(60)
    assert isinstance(raised[0], Superseded)
    assert rig.rows(extract).num_rows == 300
    assert {run_receipt(key) for key in rig.lying()} == {rig.receipt(extract).id}


def test_parts_that_no_version_names_any_more_can_be_pruned(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    old = load_manifest(rig.current(extract))
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(252)))
    rule = Rule(0, datetime.now(UTC) + timedelta(days=1))
    found = find_prunable(rig.site.state, rig.site.data, "sales/orders", rule)
    parts = {(each.stored.key, each.stored.version_id) for each in found if each.kind == "part"}
    attempts = {each for each in parts if "-attempt/" in each[0]}
    assert parts - attempts == {(part.key, part.version_id) for part in old.parts}
    remove(rig.site.data.store, found)
    assert rig.rows(extract).num_rows == 251
    assert find_prunable(rig.site.state, rig.site.data, "sales/orders", rule) == []


def test_what_a_killed_run_left_is_hidden_by_the_next(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    (first, *_) = rig.lying()
    left = first.replace(rig.receipt(extract).id, "20260101T000000.000000Z-0badcafe")
    rig.put(left, b"x")
    later = first.replace(rig.receipt(extract).id, "29990101T000000.000000Z-0badcafe")
    rig.put(later, b"x")
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(252)))
    assert left not in rig.lying()
    assert later in rig.lying()  # of a run that may be about to publish


def test_a_folder_whose_name_ends_like_that_of_parts_is_another(rig: Rig) -> None:
    path = "spare_parts/orders"
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251), path)
    rig.publish(extract)
    assert {whole_key(key) for key in rig.lying()} == {rig.site.target(extract).key}
    rig.publish(rig.extract(HEADER.format("unload", "") + SERIES.format(100), path))
    assert len(rig.lying()) == 1


def test_what_a_killed_run_left_is_hidden_although_nothing_changes(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    rig.publish(extract)
    current, (named, *_) = rig.current(extract), rig.lying()
    years_ago = datetime(2020, 1, 1, tzinfo=UTC)
    older = load_manifest(current).model_copy(update={"started_at": years_ago})
    facts = {**current.provenance, "started-at": years_ago.isoformat()}
    store = rig.site.data.store
    store.put(current.key, older.model_dump_json().encode(), "application/json", facts=facts)
    later = datetime.now(UTC) - timedelta(hours=1)
    left = [named.replace(rig.receipt(extract).id, receipt_id(at)) for at in (TOO_OLD, later)]
    for key in left:
        rig.put(key, b"x")
    assert rig.publish(extract).published.outcome == "unchanged"
    assert set(left) & set(rig.lying()) == {left[1]}


@pytest.mark.parametrize("path", ["{partition}/orders", "sales/{partition}", "{partition}"])
def test_no_version_is_found_twice_by_the_prefixes_of_its_keys(rig: Rig, path: str) -> None:
    """A version that is listed twice would seem to be replaced by itself."""
    header = f"path: '{path}'\npartitions: [eu, us]\n"
    where = " where :partition_key <> ''"
    extract = rig.extract(HEADER.format("unload", header) + SERIES.format(9) + where)
    rig.publish(extract, partition=Partition("eu"))
    found = key_prefixes(rig.site.data, "sales/orders", extract)
    listed = [each for prefix in found for each in rig.site.data.store.history(prefix)]
    assert len(listed) == len({(each.key, each.version_id) for each in listed})
    published = {rig.site.target(extract, "eu").key, *rig.lying()}
    assert {each.key for each in listed} >= published
    assert all(owns(rig.site.data, "sales/orders", key, extract) for key in published)


def test_g2_parts_of_a_published_manifest_are_not_hidden_after_a_refused_repetition(
    rig: Rig,
) -> None:
    """S3 has published, the reply is lost, and the client's own repetition is refused."""
    extract = rig.extract(HEADER.format("unload", "") + SERIES.format(251))
    key = rig.site.target(extract).key
    events = rig.site.s3.meta.events
    sent: list[object] = []

    def first(params: dict[str, Any], **_: object) -> None:
        if params["url_path"].endswith(key) and not sent:
            sent.append(params)
            prefix = "x-amz-meta-"
            headers = params["headers"].items()
            facts = {name.removeprefix(prefix): v for name, v in headers if prefix in name}
            body = params["body"]
            bucket = rig.site.data.bucket
            rig.site.s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=facts)

    events.register("before-call.s3.PutObject", first)
    done = rig.publish(extract)
    events.unregister("before-call.s3.PutObject", first)
    assert sent
    assert done.published.outcome == "published"
    assert len(rig.lying()) == 3


@pytest.mark.parametrize("engine", ["unload", "auto"])
def test_a_missing_integration_is_named_before_the_query_runs(rig: Rig, engine: str) -> None:
    extract = rig.extract(HEADER.format(engine, "") + "select 1 as n")
    with pytest.raises(WarehouseError, match="__STORAGE_INTEGRATION: set it to") as raised:
        rig.publish(extract, storage_integration=None)
    assert (raised.value.cause, raised.value.transient) == (Cause.SETTINGS, False)
    assert rig.server.service.queries == []


def test_an_integration_that_snowflake_does_not_know_is_named(rig: Rig) -> None:
    extract = rig.extract(HEADER.format("unload", "") + "select 1 as n")
    with pytest.raises(WarehouseError, match="Integration 'UNKNOWN' does not exist") as raised:
        rig.publish(extract, storage_integration="unknown")
    assert (raised.value.line, raised.value.transient) == (None, False)

"""What becomes visible, and when: G1, G2, G4, G10, G12 against a real S3 server."""

from __future__ import annotations

import io
import signal
import subprocess
import threading
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Self

import pyarrow.parquet as pq
import pytest

from extract_project.errors import (
    AuditError,
    QueryTimeout,
    StagingError,
    Superseded,
    TypeMappingError,
    WarehouseError,
)
from extract_project.history.receipt import load_receipt
from extract_project.history.versions import find_version, list_versions
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import publish, settle
from extract_project.publish.target import sweep
from extract_project.store.destination import DATA
from extract_project.store.folder import Location
from extract_project.store.protocol import Absent
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.killable import await_line, kill, start_process
from extract_project_tests.support.publishing import MANY, ROWS, begin, materialize
from extract_project_tests.support.waiting import await_value

ENDLESS = "select sum(a.i * b.i) from range(10000000) a(i), range(10000000) b(i)"


@pytest.mark.parametrize("rows", [10, MANY], ids=["one put", "multipart"])
def test_g1_nothing_is_visible_before_it_is_whole(site: Site, rows: int) -> None:
    extract = site.extract("a/b", ROWS.format(rows=rows))
    target = site.target(extract)
    with stage(
        DuckDBWarehouse(type="duckdb"),
        extract,
        [Place(DATA, target, site.state)],
        Provenance("run"),
    ) as staged:
        assert find_version(target.store, target.key) is None
        assert site.open_uploads() == (rows == MANY)
        published = settle(site.state, staged, extract.header)
    assert site.version_ids(target.key) == [published.version_id]
    assert pq.read_table(io.BytesIO(site.body(target.key))).num_rows == rows


@pytest.mark.slow
def test_g1_a_polling_reader_only_sees_complete_audited_objects(site: Site) -> None:
    """Reruns, refusals, failures and kills, while somebody reads the key all the time."""
    good = site.extract("a/b", ROWS.format(rows=400_000))
    materialize(site, good)
    key = site.target(good).key
    seen: list[tuple[str, int]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            body = site.body(key)
            seen.append((sha256(body).hexdigest(), pq.read_table(io.BytesIO(body)).num_rows))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        sizes = [400_000]
        for rows in (500_000, 300_000):
            extract = site.extract("a/b", ROWS.format(rows=rows))
            materialize(site, extract)
            sizes.append(rows)
            refuse(site, rows * 2)
            fail(site)
            kill_when_staged(site, rows * 2)
    finally:
        stop.set()
        reader.join()
    published = {
        (v.provenance["receipt"], v.version_id) for v in list_versions(site.data.store, key)
    }
    assert len(published) == len(sizes)
    assert {rows for _, rows in seen} <= set(sizes)
    assert len({digest for digest, _ in seen}) <= len(sizes)


def refuse(site: Site, rows: int) -> None:
    text = f"/*---\nchecks: [{{max_rows: 1}}]\n---*/\n{ROWS.format(rows=rows)}"
    extract = site.extract("a/b", text)
    with stage(
        DuckDBWarehouse(type="duckdb"),
        extract,
        [Place(DATA, site.target(extract), site.state)],
        Provenance("refused"),
    ) as staged:
        assert any(outcome.refuses for outcome in staged.outcomes)


def fail(site: Site) -> None:
    extract = site.extract(
        "a/b", "select case when i > 900000 then error('boom') end from range(1000000) t(i)"
    )
    with pytest.raises(WarehouseError, match="boom"):
        materialize(site, extract)


def kill_when_staged(site: Site, rows: int) -> None:
    site.put_sql("a/b", ROWS.format(rows=rows))
    process = start_process(site, "a/b")
    await_line(process, "started")
    await_line(process, "staged")
    kill(process)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(0, id="before the upload"),
        pytest.param(1, id="one part", marks=pytest.mark.soak),
        pytest.param(3, id="three parts"),
    ],
)
def test_g2_kill_9_during_the_upload(site: Site, parts: int) -> None:
    before = materialize(site, site.extract("a/b", ROWS.format(rows=10)))
    key = site.target(site.extract("a/b", ROWS.format(rows=3_000_000))).key
    process = start_process(site, "a/b")
    await_line(process, "started")
    await_value(f"{parts} parts", lambda: parts == 0 or count_parts(site) >= parts)
    kill(process)
    assert site.version_ids(key) == [before.version_id]
    assert pq.read_table(io.BytesIO(site.body(key))).num_rows == 10
    assert_swept(site, key)


@pytest.mark.slow
def test_g2_kill_9_when_everything_is_staged(site: Site) -> None:
    before = materialize(site, site.extract("a/b", ROWS.format(rows=10)))
    key = site.target(site.extract("a/b", ROWS.format(rows=MANY))).key
    kill_when_staged(site, MANY)
    assert site.version_ids(key) == [before.version_id]
    assert site.open_uploads() == 1
    assert_swept(site, key)


@pytest.mark.slow
def test_g2_killed_after_publishing_leaves_the_whole_result(site: Site) -> None:
    site.put_sql("a/b", ROWS.format(rows=MANY))
    process = start_process(site, "a/b")
    await_line(process, "started")
    await_line(process, "staged")
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    version_id = await_line(process, "published").split()[1]
    kill_if_running(process)
    key = "extracts/a/b.parquet"
    assert site.version_ids(key) == [version_id]
    assert pq.read_table(io.BytesIO(site.body(key))).num_rows == MANY


def kill_if_running(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def count_parts(site: Site) -> int:
    count = 0
    for begun in site.s3.list_multipart_uploads(Bucket=site.data.bucket).get("Uploads", []):
        reply = site.s3.list_parts(
            Bucket=site.data.bucket, Key=begun["Key"], UploadId=begun["UploadId"]
        )
        count += len(reply.get("Parts", []))
    return count


def assert_swept(site: Site, key: str) -> None:
    """What a kill leaves is what a later sweep removes; a younger upload it leaves alone."""
    left = site.open_uploads()
    assert sweep_older(site, key, timedelta(hours=1)) == 0
    assert site.open_uploads() == left
    assert sweep_older(site, key, timedelta(seconds=-60)) == left
    assert site.open_uploads() == 0


@pytest.mark.parametrize(("hours", "left"), [(24, 1), (26, 0)])
def test_g2_a_sweep_spares_runs_whatever_the_timeout_is_now(
    site: Site, monkeypatch: pytest.MonkeyPatch, hours: int, left: int
) -> None:
    """The header was lowered while a run went on that had begun under the old one."""
    key = "extracts/a/b.parquet"
    site.s3.create_multipart_upload(Bucket=site.data.bucket, Key=key)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=hours)

    monkeypatch.setattr("extract_project.publish.target.datetime", Later)
    materialize(site, site.extract("a/b", "/*---\ntimeout: 1m\n---*/\nselect 1 as one"))
    assert site.open_uploads() == left


def sweep_older(site: Site, key: str, age: timedelta) -> int:
    return sweep(site.data.store, key, key.__eq__, age)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "select i, 1/0 as x, error('late') from range(2000000) t(i) where i > 1999990",
            WarehouseError,
        ),
        (
            "select i, case when i = 1900000 then date 'infinity' end d from range(2000000) t(i)",
            TypeMappingError,
        ),
        ("/*---\nchecks: [{unique: nope}]\n---*/\nselect 1 as one", AuditError),
        ("/*---\nchecks: [{sql: select nope from result}]\n---*/\nselect 1 as one", AuditError),
        (
            f"/*---\ntimeout: 1s\n---*/\n{ENDLESS}",
            QueryTimeout,
        ),
    ],
    ids=["query fails late", "a value does not fit", "unknown column", "check fails", "timeout"],
)
def test_g2_a_failure_leaves_nothing_behind(site: Site, text: str, error: type[Exception]) -> None:
    before = materialize(site, site.extract("a/b", "select 1 as one"))
    extract = site.extract("a/b", text)
    with pytest.raises(error):
        materialize(site, extract)
    assert site.version_ids(site.target(extract).key) == [before.version_id]
    assert site.open_uploads() == 0


def test_g2_a_refused_result_is_aborted(site: Site) -> None:
    before = materialize(site, site.extract("a/b", ROWS.format(rows=10)))
    refuse(site, MANY)
    assert site.version_ids("extracts/a/b.parquet") == [before.version_id]
    assert site.open_uploads() == 0


def test_g2_an_interrupted_run_cancels_and_aborts(site: Site) -> None:
    site.put_sql("a/b", ENDLESS)
    process = start_process(site, "a/b")
    await_line(process, "started")
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=30)
    finally:
        kill_if_running(process)
    assert process.returncode != 0
    assert site.version_ids("extracts/a/b.parquet") == []
    assert site.open_uploads() == 0


@pytest.mark.each_s3_server
@pytest.mark.parametrize("rows", [10, MANY], ids=["one put", "multipart"])
def test_g4_of_two_runs_the_later_started_wins(attempts: ExitStack, site: Site, rows: int) -> None:
    extract = site.extract("a/b", ROWS.format(rows=rows))
    earlier = begin(attempts, site, extract, "earlier")
    later = begin(attempts, site, extract, "later")
    won = publish(site.state, later)
    with pytest.raises(Superseded, match="newer data stays"):
        publish(site.state, earlier)
    earlier.output.abort()
    assert site.version_ids(site.target(extract).key) == [won]
    assert site.open_uploads() == 0
    with pytest.raises(StagingError, match="has ended"):
        earlier.output.publish(Absent())


@pytest.mark.each_s3_server
def test_g4_a_run_started_earlier_is_published_over(attempts: ExitStack, site: Site) -> None:
    extract = site.extract("a/b", ROWS.format(rows=10))
    earlier = begin(attempts, site, extract, "earlier")
    later = begin(attempts, site, extract, "later")
    first = publish(site.state, earlier)
    second = publish(site.state, later)
    assert site.version_ids(site.target(extract).key) == [second, first]


@pytest.mark.each_s3_server
def test_g4_what_was_current_when_the_run_began_is_published_again_over_older_data(
    attempts: ExitStack, site: Site
) -> None:
    """A run under way publishes or deletes; a later one that has the content from before wins."""
    first = site.extract("a/b", "select 1 as n")
    materialize(site, first)
    earlier = begin(attempts, site, site.extract("a/b", "select 2 as n"), "earlier")
    later, last = (begin(attempts, site, first, run_id) for run_id in ("later", "last"))
    publish(site.state, earlier)
    assert settle(site.state, later, first.header).outcome == "published"
    key = site.target(first).key
    assert site.body(key) == site.body(key, site.version_ids(key)[-1])
    site.s3.delete_object(Bucket=site.data.bucket, Key=key)
    assert settle(site.state, last, first.header).outcome == "published"
    assert len(site.version_ids(key)) == 4


def test_g4_a_version_of_a_clock_ahead_stays_until_that_time(site: Site) -> None:
    """Which run is the later one is said by their clocks."""
    extract = site.extract("a/b", "select 1 as n")
    materialize(site, extract)
    key = site.target(extract).key
    metadata = site.s3.head_object(Bucket=site.data.bucket, Key=key)["Metadata"]
    for minutes, is_ahead in ((10, True), (-10, False)):
        started_at = datetime.now(UTC) + timedelta(minutes=minutes)
        site.s3.put_object(
            Bucket=site.data.bucket,
            Key=key,
            Body=site.body(key),
            Metadata={**metadata, "extract-started-at": started_at.isoformat()},
        )
        other = site.extract("a/b", "select 2 as n")
        with pytest.raises(Superseded, match="started later") if is_ahead else nullcontext():
            assert materialize(site, other).outcome == "published"


@pytest.mark.each_s3_server
def test_g4_publishing_again_after_a_lost_reply_is_the_same_version(
    attempts: ExitStack, site: Site
) -> None:
    """S3 applied the write and the reply was lost: the retry finds the run's own version."""
    extract = site.extract("a/b", ROWS.format(rows=10))
    staged = begin(attempts, site, extract, "run")
    first = publish(site.state, staged)
    again = begin(attempts, site, extract, "run")
    assert publish(site.state, replace(staged, output=again.output)) == first
    assert site.version_ids(site.target(extract).key) == [first]


@pytest.mark.each_s3_server
def test_an_upload_that_somebody_aborted_is_a_transient_error(
    attempts: ExitStack, site: Site
) -> None:
    extract = site.extract("a/b", ROWS.format(rows=MANY))
    staged = begin(attempts, site, extract, "run")
    staged.output.sweep(timedelta(seconds=-60))
    with pytest.raises(StagingError) as raised:
        publish(site.state, staged)
    assert raised.value.transient
    staged.output.abort()


@pytest.mark.parametrize("rows", [10, MANY], ids=["one put", "multipart"])
def test_g10_a_version_leads_back_to_what_made_it(site: Site, rows: int) -> None:
    extract = site.extract("a/b", ROWS.format(rows=rows))
    published = materialize(site, extract, "run-7")
    key = site.target(extract).key
    version = find_version(site.data.store, key, published.version_id)
    assert version is not None
    assert version.provenance["run-id"] == "run-7"
    assert version.provenance["sql-key"] == "sql/a/b.sql"
    assert version.provenance["sql-version"] == extract.source.version_id
    assert version.provenance["sql-sha256"] == sha256(extract.text.encode()).hexdigest()
    receipt = load_receipt(site.state, key, version.provenance["receipt"])
    assert receipt is not None
    assert receipt.rows == rows
    assert receipt.sql == extract.text
    assert receipt.data_sha256 == sha256(site.body(key)).hexdigest()
    assert [column.name for column in receipt.columns] == ["i", "digest"]
    assert (receipt.columns[0].lowest, receipt.columns[0].highest) == ("0", str(rows - 1))
    if rows == 10:
        assert version.provenance["rows"] == "10"
        assert version.provenance["data-sha256"] == receipt.data_sha256


@pytest.mark.each_s3_server
@pytest.mark.parametrize("rows", [10, MANY], ids=["one put", "multipart"])
def test_g12_the_same_again_adds_no_version(site: Site, rows: int) -> None:
    extract = site.extract("a/b", ROWS.format(rows=rows))
    first = materialize(site, extract)
    again = materialize(site, extract)
    assert (first.outcome, again.outcome) == ("published", "unchanged")
    assert again.version_id == first.version_id
    assert site.version_ids(site.target(extract).key) == [first.version_id]
    assert site.open_uploads() == 0


def test_g12_unless_the_header_wants_one(site: Site) -> None:
    extract = site.extract("a/b", "/*---\nunchanged: publish\n---*/\nselect 1 as one")
    assert [materialize(site, extract).outcome for _ in range(2)] == ["published"] * 2


def test_an_empty_result_is_a_file_with_columns(site: Site) -> None:
    full = site.extract("a/full", "select 1::decimal(20, 2) as a, now() as b")
    empty = site.extract("a/empty", "select 1::decimal(20, 2) as a, now() as b where false")
    for extract in (full, empty):
        materialize(site, extract)
    schemas = [
        pq.read_schema(io.BytesIO(site.body(site.target(each).key))) for each in (full, empty)
    ]
    assert schemas[0].equals(schemas[1], check_metadata=True)


def test_on_empty_keep_keeps_what_is_there(site: Site) -> None:
    first = materialize(site, site.extract("a/b", "select 1 as one"))
    empty = site.extract("a/b", "/*---\non_empty: keep\n---*/\nselect 1 as one where false")
    kept = materialize(site, empty)
    assert (kept.outcome, kept.version_id) == ("kept", first.version_id)


def test_the_part_size_grows_before_parts_run_out(site: Site) -> None:
    from extract_project.store.s3.upload import part_size

    sizes = [part_size(number) for number in range(1, 10_001)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 8 << 20
    assert max(sizes) == 64 << 20
    assert sum(sizes) > 256 << 30


def test_a_bucket_without_versioning_is_refused(site: Site) -> None:
    from extract_project.errors import BucketError

    site.data.store.require_versioning()
    site.s3.put_bucket_versioning(
        Bucket=site.data.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    with pytest.raises(BucketError, match="put-bucket-versioning --bucket"):
        site.data.store.require_versioning()
    with pytest.raises(BucketError, match="does not exist"):
        site.folders.stores.bucket(Location("no-such-bucket")).require_versioning()

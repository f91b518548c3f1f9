"""Several part objects and one manifest object: G1, G2, G4, G9, G12 of a split extract."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract_project.errors import Cause, NotPublished, StagingError, Superseded
from extract_project.history.parts import PartsManifest, list_parts, load_manifest
from extract_project.history.reading import open_version
from extract_project.history.versions import Version, find_version, require_version
from extract_project.pipeline.staging import Staged
from extract_project.publish.publishing import publish, settle
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.store.protocol import Absent, Holds
from extract_project_tests.conftest import Site
from extract_project_tests.support.killable import await_line, kill, start_process
from extract_project_tests.support.publishing import begin, materialize
from extract_project_tests.support.waiting import await_value

pytestmark = pytest.mark.each_s3_server

KEY = "extracts/a/b/_manifest.json"
ROWS = "select i, md5(i::varchar) as digest, {mark} as mark from range({rows}) t(i) order by i"


def split(rows: int, mark: int = 0, header: str = "split: {rows: 100}") -> str:
    """A result of parts of a hundred rows."""
    return f"/*---\n{header}\n---*/\n{ROWS.format(rows=rows, mark=mark)}"


def current(site: Site) -> Version:
    return require_version(site.data.store, KEY)


def manifest_of(site: Site, version: Version | None = None) -> PartsManifest:
    return load_manifest(version or current(site))


def numbers(site: Site, version: Version) -> list[int]:
    return list(open_version(version).read_all()["i"].to_pylist())


def lying(site: Site) -> list[str]:
    """Names of the part objects that a listing shows."""
    return [key.rpartition("/")[2] for key in list_parts(site.data.store, KEY, site.data.prefix)]


@pytest.fixture
def attempts(site: Site) -> Iterator[ExitStack]:
    """Runs that are under way; what they have not published is aborted at the end."""
    with ExitStack() as stack:
        yield stack


def test_g1_parts_appear_after_the_audit_and_the_manifest_last(
    attempts: ExitStack, site: Site
) -> None:
    staged = begin(attempts, site, site.extract("a/b", split(250)), "run")
    assert site.open_uploads() == 3
    assert lying(site) == []
    assert find_version(site.data.store, KEY) is None
    settle(site.state, staged, site.extract("a/b", split(250)).header)
    version = current(site)
    manifest = manifest_of(site)
    assert [part.rows for part in manifest.parts] == [100, 100, 50]
    assert [part.key.rpartition("/")[2] for part in manifest.parts] == lying(site)
    for part in manifest.parts:
        body = site.body(part.key, part.version_id)
        assert (len(body), sha256(body).hexdigest()) == (part.bytes, part.sha256)
        assert pq.read_table(io.BytesIO(body)).num_rows == part.rows
        found = find_version(site.data.store, part.key)
        assert found
        assert found.provenance["receipt"] == version.provenance["receipt"] == manifest.receipt
    assert numbers(site, version) == list(range(250))
    assert version.provenance["rows"] == "250"
    assert (staged.receipt.parts, staged.receipt.rows) == (3, 250)
    assert site.open_uploads() == 0


@pytest.mark.parametrize(
    ("name", "codec", "rows"),
    [
        *[("parquet", "zstd", 250), ("arrow", "zstd", 250), ("csv", "gzip", 250)],
        *[("jsonl", "none", 250), ("jsonl", "none", 0), ("parquet", "zstd", 0)],
    ],
)
def test_every_format_reads_back_as_one(site: Site, name: str, codec: str, rows: int) -> None:
    header = f"split: {{rows: 100}}\nformat: {name}\ncompression: {codec}"
    materialize(site, site.extract("a/b", split(rows, header=header)))
    read = open_version(current(site)).read_all()
    assert read.schema.names == ["i", "digest", "mark"]
    assert read.schema.types == [pa.int64(), pa.string(), pa.int32()]
    assert read["i"].to_pylist() == list(range(rows))
    assert len(manifest_of(site).parts) == max(1, -(-rows // 100))


def test_parts_of_a_size_end_with_the_row_group_that_reaches_it(site: Site) -> None:
    header = "split: {bytes: 8MB}"
    materialize(site, site.extract("a/b", split(2_000_000, header=header)))
    *full, last = [part.bytes for part in manifest_of(site).parts]
    assert len(full) > 1
    assert all(8 << 20 <= size < 22 << 20 for size in full)
    assert last < 22 << 20


@pytest.mark.parametrize(
    ("rows", "size", "least"), [(200_000, 10, 20), (100_001, 10, 11), (20_000, 1, 2)]
)
def test_too_many_parts_are_refused_at_the_first_rows_that_show_it(
    site: Site, rows: int, size: int, least: int
) -> None:
    """200,000 rows in parts of 10 took two minutes and 10,000 uploads to be refused."""
    extract = site.extract("a/b", split(rows, header=f"split: {{rows: {size}}}"))
    uploads: list[str] = []
    register = site.s3.meta.events.register
    register("before-call.s3.CreateMultipartUpload", lambda **_: uploads.append("begun"))
    told = (
        rf"'split: {{rows: {size}}}' makes more than 10,000 parts .* they hold {size * 10_000:,} "
        rf"rows, and there are {rows:,} so far; .* rows: {least} or more"
    )
    with pytest.raises(StagingError, match=told) as raised:
        materialize(site, extract)
    assert (raised.value.cause, raised.value.transient) == (Cause.SQL, False)
    assert uploads == []
    assert lying(site) == []


@pytest.mark.slow
def test_readers_of_a_manifest_see_one_set_while_reruns_publish_fewer_and_more(site: Site) -> None:
    """Each result says in every row how many rows it has."""
    materialize(site, site.extract("a/b", split(300, 300)))
    seen: list[tuple[int, set[int]]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            table = open_version(current(site)).read_all()
            seen.append((table.num_rows, set(table["mark"].to_pylist())))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for rows in (700, 100, 1200, 200, 500):
            materialize(site, site.extract("a/b", split(rows, rows)))
            die_between_parts_and_manifest(site, 2 * rows)
    finally:
        stop.set()
        reader.join()
    assert len({rows for rows, _ in seen}) > 1
    assert all(marks == {rows} for rows, marks in seen)


def test_an_older_manifest_still_finds_its_parts_after_fewer_were_published(site: Site) -> None:
    many = materialize(site, site.extract("a/b", split(500)))
    few = materialize(site, site.extract("a/b", split(200)))
    older = require_version(site.data.store, KEY, many.version_id)
    assert lying(site) == ["part-00000.parquet", "part-00001.parquet"]
    assert numbers(site, older) == list(range(500))
    assert numbers(site, current(site)) == list(range(200))
    assert site.version_ids(KEY) == [few.version_id, many.version_id]


def test_a_rollback_makes_the_parts_of_an_older_manifest_current_again(site: Site) -> None:
    materialize(site, site.extract("a/b", split(rows=250)))
    old = current(site)
    materialize(site, site.extract("a/b", split(rows=50, mark=1)))
    new = current(site)
    target = Target(site.data.store, KEY)
    restored = restore(site.state, target, Order(old.version_id, "half is missing", "ada"))
    assert restored.replaced == new
    assert numbers(site, current(site)) == list(range(250))
    assert len(lying(site)) == 3
    named = {part.key: part.version_id for part in manifest_of(site).parts}
    assert {key: site.version_ids(key)[0] for key in named} == named  # and none of them expires
    restore(site.state, target, Order(new.version_id, "it was right", "ada"))
    assert numbers(site, current(site)) == list(range(50))
    assert len(lying(site)) == 1
    assert site.open_uploads() == 0


def test_a_rollback_says_which_part_is_gone(site: Site) -> None:
    materialize(site, site.extract("a/b", split(rows=250)))
    old = current(site)
    materialize(site, site.extract("a/b", split(rows=50, mark=1)))
    lost = manifest_of(site, old).parts[0]
    site.s3.delete_object(Bucket=site.data.bucket, Key=lost.key, VersionId=lost.version_id)
    with pytest.raises(NotPublished, match=r"part s3://.*part-00000.parquet version .* is gone"):
        restore(site.state, Target(site.data.store, KEY), Order(old.version_id, "why", "ada"))
    assert numbers(site, current(site)) == list(range(50))


def test_another_format_leaves_no_part_of_the_one_before(site: Site) -> None:
    materialize(site, site.extract("a/b", split(200)))
    materialize(site, site.extract("a/b", split(100, header="split: {rows: 100}\nformat: csv")))
    assert lying(site) == ["part-00000.csv.gz"]


def test_tidying_leaves_alone_what_a_later_run_has_completed(
    attempts: ExitStack, site: Site
) -> None:
    """The later run has completed its parts when the earlier one tidies, but not its manifest."""
    earlier = begin(attempts, site, site.extract("a/b", split(100)), "earlier")
    later = begin(attempts, site, site.extract("a/b", split(300)), "later")
    complete_parts(site, later)
    published = settle(site.state, earlier, site.extract("a/b", split(100)).header)
    assert published.outcome == "published"
    assert len(lying(site)) == 3
    publish(site.state, later)
    assert numbers(site, current(site)) == list(range(300))
    assert len(lying(site)) == 3


def complete_parts(site: Site, staged: Staged) -> None:
    """Publish as far as the manifest, which does not leave this machine."""

    def refuse(**_: object) -> None:
        raise ConnectionError

    previous = staged.previous
    condition = Holds(previous.object.token) if previous else Absent()
    staged.output.prepare(staged.receipt)
    site.s3.meta.events.register("before-call.s3.PutObject", refuse)
    try:
        with pytest.raises(ConnectionError):
            staged.output.publish(condition)
    finally:
        site.s3.meta.events.unregister("before-call.s3.PutObject", refuse)


def die_between_parts_and_manifest(site: Site, rows: int) -> None:
    with ExitStack() as attempts:
        staged = begin(attempts, site, site.extract("a/b", split(rows, rows)), "died")
        complete_parts(site, staged)


@pytest.mark.slow
@pytest.mark.parametrize(
    "phase", ["one upload", "staged", pytest.param("parts completed", marks=pytest.mark.soak)]
)
def test_g2_kill_9_leaves_the_previous_version(attempts: ExitStack, site: Site, phase: str) -> None:
    before = materialize(site, site.extract("a/b", split(300, 1)))
    site.put_sql("a/b", split(60_000, 2))
    process = start_process(site, "a/b")
    await_line(process, "started")
    if phase == "one upload":
        await_value("an upload", lambda: site.open_uploads() > 0)
    else:
        await_line(process, "staged")
    if phase == "parts completed":
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        await_value("a completed part", lambda: len(lying(site)) > 3)
    kill(process)
    assert site.open_uploads() > 0
    assert site.version_ids(KEY) == [before.version_id]
    assert numbers(site, current(site)) == list(range(300))
    staged = begin(attempts, site, site.extract("a/b", split(100)), "next")
    left = site.open_uploads()
    staged.output.sweep(timedelta(hours=1))
    assert site.open_uploads() == left
    staged.output.sweep(timedelta(seconds=-60))
    assert site.open_uploads() == 0


def test_g2_a_refused_result_is_aborted(site: Site) -> None:
    before = materialize(site, site.extract("a/b", split(10)))
    text = split(1000, header="split: {rows: 100}\nchecks: [{max_rows: 1}]")
    with ExitStack() as attempts:
        staged = begin(attempts, site, site.extract("a/b", text), "refused")
        assert any(outcome.refuses for outcome in staged.outcomes)
    assert site.version_ids(KEY) == [before.version_id]
    assert site.open_uploads() == 0
    assert len(lying(site)) == 1


def test_g4_of_two_runs_the_later_started_wins(attempts: ExitStack, site: Site) -> None:
    extract = site.extract("a/b", split(300))
    earlier = begin(attempts, site, extract, "earlier")
    later = begin(attempts, site, extract, "later")
    won = publish(site.state, later)
    with pytest.raises(Superseded, match="newer data stays"):
        publish(site.state, earlier)
    assert site.version_ids(KEY) == [won]
    # What is not going to be published is not completed either.
    assert len(site.version_ids("extracts/a/b/part-00000.parquet")) == 1


def test_g4_a_run_started_earlier_is_published_over(attempts: ExitStack, site: Site) -> None:
    extract = site.extract("a/b", split(300))
    earlier = begin(attempts, site, extract, "earlier")
    later = begin(attempts, site, extract, "later")
    first, second = (publish(site.state, each) for each in (earlier, later))
    assert site.version_ids(KEY) == [second, first]


def test_g4_lost_replies_of_parts_and_manifest_are_the_same_versions(
    attempts: ExitStack, site: Site
) -> None:
    staged = begin(attempts, site, site.extract("a/b", split(100)), "run")
    key = "extracts/a/b/part-00000.parquet"
    events = site.s3.meta.events

    def lose(**_: object) -> None:
        raise ConnectionError

    events.register("after-call.s3.CompleteMultipartUpload", lose)
    with pytest.raises(ConnectionError):
        publish(site.state, staged)
    events.unregister("after-call.s3.CompleteMultipartUpload", lose)
    (own,) = site.version_ids(key)
    site.s3.put_object(Bucket=site.data.bucket, Key=key, Body=b"another run's part")
    first = publish(site.state, staged)
    assert [part.version_id for part in manifest_of(site).parts] == [own]
    assert numbers(site, current(site)) == list(range(100))
    again = begin(attempts, site, site.extract("a/b", split(100)), "run")
    assert publish(site.state, replace(staged, output=again.output)) == first


def test_an_upload_that_somebody_aborted_is_a_transient_error(
    attempts: ExitStack, site: Site
) -> None:
    staged = begin(attempts, site, site.extract("a/b", split(300)), "run")
    staged.output.sweep(timedelta(seconds=-60))
    with pytest.raises(StagingError) as raised:
        publish(site.state, staged)
    assert raised.value.transient
    assert find_version(site.data.store, KEY) is None


def test_g12_the_same_again_adds_no_version_of_anything(site: Site) -> None:
    extract = site.extract("a/b", split(300))
    first = materialize(site, extract)
    again = materialize(site, extract)
    assert (again.outcome, again.version_id) == ("unchanged", first.version_id)
    assert len(site.version_ids("extracts/a/b/part-00000.parquet")) == 1
    assert site.open_uploads() == 0


def test_the_same_again_mends_what_a_killed_run_has_left_on_top(site: Site) -> None:
    """Versions that are named but not current could expire by a lifecycle rule."""
    materialize(site, site.extract("a/b", split(300, 1)))
    die_between_parts_and_manifest(site, 300)
    assert materialize(site, site.extract("a/b", split(300, 1))).outcome == "published"
    heads = [find_version(site.data.store, p.key) for p in manifest_of(site).parts]
    assert [h and h.version_id for h in heads] == [p.version_id for p in manifest_of(site).parts]
    assert len(lying(site)) == 3

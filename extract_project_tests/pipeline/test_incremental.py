"""Only new rows, each of them once: what an incremental extract adds, and when it refuses to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from extract_project.errors import IncrementError, StagingError, Superseded
from extract_project.history.parts import PartsManifest, list_parts, load_manifest
from extract_project.history.reading import open_version
from extract_project.history.versions import require_version
from extract_project.manifest.extract import Extract
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published, publish, settle
from extract_project.publish.rollback import Order, restore
from extract_project.store.destination import DATA
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.killable import await_line, kill, start_process
from extract_project_tests.support.waiting import await_value

KEY = "extracts/a/b/_manifest.json"
SQL = """/*---
incremental: {cursor: seen, lag: %s}
%s
---*/
select n, seen, word from events
where :watermark is null or seen >= :watermark
order by seen, n
"""


class Source:
    """A table of events in a database file, which a test fills between runs."""

    def __init__(self, path: Path, site: Site) -> None:
        self.path, self._site = path, site
        self.execute("create table events (n integer, seen timestamp, word varchar)")

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(type="duckdb", path=str(self.path))

    @property
    def settings(self) -> dict[str, str]:
        return {"EXTRACT_WAREHOUSES__SHOP__PATH": str(self.path)}

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def add(self, *rows: tuple[int, str]) -> None:
        """Events by number and time of day."""
        values = ", ".join(f"({n}, '2026-01-01 {at}', 'word {n}')" for n, at in rows)
        self.execute(f"insert into events values {values}")

    def extract(self, lag: str = "1h", keys: str = "") -> Extract:
        return self._site.extract("a/b", SQL % (lag, keys))

    def begin(
        self, attempts: ExitStack, extract: Extract | None = None, *, full_refresh: bool = False
    ) -> Staged:
        site = self._site
        extract = extract or self.extract()
        provenance = Provenance("run", full_refresh=full_refresh)
        return attempts.enter_context(
            stage(
                self.warehouse, extract, [Place(DATA, site.target(extract), site.state)], provenance
            )
        )

    def run(self, extract: Extract | None = None, *, full_refresh: bool = False) -> Published:
        extract = extract or self.extract()
        with ExitStack() as attempts:
            staged = self.begin(attempts, extract, full_refresh=full_refresh)
            return settle(self._site.state, staged, extract.header)

    def manifest(self) -> PartsManifest:
        site = self._site
        return load_manifest(require_version(site.data.store, KEY))

    def published(self, version_id: str | None = None) -> list[int]:
        """The numbers of the published rows, in order."""
        site = self._site
        version = require_version(site.data.store, KEY, version_id)
        return list(open_version(version).read_all()["n"].to_pylist())


def lying(site: Site) -> list[str]:
    """Keys of the part objects that a listing shows."""
    return list(list_parts(site.data.store, KEY, site.data.prefix))


@pytest.fixture
def source(site: Site, tmp_path: Path) -> Source:
    return Source(tmp_path / "source.duckdb", site)


@pytest.fixture
def attempts(site: Site) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_each_run_adds_a_part_with_its_new_rows(source: Source, site: Site) -> None:
    source.add((1, "08:00"), (2, "09:00"))
    first = source.run()
    source.add((3, "10:00"))
    second = source.run()
    assert source.published(first.version_id) == [1, 2]
    assert source.published() == [1, 2, 3]
    manifest = source.manifest()
    assert [(p.key[-13:], p.rows, p.min, p.max) for p in manifest.parts] == [
        ("00000.parquet", 2, "2026-01-01T08:00:00.000000", "2026-01-01T09:00:00.000000"),
        ("00001.parquet", 1, "2026-01-01T10:00:00.000000", "2026-01-01T10:00:00.000000"),
    ]
    assert manifest.watermark
    assert manifest.watermark.value == "2026-01-01T10:00:00.000000"
    assert (manifest.rows, site.version_ids(KEY)[0]) == (3, second.version_id)
    assert len(site.version_ids(manifest.parts[0].key)) == 1


def test_late_rows_and_ties_are_neither_lost_nor_doubled(source: Source) -> None:
    source.add((1, "08:00"), (2, "09:00"), (2, "09:00"), (3, "09:00"))
    source.run()
    # Late within the lag, one more of two that are equal, a tie; and one too late.
    source.add((4, "08:30"), (2, "09:00"), (5, "09:00"), (6, "09:30"), (7, "07:59"))
    assert source.run().outcome == "published"
    assert source.published() == [1, 2, 2, 3, 4, 2, 5, 6]
    assert source.run().outcome == "unchanged"


def test_a_changed_row_is_added_and_the_old_one_stays(source: Source) -> None:
    source.add((1, "08:00"), (2, "09:00"))
    source.run()
    source.execute("update events set word = NULL where n = 2")
    source.run()
    assert source.published() == [1, 2, 2]


VALUES = [
    ("boolean", "true", "NULL"),
    ("bigint", "9007199254740993", "9007199254740992"),
    ("hugeint", "12345678901234567890123456789012345678", "12345678901234567890123456789012345679"),
    ("decimal(38, 10)", "1.0000000000", "1.0000000001"),
    ("double", "0.0", "-0.0"),
    ("double", "'nan'", "'inf'"),
    ("double", "0.1", "0.10000000000000002"),
    ("float", "16777216", "16777218"),
    ("date", "'0001-01-01'", "'9999-12-31'"),
    ("timestamp", "'9999-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999998'"),
    ("timestamp_ns", "'2026-01-01 00:00:00.000000001'", "'2026-01-01 00:00:00.000000002'"),
    ("timestamptz", "'2026-03-29 02:30:00+01:00'", "'2026-03-29 02:30:00+02:00'"),
    ("time", "'23:59:59.999999'", "'23:59:59.999998'"),
    ("varchar", "''", "NULL"),
    ("varchar", """'a","b'""", """'a"",""b'"""),
    ("blob", "'\\x00\\xff'", "'\\x00'"),
    ("integer[]", "[1, NULL, 3]", "[1, 0, 3]"),
    ("struct(a integer, b varchar)", "{'a': 1, 'b': 'x'}", "{'a': 1, 'b': NULL}"),
]


@pytest.mark.parametrize("file_format", ["parquet", "csv", "jsonl", "arrow"])
def test_rows_are_compared_exactly_in_every_type(
    source: Source, site: Site, file_format: str
) -> None:
    """A row, and for each of its columns one that differs there alone."""
    kinds = ", ".join(f"c{i} {kind}" for i, (kind, _, _) in enumerate(VALUES))
    usual = [usual for _, usual, _ in VALUES]
    others = [[*usual[:i], other, *usual[i + 1 :]] for i, (_, _, other) in enumerate(VALUES)]
    source.execute(f"create table kinds (seen timestamp, {kinds})")

    def add(rows: list[list[str]]) -> None:
        values = ", ".join(f"('2026-01-01 08:00', {', '.join(row)})" for row in rows)
        source.execute(f"insert into kinds values {values}")

    keys = f"format: {file_format}\nintegers: decimal\ntimestamps: ns"
    text = (SQL % ("1h", keys)).replace("n, seen, word from events", "* from kinds")
    extract = site.extract("a/b", text.replace("order by seen, n", ""))
    add([usual, usual])
    source.run(extract)
    assert source.run(extract).outcome == "unchanged"
    add(others)
    source.run(extract)
    assert [part.rows for part in source.manifest().parts] == [2, len(VALUES)]
    assert source.run(extract).outcome == "unchanged"


@pytest.mark.parametrize(
    ("kind", "lag", "values"),
    [
        ("integer", "10", ["100", "89", "90", "100", "101"]),
        ("decimal(20, 2)", "10", ["100", "89.99", "90", "100", "100.01"]),
        ("date", "2h", ["'2026-01-03'", "'2026-01-01'", "'2026-01-02'", "'2026-01-03'"]),
        (
            "timestamp_ns",
            "1s",
            [
                "'2026-01-01 00:00:01.000000001'",
                "'2025-12-31 23:59:59.999999999'",
                "'2026-01-01 00:00:00.000000001'",
                "'2026-01-01 00:00:01.000000002'",
            ],
        ),
        (
            "timestamptz",
            "1s",
            [
                "'2026-01-01 06:00:01+01'",
                "'2026-01-01 04:59:59Z'",
                "'2026-01-01 05:00:00Z'",
                "'2026-01-01 07:00:00+01'",
            ],
        ),
    ],
)
def test_each_type_of_cursor(
    source: Source, site: Site, kind: str, lag: str, values: list[str]
) -> None:
    """The second value is below the lag; all others are found."""
    source.execute(f"create table kinds (n integer, seen {kind})")
    text = SQL % (lag, "timestamps: ns")
    text = text.replace("n, seen, word from events", "n, seen from kinds")
    extract = site.extract("a/b", text)
    source.execute(f"insert into kinds values (0, {values[0]})")
    source.run(extract)
    source.execute(
        "insert into kinds values " + ", ".join(f"({n}, {v})" for n, v in enumerate(values) if n)
    )
    source.run(extract)
    assert sorted(source.published()) == [0, *range(2, len(values))]
    assert source.run(extract).outcome == "unchanged"


@pytest.mark.parametrize(
    ("cursor", "lag", "message"),
    [
        ("word", "0", "the cursor 'word' is of type string: expected a timestamp"),
        ("seen", "5", "'lag' of the cursor 'seen', of type timestamp"),
        ("n", "1h", "'lag' of the cursor 'n', of type int32, is a number"),
        ("sen", "0", "no column 'sen', which 'incremental' names as its cursor: did you mean"),
    ],
)
def test_what_cannot_be_a_cursor_is_said_so(
    source: Source, site: Site, cursor: str, lag: str, message: str
) -> None:
    text = (SQL % (lag, "")).replace("cursor: seen", f"cursor: {cursor}")
    with pytest.raises(IncrementError, match=message):
        source.run(site.extract("a/b", text))


def test_no_new_rows_add_no_version_of_anything(source: Source, site: Site) -> None:
    source.add((1, "08:00"))
    first = source.run()
    again = source.run()
    assert (again.outcome, again.version_id) == ("unchanged", first.version_id)
    assert len(source.manifest().parts) == 1
    assert site.open_uploads() == 0


def test_nothing_at_first_is_a_part_with_columns(source: Source) -> None:
    source.run()
    assert (source.published(), source.manifest().watermark) == ([], None)
    source.add((1, "08:00"))
    source.run()
    assert source.published() == [1]
    assert len(source.manifest().parts) == 1


def test_increments_are_split_too(source: Source) -> None:
    source.add(*((n, f"08:00:{n:02}") for n in range(5)))
    extract = source.extract(keys="split: {rows: 2}")
    source.run(extract)
    source.add(*((n, f"08:01:{n:02}") for n in range(5, 8)))
    source.run(extract)
    assert [part.rows for part in source.manifest().parts] == [2, 2, 1, 2, 1]
    assert source.published() == list(range(8))


def test_a_null_cursor_is_refused_by_name(source: Source, site: Site) -> None:
    source.add((1, "08:00"))
    source.execute("insert into events values (2, null, 'x')")
    with pytest.raises(IncrementError, match="the cursor 'seen' is NULL in row 2 of the result"):
        source.run()
    assert site.version_ids(KEY) == []
    assert site.open_uploads() == 0


def test_other_sql_does_not_mix_with_what_is_published(source: Source, site: Site) -> None:
    source.add((1, "08:00"), (2, "09:00"))
    source.run()
    changed = site.extract("a/b", (SQL % ("1h", "")).replace("word from", "upper(word) w from"))
    with pytest.raises(IncrementError, match="extract run a/b --full-refresh"):
        source.run(changed)
    source.run(changed, full_refresh=True)
    assert source.published() == [1, 2]
    assert source.run(changed).outcome == "unchanged"


def test_a_full_refresh_that_finds_the_same_rows_lets_other_sql_go_on(
    source: Source, site: Site
) -> None:
    source.add((1, "08:00"))
    source.run()
    changed = site.extract("a/b", (SQL % ("1h", "")).replace("where", "where n > 0 and"))
    with pytest.raises(IncrementError, match="--full-refresh"):
        source.run(changed)
    assert source.run(changed, full_refresh=True).outcome == "published"
    source.add((2, "09:00"))
    source.run(changed)
    assert source.published() == [1, 2]


def test_a_part_key_is_never_used_again(source: Source, site: Site) -> None:
    """What a rollback has hidden may be restored, beside what was published since."""
    source.add((1, "08:00"))
    first = source.run().version_id
    source.add((2, "09:00"))
    second = source.run().version_id
    target = site.target(source.extract())
    restore(site.state, target, Order(first, "why", "ada"))
    source.add((3, "10:00"))
    third = source.run()
    assert source.published() == [1, 2, 3]
    restore(site.state, target, Order(second, "why", "ada"))
    assert source.published() == [1, 2]
    named = load_manifest(require_version(site.data.store, KEY, third.version_id)).parts
    versions = {part.key: site.version_ids(part.key) for part in named}
    assert [versions[part.key] for part in named] == [[part.version_id] for part in named]


def test_rows_change_is_of_the_whole_and_what_is_usual_of_what_was_added(
    source: Source, site: Site
) -> None:
    extract = source.extract(keys="checks: [{rows_change: ..+50%}]")

    def add(first: int, rows: int) -> None:
        numbers = range(first * 100, first * 100 + rows)
        source.add(*((n, f"{first:02}:00:{n % 60:02}") for n in numbers))

    def said(*, full_refresh: bool = False) -> dict[str, str]:
        with ExitStack() as attempts:
            staged = source.begin(attempts, extract, full_refresh=full_refresh)
            if not any(outcome.refuses for outcome in staged.outcomes):
                publish(site.state, staged)
            return {outcome.name: outcome.verdict.summary for outcome in staged.outcomes}

    add(1, 40)
    said()
    for hour in range(2, 7):
        add(hour, 2)
        outcome = said()
    assert outcome["rows_change"].startswith("50 rows, +4.2% against the 48 of the current version")
    assert outcome["anomalies"].endswith("from the last 4 versions; nulls as expected"), (
        "not the first"
    )
    anew = said(full_refresh=True)
    assert anew["rows_change"].startswith("50 rows, +0.0%")
    assert anew["anomalies"].endswith("0 so far"), "a whole is not like what was added"
    add(7, 30)
    assert "+60.0%" in said()["rows_change"]


@pytest.mark.parametrize("lag", ["0", "0s", "5"])
def test_a_cursor_of_38_digits_is_exact(source: Source, site: Site, lag: str) -> None:
    large = 12345678901234567890123456789099999999
    text = (
        "/*---\nincremental: {cursor: n, lag: %s}\nintegers: decimal\n---*/\n"
        "select n from large where :watermark is null or n >= :watermark order by n"
    )
    extract = site.extract("a/b", text % lag)
    source.execute("create table large (n decimal(38, 0))")
    source.execute(f"insert into large values ({large})")
    source.run(extract)
    source.execute(f"insert into large values ({large + 1}), ({large + 2})")
    source.run(extract)
    assert source.published() == [large, large + 1, large + 2]


def test_a_cursor_of_a_wide_type_grows_in_the_type_of_the_file(source: Source, site: Site) -> None:
    """A watermark that was published as int64 or in microseconds is what the next run asks from."""
    source.execute("create table large (n hugeint, seen timestamp_ns)")
    for cursor, lag in (("n", "5"), ("seen", "1s")):
        extract = site.extract(
            "a/b",
            f"/*---\nincremental: {{cursor: {cursor}, lag: {lag}}}\n---*/\nselect n, seen "
            f"from large where :watermark is null or {cursor} >= :watermark order by n",
        )
        source.execute("delete from large")
        for first, number in ((True, 2**53 + 1), (False, 2**53 + 2)):
            seen = f"timestamp_ns '2026-01-01 00:00:00.{number % 10**6:06}'"
            source.execute(f"insert into large values ({number}, {seen})")
            source.run(extract, full_refresh=first)
        assert source.published() == [2**53 + 1, 2**53 + 2]
        assert source.run(extract).outcome == "unchanged"


def test_rows_of_another_choice_are_not_added_to(source: Source, site: Site) -> None:
    """Published decimals, and int64 now: the same key would hold both."""
    source.add((1, "08:00"))
    source.run(site.extract("a/b", SQL % ("1h", "integers: decimal")))
    with pytest.raises(IncrementError, match="a data-shaping header key has changed"):
        source.run(site.extract("a/b", SQL % ("1h", "")))


def test_other_columns_of_the_same_sql_are_refused(source: Source, site: Site) -> None:
    star = (SQL % ("1h", "")).replace("n, seen, word", "*")
    source.add((1, "08:00"))
    source.run(site.extract("a/b", star))
    source.execute("alter table events add column more date")
    with pytest.raises(IncrementError, match=r"new: more date32\[day\]; gone: none"):
        source.run(site.extract("a/b", star))


def test_a_full_refresh_replaces_all_parts(source: Source, site: Site) -> None:
    source.add((1, "08:00"), (2, "09:00"))
    before = source.run()
    source.execute("delete from events where n = 1")
    source.run(full_refresh=True)
    assert source.published() == [2]
    assert source.published(before.version_id) == [1, 2]
    (part,) = source.manifest().parts
    assert lying(site) == [part.key]
    source.add((3, "10:00"))
    source.run()
    assert source.published() == [2, 3]


@pytest.mark.parametrize("damage", ["gone", "replaced"])
def test_gaps_are_detected_before_anything_is_added(
    source: Source, site: Site, damage: str
) -> None:
    source.add((1, "08:00"))
    source.run()
    (part,) = source.manifest().parts
    if damage == "gone":
        site.s3.delete_object(Bucket=site.data.bucket, Key=part.key, VersionId=part.version_id)
        with pytest.raises(IncrementError, match=f"{part.key} version {part.version_id}"):
            source.run()
        source.run(full_refresh=True)
    else:  # another version on top of it takes nothing away
        site.s3.put_object(Bucket=site.data.bucket, Key=part.key, Body=b"x")
        source.add((2, "09:00"))
        source.run()
        assert source.published() == [1, 2]
    assert source.published()[0] == 1


def test_g4_of_two_increments_on_one_base_only_one_is_published(
    source: Source, attempts: ExitStack, site: Site
) -> None:
    source.add((1, "08:00"))
    source.run()
    source.add((2, "09:00"))
    earlier = source.begin(attempts)
    source.add((3, "10:00"))
    later = source.begin(attempts)
    publish(site.state, earlier)
    with pytest.raises(StagingError, match="run it again") as raised:
        publish(site.state, later)
    assert raised.value.transient
    assert source.published() == [1, 2]
    source.run()
    assert source.published() == [1, 2, 3]


def test_g4_an_increment_does_not_follow_on_a_full_refresh(
    source: Source, attempts: ExitStack, site: Site
) -> None:
    source.add((1, "08:00"))
    source.run()
    refresh = source.begin(attempts, full_refresh=True)
    source.add((2, "09:00"))
    increment = source.begin(attempts)
    publish(site.state, refresh)
    with pytest.raises(StagingError, match="its rows would be lost"):
        publish(site.state, increment)
    late = source.begin(attempts, full_refresh=True)
    source.run()
    with pytest.raises(Superseded):
        publish(site.state, late)
    assert source.published() == [1, 2]


def test_a_part_of_another_run_is_never_written_over(
    source: Source, attempts: ExitStack, site: Site
) -> None:
    """Both have chosen the same number; the one that comes second finds it taken."""
    source.add((1, "08:00"))
    source.run()
    source.add((2, "09:00"))
    first, second = source.begin(attempts), source.begin(attempts)
    publish(site.state, second)
    with pytest.raises(StagingError):
        first.output.prepare(first.receipt)
    assert len(site.version_ids("extracts/a/b/part-00001.parquet")) == 1


def current_etag(site: Site) -> str:
    return require_version(site.data.store, KEY).object.token


@pytest.mark.soak
@pytest.mark.parametrize("phase", ["staged", "parts completed"])
def test_g2_a_killed_increment_moves_nothing(source: Source, site: Site, phase: str) -> None:
    source.add((1, "08:00"))
    extract = source.extract(keys="split: {rows: 10}")
    source.run(extract)
    before = source.manifest()
    source.execute(
        "insert into events select i, timestamp '2026-01-01 09:00' + interval (i) second, 'w' "
        "from range(2, 4002) t(i)"
    )
    process = start_process(site, "a/b", **source.settings)
    await_line(process, "started")
    await_line(process, "staged")
    if phase == "parts completed":
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        await_value("a part", lambda: len(lying(site)) > 1)
    kill(process)
    assert source.manifest() == before
    source.run(extract)
    assert source.published() == [1, *range(2, 4002)]
    source.run(extract)
    assert lying(site) == [part.key for part in source.manifest().parts]

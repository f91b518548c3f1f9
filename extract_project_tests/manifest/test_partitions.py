"""Partitions: how they are written, what is refused, which windows they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.names.partitions import (
    due_partitions,
    partition_named,
    partitions_of,
)
from extract_project_tests.support.parsing import reasons, valid

BY_KEY = "select * from t where k = :partition_key"
BY_TIME = "select * from t where made_at >= :partition_start and made_at < :partition_end"


def partitioned(partitions: str, sql: str = BY_TIME) -> Extract:
    return valid(f"/*---\npartitions: {partitions}\n---*/\n{sql}")


def refusal(partitions: str, sql: str = BY_TIME) -> str:
    return "\n".join(reasons(f"/*---\npartitions: {partitions}\n---*/\n{sql}"))


@pytest.mark.parametrize(
    ("partitions", "last", "key", "start", "end"),
    [
        ("hourly", "2026-11-25 06:00", "2026-11-25-05", "2026-11-25 05:00", "2026-11-25 06:00"),
        ("daily", "2026-11-25 06:00", "2026-11-24", "2026-11-24 00:00", "2026-11-25 00:00"),
        ("weekly", "2026-11-25 06:00", "2026-11-16", "2026-11-16 00:00", "2026-11-23 00:00"),
        ("monthly", "2026-11-25 06:00", "2026-10", "2026-10-01 00:00", "2026-11-01 00:00"),
        (
            "{type: daily, offset: 6h}",
            "2026-11-25 06:00",
            "2026-11-24",
            "2026-11-24 06:00",
            "2026-11-25 06:00",
        ),
        (
            "{type: weekly, offset: 6d12h}",
            "2026-11-25 06:00",
            "2026-11-15",
            "2026-11-15 12:00",
            "2026-11-22 12:00",
        ),
    ],
)
def test_a_tick_runs_the_newest_window_that_is_over(
    partitions: str, last: str, key: str, start: str, end: str
) -> None:
    header = partitioned(partitions).header
    at = datetime.fromisoformat(last).replace(tzinfo=UTC)
    assert due_partitions(header, at) == [key]
    values = partition_named(header, key).values
    assert values == {
        "partition_key": key,
        "partition_start": datetime.fromisoformat(start),
        "partition_end": datetime.fromisoformat(end),
    }


def test_before_the_first_window_nothing_is_due() -> None:
    header = partitioned("{type: daily, start: 2026-11-25}").header
    assert due_partitions(header, datetime(2026, 11, 25, 6, tzinfo=UTC)) == []


def test_after_the_last_window_nothing_is_due() -> None:
    header = partitioned("{type: daily, start: 2026-11-20, end: 2026-11-24}").header
    due = [due_partitions(header, datetime(2026, 11, day, 6, tzinfo=UTC)) for day in range(23, 27)]
    assert due == [["2026-11-22"], ["2026-11-23"], [], []]


def test_a_list_of_keys_is_due_as_a_whole() -> None:
    header = partitioned("[eu, us, 2026, no]", BY_KEY).header
    assert due_partitions(header, datetime.now(UTC)) == ["eu", "us", "2026", "no"]
    assert partition_named(header, "eu") == Partition("eu")


def test_windows_of_a_time_zone_are_instants_and_days_have_23_to_25_hours() -> None:
    header = partitioned("{type: daily, timezone: Europe/Berlin}").header
    for key, hours in (("2026-03-29", 23), ("2026-07-01", 24), ("2026-10-25", 25)):
        values = partition_named(header, key).values
        start, end = values["partition_start"], values["partition_end"]
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        assert start.tzinfo is UTC
        assert end - start == timedelta(hours=hours)


def test_the_zone_of_the_schedule_is_the_zone_of_the_partitions() -> None:
    extract = valid(f"/*---\ntimezone: Asia/Tokyo\npartitions: daily\n---*/\n{BY_TIME}")
    start = partition_named(extract.header, "2026-01-02").values["partition_start"]
    assert start == datetime(2026, 1, 1, 15, tzinfo=UTC)


def test_an_hour_that_comes_twice_is_two_partitions() -> None:
    header = partitioned("{type: hourly, timezone: Europe/Berlin, start: 2026-10-25}").header
    definition = partitions_of(header)
    assert isinstance(definition, dg.TimeWindowPartitionsDefinition)
    with dg.partition_loading_context(datetime(2026, 10, 25, 3, tzinfo=UTC)):
        keys = definition.get_partition_keys()
    assert keys[2:4] == ["2026-10-25-02", "2026-10-25-02+0100"]
    windows = [partition_named(header, key) for key in keys]
    assert [each.end for each in windows[:-1]] == [each.start for each in windows[1:]]


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ("dayly", "2:1: 'partitions': 'dayly' is not a valid value: did you mean 'daily'?"),
        ("{start: 2026-01-01}", "lacks 'type'"),
        ("{type: daily, strat: 2026-01-01}", "2:27: unknown key 'strat': did you mean 'start'?"),
        ("{type: daily, start: tomorrow}", "'start'"),
        ("{type: daily, start: 2026-02-01, end: 2026-01-01}", "is not after 'start'"),
        ("{type: daily, offset: 25h}", "less than 1d for daily"),
        ("{type: hourly, offset: 90s}", "expected whole minutes"),
        ("{type: daily, timezone: Berlin}", "unknown time zone 'Berlin'"),
        ("{type: daily, start: 2026-01-01T06:00:00+02:00}", "without a zone"),
        ("[a, b, a]", "a is listed twice"),
        ("[]", "at least one"),
        ("[a, b/c]", "2:17: "),
        ("[true]", "put it in quotes"),
        ("7", "expected hourly, daily"),
    ],
)
def test_what_is_no_partitioning_is_refused_with_its_place(partitions: str, message: str) -> None:
    sql = BY_KEY if partitions.startswith("[") else BY_TIME
    assert message in refusal(partitions, sql)


def test_sql_that_uses_no_partition_is_refused() -> None:
    found = refusal("daily", "select 1 as a")
    assert "2:1: the SQL does not use its partition's values" in found


def test_partition_values_need_partitions() -> None:
    (problem,) = reasons(BY_TIME.replace(" and made_at < :partition_end", ""))
    assert "':partition_start': this file has no 'partitions'" in problem
    assert "a list of partition keys has no time windows" in refusal("[a]", BY_TIME)


def test_the_header_survives_the_snapshot() -> None:
    extract = partitioned("{type: monthly, start: 2026-01-01, end: 2027-01-01, offset: 1d}")
    snapshot = Snapshot(manifest="s3://a/b", extracts=(extract,), invalid=())
    assert Snapshot.model_validate_json(snapshot.model_dump_json()).extracts == (extract,)


def test_the_code_version_follows_what_a_partition_holds() -> None:
    plain = partitioned("daily").code_version
    assert partitioned("{type: daily, start: 2025-01-01}").code_version == plain
    assert partitioned("{type: daily, offset: 6h}").code_version != plain
    assert partitioned("{type: daily, timezone: Asia/Tokyo}").code_version != plain

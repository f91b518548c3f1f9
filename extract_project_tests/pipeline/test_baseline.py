"""What a result is compared with: the versions before it, on a real S3 server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from extract_project.errors import Superseded
from extract_project.manifest.fields.partitions import Partition
from extract_project.pipeline.audit import Outcome
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import settle
from extract_project.publish.rollback import Order, restore
from extract_project.publish.target import Target
from extract_project.store.destination import DATA
from extract_project.store.s3.client import connect
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site

SQL = """/*---
anomalies: {anomalies}
unchanged: publish
params: {{rows: 0, nulls: 0}}
{more}
---*/
select case when i < :nulls then null else i end as n{also} from range(:rows) t(i)
"""


def run(
    site: Site,
    rows: int,
    nulls: int = 0,
    *,
    anomalies: str = "warn",
    more: str = "",
    also: str = "",
    partition: Partition | None = None,
) -> dict[str, Outcome]:
    """Publish so many rows, as the same SQL finds them on other data; gives what was said."""
    extract = site.extract("a/b", SQL.format(anomalies=anomalies, more=more, also=also))
    header = extract.header.model_copy(update={"params": {"rows": rows, "nulls": nulls}})
    extract = extract.model_copy(update={"header": header})
    key = site.data.key(extract.published_path(partition.key if partition else None))
    with stage(
        DuckDBWarehouse(type="duckdb"),
        extract,
        [Place(DATA, Target(site.data.store, key), site.state)],
        Provenance("run", partition=partition),
    ) as staged:
        if not any(outcome.refuses for outcome in staged.outcomes):
            settle(site.state, staged, header)
        return {outcome.name: outcome for outcome in staged.outcomes}


def said(outcomes: dict[str, Outcome], check: str = "anomalies") -> tuple[bool, str]:
    verdict = outcomes[check].verdict
    return verdict.passed, verdict.summary


@contextmanager
def requests(site: Site) -> Iterator[Counter[str]]:
    """How many requests of each kind were sent to S3."""
    counted: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    site.s3.meta.events.register("before-call.s3", count)
    try:
        yield counted
    finally:
        site.s3.meta.events.unregister("before-call.s3", count)


def test_what_is_usual_is_learned_from_versions_of_the_same_sql(site: Site) -> None:
    for before in range(4):
        passed, summary = said(run(site, 1_000 + before, 10))
        assert (passed, f"{before} so far" in summary) == (True, True)
    assert said(run(site, 1_010, 12)) == (
        True,
        "1,010 rows; expected 875 to 1,128, from the last 4 versions; nulls as expected",
    )
    outcomes = run(site, 500, 400)
    passed, summary = said(outcomes)
    assert not passed
    assert not outcomes["anomalies"].refuses
    assert [line.split(";")[0] for line in summary.splitlines()] == [
        "500 rows",
        "n is null in 80.00% of the rows",
    ]
    assert "from the last 5 versions" in summary
    assert said(run(site, 9, also=", 2 as m"))[1].endswith("0 so far")


def test_a_rollback_forgets_what_came_after(site: Site) -> None:
    for rows in (100, 101, 102, 103):
        run(site, rows)
    key = "extracts/a/b.parquet"
    good = site.version_ids(key)[0]
    for rows in (7, 8):
        run(site, rows)
    restore(site.state, Target(site.data.store, key), Order(good, "wrong", "ada"))
    assert said(run(site, 9)) == (
        False,
        "9 rows; expected 62 to 141, from the last 4 versions",
    )


def test_windows_are_compared_with_the_windows_before(site: Site) -> None:
    def window(day: int) -> Partition:
        start, end = (datetime(2026, 1, n, tzinfo=UTC) for n in (day, day + 1))
        before = f"2026-01-{day - 1:02d}" if day > 1 else None
        return Partition(f"2026-01-{day:02d}", start, end, before)

    more, also = "partitions: daily", ", :partition_key as day"
    for day in range(1, 6):
        outcomes = run(site, 1_000, more=more, also=also, partition=window(day))
        assert f"{day - 1}" in said(outcomes)[1]
    few = run(site, 10, more=more, also=also, partition=window(6))
    assert said(few)[1].endswith("from the last 5 partitions")
    again = run(site, 1_000, more=more, also=also, partition=window(6))
    assert said(again)[0], "a rerun is compared with the same windows"
    regions = Partition("eu")
    for _ in range(5):
        outcomes = run(site, 5, more="partitions: [eu, us]", also=also, partition=regions)
    assert "from the last 4 versions" in said(outcomes)[1]


def test_rows_change_is_against_the_current_version(site: Site) -> None:
    more = "checks: [rows_change: ±10%]"
    assert said(run(site, 100, more=more), "rows_change")[0]
    refused = run(site, 111, more=more)
    assert refused["rows_change"].refuses
    assert said(refused, "rows_change")[1] == (
        "111 rows, +11.0% against the 100 of the current version; the rule is ±10% rows against "
        "the current version"
    )
    assert not run(site, 110, more=more)["rows_change"].refuses
    assert run(site, 98, more=more)["rows_change"].refuses
    assert len(site.version_ids("extracts/a/b.parquet")) == 2


def test_a_run_whose_s3_is_silent_holds_up_no_other_in_its_process(site: Site) -> None:
    run(site, 100)
    silent, over = threading.Event(), threading.Event()

    def keep_silent(params: dict[str, Any], **_: Any) -> None:
        if "/receipts/" in params["url_path"]:
            silent.set()
            over.wait(20)

    other = site.through(connect())
    other.s3.meta.events.register("before-call.s3.GetObject", keep_silent)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(run, other, 100)
        assert silent.wait(20)
        run(site, 100)
        assert not held.done()
        over.set()
        with pytest.raises(Superseded):
            held.result()


@pytest.mark.parametrize(("anomalies", "more"), [("warn", 1), ("allow", 0)])
def test_the_past_costs_one_request_or_none(site: Site, anomalies: str, more: int) -> None:
    for _ in range(5):
        run(site, 100, anomalies=anomalies)
    with requests(site) as counted:
        run(site, 100, anomalies=anomalies)
    with requests(site) as without:
        run(site, 100, anomalies="allow")
    assert counted["GetObject"] - without["GetObject"] == more
    assert counted.total() - without.total() == more

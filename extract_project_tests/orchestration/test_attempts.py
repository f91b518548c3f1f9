"""What failed: from real runs in a real instance, for each way in which a run can end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from extract_project.deployment.failed import Answer, Question
from extract_project.errors import Cause
from extract_project.orchestration.failed.failed import answer
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, planned

GOOD = "select 1 as a"
BAD = "select\n  error('no such day') as a"
BAD_AFTER = "/*---\ndepends_on: [a/first]\n---*/\nselect 1 as a"
BY_KEY = (
    "/*---\npartitions: [eu, us, asia]\n---*/\n"
    "select case :partition_key when 'us' then error('nothing from us') else 1 end as a"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def asked(
    instance: dg.DagsterInstance,
    site: Site,
    group: str | None = None,
    since: datetime | None = None,
) -> Answer:
    return answer(instance, site.snapshot().extracts, Question(group=group, since=since))


def names(answered: Answer) -> list[list[str]]:
    """The extracts of each run that would be launched."""
    return [[each.name for each in rerun.members] for rerun in answered.reruns]


def test_one_that_failed_among_many_in_a_run(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/good", GOOD)
    site.put_sql("a/bad", BAD)
    site.put_sql("b/never", GOOD)
    execute(definitions(site, settings), instance, "a/good", "a/bad")
    answered = asked(instance, site)
    assert names(answered) == [["a/bad"]]
    (failed,) = answered.members
    assert (failed.state, failed.cause, failed.group) == ("failed", "sql", "a")
    assert failed.failure_report.startswith("a/bad.sql")
    assert "no such day" in failed.failure_report
    assert answered.reruns[0].tags["extract/path"] == "a/bad"


def test_failed_and_then_succeeded(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", BAD)
    execute(definitions(site, settings), instance)
    site.put_sql("a/b", GOOD)
    execute(definitions(site, settings), instance)
    assert names(asked(instance, site)) == []


def test_succeeded_and_then_failed(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", GOOD)
    execute(definitions(site, settings), instance)
    site.put_sql("a/b", BAD)
    execute(definitions(site, settings), instance)
    assert names(asked(instance, site)) == [["a/b"]]


def test_killed_before_it_could_start(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", GOOD)
    planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_FAILURE)
    (failed,) = asked(instance, site).members
    assert failed.cause == Cause.KILLED
    assert "killed, evicted or never started" in failed.failure_report


def test_a_cancelled_run_is_no_failure(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", GOOD)
    planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_CANCELED)
    assert names(asked(instance, site)) == []
    execute(definitions(site, settings), instance)
    planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_CANCELED)
    assert names(asked(instance, site)) == []


def test_a_success_in_a_failed_run_counts_behind_a_cancelled_one(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/good", GOOD)
    site.put_sql("a/bad", BAD)
    execute(definitions(site, settings), instance)
    planned(definitions(site, settings), instance, "a/good", dg.DagsterEventType.RUN_CANCELED)
    assert names(asked(instance, site)) == [["a/bad"]]


def test_a_failure_behind_cancelled_runs_is_still_one(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", BAD)
    execute(definitions(site, settings), instance)
    for _ in range(2):
        planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_CANCELED)
    (failed,) = asked(instance, site).members
    assert failed.cause == Cause.SQL


def test_what_is_running_again_is_not_rerun(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", BAD)
    execute(definitions(site, settings), instance)
    planned(definitions(site, settings), instance, "a/b", None)
    assert names(asked(instance, site)) == []


def test_what_was_skipped_comes_after_what_failed_in_the_same_run(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/first", BAD)
    site.put_sql("a/other", BAD)
    site.put_sql("a/second", BAD_AFTER)
    site.put_sql("a/third", BAD_AFTER.replace("a/first", "a/second"))
    site.put_sql("a/free", GOOD)
    execute(definitions(site, settings), instance)
    answered = asked(instance, site)
    assert names(answered) == [["a/first", "a/second", "a/third"], ["a/other"]]
    assert [each.state for each in answered.members] == ["failed", "skipped", "skipped", "failed"]


def test_what_died_before_its_step_began_was_not_skipped(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    """It is downstream of another extract, which was not in its run."""
    site.put_sql("a/first", GOOD)
    site.put_sql("a/second", BAD_AFTER)
    defs = definitions(site, settings)
    execute(defs, instance, "a/first")
    planned(defs, instance, "a/second", dg.DagsterEventType.RUN_FAILURE)
    (member,) = asked(instance, site).members
    assert (member.extract, member.state, member.cause) == ("a/second", "failed", "killed")


def test_partitions_fail_one_by_one(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/b", BY_KEY)
    for partition in ("eu", "us"):
        execute(definitions(site, settings), instance, "a/b", partition=partition)
    planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_CANCELED, "us")
    planned(definitions(site, settings), instance, "a/b", dg.DagsterEventType.RUN_CANCELED, "asia")
    answered = asked(instance, site)
    assert names(answered) == [["a/b us"]]
    assert "nothing from us" in answered.members[0].failure_report
    site.put_sql("a/b", BY_KEY.replace("error('nothing from us')", "2"))
    execute(definitions(site, settings), instance, "a/b", partition="us")
    assert names(asked(instance, site)) == []


def test_only_a_group_and_only_lately(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/bad", BAD)
    site.put_sql("b/bad", BAD)
    execute(definitions(site, settings), instance)
    assert names(asked(instance, site, group="b")) == [["b/bad"]]
    now = datetime.now(UTC)
    assert len(names(asked(instance, site, since=now - timedelta(hours=1)))) == 2
    assert names(asked(instance, site, since=now + timedelta(hours=1))) == []


def test_a_removed_extract_is_not_among_them(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    site.put_sql("a/bad", BAD)
    execute(definitions(site, settings), instance)
    site.s3.delete_object(Bucket=site.manifest.bucket, Key=site.manifest.key("a/bad.sql"))
    assert names(asked(instance, site)) == []

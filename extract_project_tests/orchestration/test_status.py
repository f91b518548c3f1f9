"""The facts about extracts, and the states that follow, from real runs in a real instance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from extract_project.deployment.questions import answer_in
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.downstream import DownstreamCursor, Waiting
from extract_project.orchestration.status.answering import read_facts, status_sensor
from extract_project.orchestration.status.before import ReadBefore
from extract_project.orchestration.status.extracts import extract_facts
from extract_project.outcome import Outcome
from extract_project.settings import Settings
from extract_project.status.facts import DeploymentFacts, Facts, Pool, Trigger
from extract_project.status.question import StatusQuestion
from extract_project.status.reason import State, headline, state_of
from extract_project.status.reasons import reasons
from extract_project.status.table import status_report
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, planned

GOOD = "select 1 as a"
BAD = "select error('no such day') as a"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def put(site: Site, path: str, *header: str, sql: str = GOOD) -> None:
    site.put_sql(path, f"/*---\n{chr(10).join(header)}\n---*/\n{sql}")


def asked(site: Site, settings: Settings, instance: dg.DagsterInstance) -> Facts:
    snapshot = site.snapshot()
    location = CodeLocation(settings, settings.connect, "snapshot-1")
    extracts = {each.path: each for each in snapshot.extracts}
    return read_facts(instance, extracts, snapshot.invalid, location, location_name="here")


def states(facts: Facts) -> dict[str, State]:
    return {path: state_of(reasons(facts, path)) for path in facts.extracts}


def test_each_end_of_a_run_is_a_state(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    put(site, "a/fine", "owners: team:sales")
    put(site, "a/bad", sql=BAD)
    put(site, "a/after", "depends_on: [a/bad]")
    put(site, "a/refused", "checks: [{max_rows: 0}]")
    put(site, "a/off", "enabled: false", "schedule: hourly")
    put(site, "a/waiting")
    put(site, "a/cancelled")
    put(site, "a/late", "freshness: 1m")
    site.put_sql("a/invalid", "selec 1")
    defs = definitions(site, settings)
    execute(defs, instance, "a/fine", "a/bad", "a/after", "a/refused", "a/late")
    planned(defs, instance, "a/waiting", None)
    cancelled = planned(defs, instance, "a/cancelled", dg.DagsterEventType.RUN_CANCELED)
    facts = asked(site, settings, instance)
    at = facts.deployment.at + timedelta(minutes=2)
    facts = facts.model_copy(update={"deployment": facts.deployment.model_copy(update={"at": at})})
    assert states(facts) == {
        "a/fine": State.FINE,
        "a/bad": State.FAILED,
        "a/after": State.FAILED,
        "a/refused": State.REFUSED,
        "a/off": State.DISABLED,
        "a/waiting": State.HELD,
        "a/cancelled": State.FINE,
        "a/late": State.LATE,
        "a/invalid": State.INVALID,
    }
    assert "no such day" in headline(reasons(facts, "a/bad")).evidence
    assert "upstream" in headline(reasons(facts, "a/after")).what
    assert facts.extracts["a/cancelled"].attempts[0].run_id == cancelled
    fine = facts.extracts["a/fine"]
    assert fine.owners == ("team:sales",)
    assert fine.success is not None
    assert (fine.success.rows, fine.success.by_other_sql) == (1, False)
    put(site, "a/fine", sql="select 2 as a")
    changed = asked(site, settings, instance).extracts["a/fine"].success
    assert changed is not None
    assert changed.by_other_sql


def test_the_usual_duration_is_that_of_the_versions_before(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    put(site, "a/b", "unchanged: publish")
    defs = definitions(site, settings)
    durations = []
    for _ in range(3):
        execute(defs, instance)
        success = asked(site, settings, instance).extracts["a/b"].success
        assert success is not None
        durations.append((success.seconds, success.usual_seconds))
    (first, unknown), (second, _), (_, usual) = durations
    assert unknown is None
    assert first is not None
    assert second is not None
    assert usual == pytest.approx((first + second) / 2)
    assert success is not None
    assert success.rows_change == 0


def test_what_a_run_has_told_of_its_failure_is_read_once(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    before = ReadBefore()

    def report() -> str:
        snapshot = site.snapshot()
        (attempt,) = (
            read_facts(
                instance,
                {each.path: each for each in snapshot.extracts},
                snapshot.invalid,
                CodeLocation(settings, settings.connect, "snapshot-1"),
                location_name="here",
                before=before,
            )
            .extracts["a/bad"]
            .attempts
        )
        return attempt.report

    put(site, "a/bad", sql=BAD)
    first = execute(definitions(site, settings), instance, "a/bad")
    assert "no such day" in report()
    instance.event_log_storage.delete_events(first.run_id)
    assert "no such day" in report()
    put(site, "a/bad", sql="select error('no such night') as a")
    execute(definitions(site, settings), instance, "a/bad")
    assert "no such night" in report()


def test_an_extract_waits_for_the_one_that_is_not_ready(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    put(site, "a/up", "schedule: hourly")
    put(site, "a/down", "schedule: hourly", "depends_on: a/up")
    put(site, "a/free", "depends_on: a/up")
    extracts = {each.path: each for each in site.snapshot().extracts}
    now = datetime.now(UTC)
    pending = DownstreamCursor(waiting={"a/down": Waiting(seen=now, ticks=(now,))})

    def found() -> Facts:
        deployment = DeploymentFacts.model_validate(
            {"at": now, "url": "", "manifest": {"snapshot": "s", "extracts": 3}}
        )
        each = extract_facts(instance, extracts, [], pending, now, before=ReadBefore())[0]
        return Facts(deployment=deployment, extracts=each)

    facts = found()
    assert facts.extracts["a/down"].trigger is Trigger.TICK_AFTER_UPSTREAM
    assert facts.extracts["a/down"].waits_for == ("a/up",)
    assert states(facts)["a/down"] is State.WAITING
    assert not facts.extracts["a/free"].new_upstream
    execute(definitions(site, settings), instance, "a/up")
    facts = found()
    assert facts.extracts["a/down"].waits_for == ()
    assert facts.extracts["a/free"].new_upstream
    planned(definitions(site, settings), instance, "a/up", None)
    assert found().extracts["a/free"].waits_for == ("a/up",)


def test_partitions_are_told_apart(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    sql = "select case :partition_key when 'us' then error('nothing from us') else 1 end as a"
    put(site, "a/parted", "partitions: [eu, us]", sql=sql)
    defs = definitions(site, settings)
    for key in ("eu", "us"):
        execute(defs, instance, partition=key)
    parted = asked(site, settings, instance).extracts["a/parted"]
    assert parted.success is not None
    assert parted.success.partition == "eu"
    assert [(each.partition, each.outcome) for each in parted.attempts] == [("us", Outcome.FAILED)]


def test_after_the_last_partition_no_tick_is_awaited(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    windows = "schedule: '0 6 * * *'\npartitions: {type: daily, start: 2024-01-01%s}"
    sql = "select 1 as a where timestamp '2024-01-01' between :partition_start and :partition_end"
    put(site, "a/ended", windows % ", end: 2024-01-10", sql=sql)
    put(site, "a/endless", windows % "", sql=sql)
    put(site, "a/coming", windows.replace("2024", "2094") % ", end: 2095-01-01", sql=sql)
    facts = asked(site, settings, instance)
    deployment = facts.deployment.model_copy(update={"daemons": ()})
    facts = facts.model_copy(update={"deployment": deployment})
    rows = {row.extract: row for row in status_report(facts, "here").extracts}
    ended = rows["a/ended"]
    assert (ended.next_start_at, ended.next_start) == (None, "never: its last partition is over")
    assert ended.state is State.FINE
    assert "no tick runs it any more" in ended.why
    assert rows["a/endless"].next_start_at is not None
    assert facts.extracts["a/endless"].last_tick is not None
    assert rows["a/coming"].next_start_at is not None
    assert facts.extracts["a/coming"].last_tick is None


def test_a_pool_tells_its_limit(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    put(site, "a/b", "pool: narrow")
    assert asked(site, settings, instance).deployment.pools == {}
    instance.event_log_storage.set_concurrency_slots("narrow", 1)
    instance.event_log_storage.claim_concurrency_slot("narrow", "another-run", "step")
    assert asked(site, settings, instance).deployment.pools == {"narrow": Pool(limit=1, claimed=1)}


def test_the_sensor_answers_and_launches_nothing(
    site: Site, settings: Settings, instance: dg.DagsterInstance
) -> None:
    put(site, "a/up")
    put(site, "a/down", "depends_on: a/up")
    put(site, "a/other")
    snapshot = site.snapshot()
    sensor = status_sensor(
        {each.path: each for each in snapshot.extracts},
        snapshot.invalid,
        CodeLocation(settings, settings.connect, "snapshot-1"),
        None,
        ReadBefore(),
    )

    def answer(question: StatusQuestion) -> Facts:
        cursor = question.model_dump_json()
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert not result.run_requests
        return answer_in(result.cursor or "", Facts)

    assert set(answer(StatusQuestion()).extracts) == {"a/up", "a/down", "a/other"}
    assert set(answer(StatusQuestion(extract="a/down")).extracts) == {"a/up", "a/down"}
    assert isinstance(sensor(dg.build_sensor_context(instance=instance)), dg.SkipReason)

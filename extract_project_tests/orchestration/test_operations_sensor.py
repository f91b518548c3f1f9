"""When the page for whoever is on call is built, and what is on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from extract_project.deployment.tags import FAILURE_TAG
from extract_project.errors import Cause
from extract_project.layout import OPERATIONS_KEPT, OPERATIONS_PAGE
from extract_project.operations.activity import Activity
from extract_project.operations.keeping import kept_activity
from extract_project.orchestration.names.keys import asset_key, op_name
from extract_project.orchestration.reports.operations import OperationsCursor
from extract_project.outcome import Outcome
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.executing import definitions, execute

REFUSED = "/*---\nchecks: [{min_rows: 9}]\n---*/\nselect 1 as n"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


class Sensor:
    """The sensor over its ticks; each is long after the one before it."""

    def __init__(self, site: Site, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.site, self.settings, self.instance = site, settings, instance
        self.cursor: str | None = None

    def tick(self, later: timedelta = timedelta()) -> str:
        """One evaluation, as if the last page had been built earlier; what it says."""
        if self.cursor:
            known = OperationsCursor.model_validate_json(self.cursor)
            assert known.built_at is not None
            earlier = {"not_before": None, "built_at": known.built_at - later}
            self.cursor = known.model_copy(update=earlier).model_dump_json()
        repository = definitions(self.site, self.settings).get_repository_def()
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        said = repository.get_sensor_def("operations")(context)
        assert isinstance(said, dg.SkipReason)
        self.cursor = context.cursor
        return said.skip_message or ""

    @property
    def page(self) -> str:
        return self.site.body(self.site.data.key(OPERATIONS_PAGE)).decode()

    @property
    def activity(self) -> Activity:
        return kept_activity(self.site.data, self.site.manifest.uri)

    def outcomes(self, path: str) -> list[Outcome]:
        return [bar.outcome for bar in self.activity.bars.get(path, {}).values()]


@pytest.fixture
def sensor(site: Site, settings: Settings, instance: dg.DagsterInstance) -> Sensor:
    return Sensor(site, settings, instance)


def test_it_is_built_at_first_after_runs_and_when_ages_have_grown(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as n from range(5)")
    site.put_sql("a/refused", REFUSED)
    site.put_sql("a/invalid", "delete from x")
    assert "1 invalid, 2 fine" in sensor.tick()
    assert sensor.tick() == "nothing has changed since the page was built"
    execute(definitions(site, settings), instance, "a/b")
    execute(definitions(site, settings), instance, "a/refused")
    assert "1 refused, 1 invalid, 1 fine" in sensor.tick()
    assert sensor.outcomes("a/b") == [Outcome.SUCCEEDED]
    assert sensor.outcomes("a/refused") == [Outcome.REFUSED]
    (day,) = sensor.activity.days["a/b"].values()
    assert day.rows == 5
    assert "audit refused its result, and nothing has been published before" in sensor.page
    assert sensor.tick() == "nothing has changed since the page was built"
    assert "1 refused" in sensor.tick(later=timedelta(minutes=11))


def test_extracts_of_one_run_have_outcomes_of_their_own(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as n")
    site.put_sql("a/broken", "select nope")
    site.put_sql("a/refused", REFUSED)
    execute(definitions(site, settings), instance)
    sensor.tick()
    assert sensor.outcomes("a/b") == [Outcome.SUCCEEDED]
    assert sensor.outcomes("a/broken") == [Outcome.FAILED]
    assert sensor.outcomes("a/refused") == [Outcome.REFUSED]
    (bar,) = sensor.activity.bars["a/broken"].values()
    assert bar.cause == Cause.SQL
    assert bar.end is not None
    assert bar.start <= bar.end


def test_what_runs_when_its_run_ends_has_failed_and_was_not_refused(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    """The tag of a run of several tells of one that was refused, and not of the others."""
    site.put_sql("a/b", "select 1 as n")
    site.put_sql("a/refused", REFUSED)
    job = definitions(site, settings).resolve_implicit_global_asset_job_def()
    keys = frozenset({asset_key("a/b"), asset_key("a/refused")})
    run = instance.create_run_for_job(
        job, asset_selection=keys, tags={FAILURE_TAG: Cause.AUDIT.value}
    )
    started = dg.DagsterEvent("STEP_START", job.name, step_key=op_name("a/b"))
    instance.report_dagster_event(started, run.run_id)
    instance.report_run_failed(run)
    sensor.tick()
    assert sensor.outcomes("a/b") == [Outcome.FAILED]


def test_a_run_that_waits_is_shown_until_it_has_ended(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as n")
    job = definitions(site, settings).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, asset_selection=frozenset({asset_key("a/b")}))
    sensor.tick()
    assert sensor.outcomes("a/b") == [Outcome.QUEUED]
    instance.report_run_canceled(run)
    sensor.tick()
    assert sensor.outcomes("a/b") == [Outcome.CANCELLED]


@pytest.mark.parametrize(
    "end",
    [
        ("Run timed out due to taking longer than 180 seconds to start.", "killed"),
        (
            "Detected run worker status FAILED: 'Task a. Stop code: EssentialContainerExited. "
            "exit code 137'. Marking run r as failed.",
            "out of memory",
        ),
    ],
)
def test_a_run_that_could_not_say_why_it_failed_is_tagged_with_the_cause(
    site: Site,
    settings: Settings,
    instance: dg.DagsterInstance,
    sensor: Sensor,
    end: tuple[str, str],
) -> None:
    told, cause = end
    site.put_sql("a/b", "select 1 as n")
    job = definitions(site, settings).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job, asset_selection=frozenset({asset_key("a/b")}))
    instance.report_run_failed(run, message=told)
    sensor.tick()
    (bar,) = sensor.activity.bars["a/b"].values()
    assert bar.cause == cause
    (tagged,) = instance.get_runs(dg.RunsFilter(tags={FAILURE_TAG: cause}))
    assert tagged.run_id == run.run_id


def test_the_month_before_the_first_page_is_read_from_dagster(
    site: Site, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as n")
    for rows in (3, 4):
        made = {"dagster/row_count": rows, "seconds": 2.5 * rows}
        instance.report_runless_asset_event(dg.AssetMaterialization(["a", "b"], metadata=made))
    sensor.tick()
    (day,) = sensor.activity.days["a/b"].values()
    assert (day.rows, day.seconds) == (4, 10)
    assert sensor.activity.read == {"a/b"}


def test_a_page_that_another_release_kept_is_built_anew(site: Site, sensor: Sensor) -> None:
    site.put_sql("a/b", "select 1 as n")
    key = site.data.key(OPERATIONS_KEPT)
    site.s3.put_object(Bucket=site.data.bucket, Key=key, Body=b"another form")
    assert "1 fine" in sensor.tick()


def test_the_command_opens_what_the_deployment_built(
    site: Site, sensor: Sensor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "operations.html"
    missing = call("operations", "-o", file)
    assert missing.exit_code == 2
    assert "the sensor 'operations' of a running deployment builds it" in missing.stderr
    site.put_sql("a/b", "select 1 as n")
    sensor.tick()
    assert call("operations", "-o", file).exit_code == 0
    assert file.read_text() == sensor.page

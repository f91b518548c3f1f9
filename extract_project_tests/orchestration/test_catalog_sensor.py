"""When the deployment builds the catalogue, and what of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from extract_project.catalog.model import Catalog
from extract_project.deployment.rollback import JOB as ROLLBACK_JOB
from extract_project.deployment.rollback import rollback_config
from extract_project.layout import CATALOG_JSON
from extract_project.orchestration.reports.catalog import CatalogCursor, catalog_sensor
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.publish.rollback import Order
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Sensor:
    """The sensor over its ticks; each is long after the one before it."""

    def __init__(self, site: Site, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.site, self.settings, self.instance = site, settings, instance
        self.cursor: str | None = None

    def tick(self, *, at_once: bool = False) -> str:
        """One evaluation; what it says."""
        if self.cursor and not at_once:
            known = CatalogCursor.model_validate_json(self.cursor)
            self.cursor = known.model_copy(update={"not_before": None}).model_dump_json()
        location = CodeLocation(self.settings, self.settings.connect, "snapshot-1")
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        said = catalog_sensor(self.site.snapshot(), location)(context)
        assert isinstance(said, dg.SkipReason)
        self.cursor = context.cursor
        return said.skip_message or ""

    @property
    def rows(self) -> dict[str, int | None]:
        """The rows of each extract's newest version, as the catalogue in the bucket has them."""
        kept = Catalog.model_validate_json(self.site.body(self.site.data.key(CATALOG_JSON)))
        return {
            each.path: each.published.versions[0].rows if each.published else None
            for each in kept.extracts
        }


@pytest.fixture
def sensor(site: Site, settings: Settings, instance: dg.DagsterInstance) -> Sensor:
    return Sensor(site, settings, instance)


def test_it_is_built_at_first_and_after_runs(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as a")
    site.put_sql("a/c", "select 1 as a")
    assert "2 extracts" in sensor.tick()
    assert sensor.rows == {"a/b": None, "a/c": None}
    assert sensor.tick() == "nothing was published, and no SQL file changed"

    execute(definitions(site, settings), instance, "a/b")
    assert "2 extracts" in sensor.tick()
    assert sensor.rows == {"a/b": 1, "a/c": None}
    assert sensor.tick() == "nothing was published, and no SQL file changed"


def test_a_changed_file_is_shown_without_a_run(site: Site, sensor: Sensor) -> None:
    site.put_sql("a/b", "select 1 as a")
    sensor.tick()
    site.put_sql("a/new", "select 1 as a")

    assert "2 extracts" in sensor.tick()
    assert sensor.rows == {"a/b": None, "a/new": None}


def test_runs_that_end_at_once_are_one_catalogue(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select 1 as a")
    site.put_sql("a/c", "select 1 as a")
    sensor.tick()
    defs = definitions(site, settings)
    execute(defs, instance, "a/b")
    assert sensor.cursor
    known = CatalogCursor.model_validate_json(sensor.cursor)
    later = known.model_copy(update={"not_before": datetime.now(UTC) + timedelta(minutes=5)})
    sensor.cursor = later.model_dump_json()
    assert sensor.tick(at_once=True).startswith("the next catalogue is built at")
    execute(defs, instance, "a/c")

    sensor.tick()

    assert sensor.rows == {"a/b": 1, "a/c": 1}


def test_after_a_rollback_it_shows_what_was_restored(
    site: Site, settings: Settings, instance: dg.DagsterInstance, sensor: Sensor
) -> None:
    site.put_sql("a/b", "select * from range(3) t(i)")
    execute(definitions(site, settings), instance, "a/b")
    (good,) = site.version_ids("extracts/a/b.parquet")
    site.put_sql("a/b", "select * from range(4) t(i)")
    execute(definitions(site, settings), instance, "a/b")
    sensor.tick()
    assert sensor.rows == {"a/b": 4}
    done = (
        definitions(site, settings)
        .resolve_job_def(ROLLBACK_JOB)
        .execute_in_process(
            run_config=rollback_config("a/b", None, Order(good, "too many", "ada")),
            instance=instance,
        )
    )
    assert done.success

    sensor.tick()

    assert sensor.rows == {"a/b": 3}

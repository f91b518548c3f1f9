"""Rolling back through Dagster: what its event says, and who follows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from extract_project.deployment.rollback import rollback_config
from extract_project.history.versions import require_version
from extract_project.manifest.upstream import with_all_upstream
from extract_project.orchestration.starts.downstream import (
    DownstreamCursor,
    downstream_extracts,
    evaluate,
)
from extract_project.orchestration.starts.observed import observe
from extract_project.orchestration.starts.readiness import Readiness
from extract_project.publish.rollback import Order
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization

KEY = "extracts/a/b.parquet"


def roll_back(
    defs: dg.Definitions, instance: DagsterInstance, version_id: str, **more: Any
) -> dg.ExecuteInProcessResult:
    config = rollback_config("a/b", None, Order(version_id, "half is missing", "ada"))
    config["ops"]["restore_version"]["config"] |= more
    job = defs.resolve_job_def("rollback_extract")
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def values(event: dg.AssetMaterialization) -> dict[str, Any]:
    return {name: each.value for name, each in event.metadata.items()}


def test_a_rollback_is_a_materialization_that_followers_follow(
    site: Site, settings: Settings
) -> None:
    follower = "/*---\ndepends_on: [a/b]\n---*/\nselect 1 as one"
    site.put_sql("a/follower", follower)
    site.put_sql("a/b", "select n from range(5) t(n)")
    with DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings), instance, "a/b").success
        first = materialization(instance, "a/b")
        old = site.version_ids(KEY)[0]
        site.put_sql("a/b", "select n from range(2) t(n)")
        defs = definitions(site, settings)
        assert execute(defs, instance, "a/b", "a/follower").success
        second = values(materialization(instance, "a/b"))
        assert second["previous_s3_version_id"] == old
        assert (second["rows_change"], second["sql_changed"], second["schema_changed"]) == (
            *(-3, True),
            False,
        )
        extracts = {each.path: each for each in site.snapshot().extracts}
        downstream = downstream_extracts(extracts)

        def due() -> list[str | None]:
            readiness = Readiness(
                extracts, observe(instance, with_all_upstream(downstream, extracts))
            )
            requests = evaluate(
                readiness, downstream, DownstreamCursor(), datetime.now(UTC)
            ).requests
            return [request.tags["extract/path"] for request in requests]

        assert due() == []
        result = roll_back(defs, instance, old)
        assert result.success
        event = materialization(instance, "a/b")
        assert due() == ["a/follower"]
        version = require_version(site.data.store, KEY)
        facts = values(event)
        assert facts["s3_version_id"] == version.version_id
        assert (facts["restored_from"], facts["restored_by"]) == (old, "ada")
        assert (facts["reason"], facts["dagster/row_count"]) == ("half is missing", 5)
        assert (facts["rows_change"], facts["sql_changed"]) == (3, True)
        assert event.tags is not None
        assert first.tags is not None
        assert event.tags[DATA_VERSION_TAG] == first.tags[DATA_VERSION_TAG]
        assert version.restoration is not None
        assert version.restoration.run_id == result.run_id


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"extract": "a/c"}, "no extract 'a/c': did you mean 'a/b'?"),
        ({"partition": "2026-01-01"}, "a/b has no partitions"),
        ({"version": "nonsense"}, "has no version nonsense"),
    ],
)
def test_what_cannot_be_rolled_back_fails_the_run(
    site: Site, settings: Settings, more: dict[str, str], message: str
) -> None:
    site.put_sql("a/b", "select 1 as n")
    with DagsterInstance.ephemeral() as instance:
        result = roll_back(definitions(site, settings), instance, "some", **more)
        (failed,) = (e for e in result.all_events if e.is_step_failure)
        failure = failed.step_failure_data.user_failure_data
        assert failure is not None
        assert message in (failure.description or "")


def test_the_names_of_the_job_are_reserved(site: Site, settings: Settings) -> None:
    for name in ("rollback_extract", "restore_version"):
        site.put_sql(name, "select 1 as n")
    defs = definitions(site, settings)
    defs.get_repository_def().load_all_definitions()

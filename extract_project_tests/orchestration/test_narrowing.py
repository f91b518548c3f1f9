"""A run worker builds the extracts of its run, and the run is the same for it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._grpc.impl import core_execute_run

from extract_project.settings import ExecutedRun
from extract_project_tests.conftest import Site
from extract_project_tests.support.launched import code_location, launched, reconstructable

ALL = "__ASSET_JOB"


@pytest.fixture
def repository(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.RepositoryDefinition]:
    """What the code server has."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    site.put_sql("a/first", "select 1 as a")
    site.put_sql(
        "a/second", "/*---\n{schedule: 0 6 * * *, depends_on: [a/first]}\n---*/\nselect 1 as a"
    )
    site.put_sql("a/third", "/*---\nschedule: 0 6 * * *\n---*/\nselect 1 as a")
    site.put_sql("a/broken", "selec")
    with code_location() as found:
        yield found


def built(repository: dg.RepositoryDefinition, job_name: str, *paths: str) -> set[str]:
    """Execute a run as a run worker does; returns the extracts that it built for that."""
    keys = frozenset(dg.AssetKey(path.split("/")) for path in paths) or None
    job = repository.get_maybe_subset_job_def(job_name, asset_selection=keys)
    named = reconstructable(job_name)
    with dg.instance_for_test() as instance:
        run = launched(instance, repository, job_name, keys)
        list(core_execute_run(named, run, instance, inject_env_vars=False))
        finished = instance.get_run_by_id(run.run_id)
        assert finished is not None
        assert finished.is_success
        assert {
            "/".join(event.asset_key.path)
            for log in instance.all_logs(run.run_id)
            if (event := log.dagster_event) and event.is_step_materialization and event.asset_key
        } == {"/".join(key.path) for key in job.asset_layer.selected_asset_keys}
    # Dagster keeps the one that it loaded last.
    loaded_by_worker = named.with_repository_load_data(repository.repository_load_data)
    executed = loaded_by_worker.get_subset(asset_selection=keys)
    loaded = executed.get_repository_definition()
    assert loaded is not None
    return {"/".join(key.path) for key in loaded.assets_defs_by_key}


def test_a_worker_builds_what_its_run_materializes_and_depends_on(
    repository: dg.RepositoryDefinition,
) -> None:
    assert built(repository, ALL, "a/third") == {"a/third", "a/broken"}
    assert built(repository, ALL, "a/second") == {"a/first", "a/second", "a/broken"}


def test_a_worker_of_a_schedule_finds_its_job(repository: dg.RepositoryDefinition) -> None:
    (schedule,) = repository.schedule_defs
    assert built(repository, schedule.job_name, "a/third") == {"a/third", "a/broken"}


def test_a_worker_builds_everything_for_a_whole_job(repository: dg.RepositoryDefinition) -> None:
    (schedule,) = repository.schedule_defs
    everything = {"a/first", "a/second", "a/third", "a/broken"}
    assert built(repository, schedule.job_name) == everything


def test_what_the_task_was_told_counts_and_no_caller_is_asked(
    repository: dg.RepositoryDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ExecutedRun(job=ALL, extracts=("a/first", "a/third"))
    monkeypatch.setenv("EXTRACT_RUN", told.model_dump_json())
    assert built(repository, ALL, "a/third") == {"a/first", "a/third", "a/broken"}


def test_a_task_that_was_told_of_assets_of_ones_own_builds_everything(
    repository: dg.RepositoryDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ExecutedRun(job=ALL, extracts=("a/third", "own/report"))
    monkeypatch.setenv("EXTRACT_RUN", told.model_dump_json())
    assert built(repository, ALL, "a/third") == {"a/first", "a/second", "a/third", "a/broken"}

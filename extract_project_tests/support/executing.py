"""Execute the definitions of a site in this process."""

from __future__ import annotations

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings
from extract_project_tests.conftest import Site


def definitions(site: Site, settings: Settings, *assets: dg.AssetsDefinition) -> dg.Definitions:
    composed = compose(site.snapshot(), CodeLocation(settings, settings.connect, "snapshot-1"))
    return dg.Definitions.merge(composed, dg.Definitions(assets=assets))


def execute(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    *keys: str,
    partition: str | None = None,
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    job = defs.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(key.split("/")) for key in keys] or None
    return job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        asset_selection=selection,
        partition_key=partition,
        tags=tags,
    )


def planned(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    path: str,
    event: dg.DagsterEventType | None,
    partition: str | None = None,
) -> str:
    """Create a run that never executes a step, in the state that `event` sets; returns its id."""
    keys = {dg.AssetKey(path.split("/"))}
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    tags = {PARTITION_NAME_TAG: partition} if partition else {}
    run = instance.create_run_for_job(job, tags=tags, asset_selection=job.asset_selection)
    if event:
        instance.report_dagster_event(dg.DagsterEvent(event.value, job.name), run_id=run.run_id)
    return run.run_id


def materialization(instance: dg.DagsterInstance, key: str) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization

"""Execute the definitions of a site in this process."""

from __future__ import annotations

import dagster as dg
from dagster._core.execution.api import create_execution_plan
from dagster._core.snap import snapshot_from_execution_plan
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
    """Create a run that never executes a step, in the state that `event` sets; returns its id.

    It is as Dagster's schedules and sensors create it, which select assets and no steps.
    """
    keys = {dg.AssetKey(path.split("/"))}
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    tags = {PARTITION_NAME_TAG: partition} if partition else {}
    plan = create_execution_plan(job, tags=tags)
    run = instance.create_run(
        job_name=job.name,
        run_id=None,
        run_config=None,
        status=None,
        tags=tags,
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, job.get_job_snapshot_id()),
        job_snapshot=job.get_job_snapshot(),
        parent_job_snapshot=job.get_parent_job_snapshot(),
        asset_selection=keys,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=None,
        asset_graph=job.asset_layer.asset_graph,
    )
    if event:
        instance.report_dagster_event(dg.DagsterEvent(event.value, job.name), run_id=run.run_id)
    return run.run_id


def materialization(instance: dg.DagsterInstance, key: str) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization

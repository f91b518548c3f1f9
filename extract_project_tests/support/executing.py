"""Executing the definitions of a site in this process."""

from __future__ import annotations

import dagster as dg

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


def materialization(instance: dg.DagsterInstance, key: str) -> dg.AssetMaterialization:
    event = instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization

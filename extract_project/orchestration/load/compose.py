"""Make Dagster's definitions from a snapshot. A file that Dagster refuses is an invalid extract."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

from extract_project.manifest.elsewhere import extracts_elsewhere
from extract_project.manifest.extract import Extract
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.dagster_internals import CheckError
from extract_project.orchestration.failed.alerting import alert_sensor
from extract_project.orchestration.failed.rerun import rerun_job, rerun_sensor
from extract_project.orchestration.load.isolating import refused_by_dagster
from extract_project.orchestration.load.live import manifest_sensor
from extract_project.orchestration.load.loading import RefusedManifest
from extract_project.orchestration.names.keys import table_key
from extract_project.orchestration.reports.catalog import catalog_sensor
from extract_project.orchestration.reports.measured import metrics_sensor
from extract_project.orchestration.reports.operations import operations_sensor
from extract_project.orchestration.run.assets import IO_MANAGER, extract_asset
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.run.executor import one_or_many_executor
from extract_project.orchestration.run.invalid import invalid_asset, invalid_check, invalid_sensor
from extract_project.orchestration.run.io_manager import ExtractIOManager
from extract_project.orchestration.run.rollback import rollback_job
from extract_project.orchestration.starts.downstream import downstream_sensor, waits_at_ticks
from extract_project.orchestration.starts.first_ticks import first_ticks_sensor
from extract_project.orchestration.starts.schedules import schedules
from extract_project.orchestration.starts.sources import source_sensors
from extract_project.orchestration.status.answering import status_sensor
from extract_project.orchestration.status.before import ReadBefore


def compose(
    snapshot: Snapshot, location: CodeLocation, refused: RefusedManifest | None = None
) -> dg.Definitions:
    """All definitions of a snapshot: assets, checks, schedules, sensors and jobs.

    `refused` is a newer manifest that does not load, if there is one.
    """
    assets: list[dg.AssetsDefinition] = []
    valid: dict[str, Extract] = {}
    invalid = list(snapshot.invalid)
    elsewhere = extracts_elsewhere(snapshot.elsewhere)
    paths = snapshot.paths.union(snapshot.upstream)
    for extract in snapshot.extracts:
        try:
            assets.append(extract_asset(extract, location, paths))
            valid[extract.path] = extract
        except (dg.DagsterError, CheckError) as error:  # the rules differ between releases (G6)
            invalid.append(refused_by_dagster(extract, error))
    settings = location.settings
    before = ReadBefore()
    known = elsewhere | valid
    at_ticks = [each for each in valid.values() if not waits_at_ticks(each, known)]
    return dg.Definitions(
        assets=[*assets, *_tables(valid, paths), *(invalid_asset(each) for each in invalid)],
        asset_checks=[invalid_check(each) for each in invalid],
        schedules=schedules(at_ticks),
        sensors=[
            manifest_sensor(snapshot, location, refused),
            invalid_sensor(invalid, location.snapshot_id),
            downstream_sensor(valid, known, before.materializations),
            first_ticks_sensor(at_ticks, settings),
            *source_sensors(valid.values(), location, paths),
            rerun_sensor(valid.values()),
            catalog_sensor(snapshot, location),
            status_sensor(valid, invalid, location, refused, before),
            operations_sensor(valid, invalid, location, refused, before),
            *([metrics_sensor(valid, invalid, location, before)] if settings.metrics else []),
            *([alert_sensor(valid.values(), settings)] if settings.alerts.channels else []),
        ],
        jobs=[rerun_job(valid.values(), settings), rollback_job(valid, location)],
        resources={
            IO_MANAGER: ExtractIOManager(location.connect, valid),
        },
        executor=one_or_many_executor,
    )


def _tables(extracts: dict[str, Extract], paths: Collection[str]) -> list[dg.AssetSpec]:
    """The warehouse tables that extracts read, as external assets upstream of them."""
    specs = {}
    for extract in extracts.values():
        for table in extract.tables:
            key = table_key(extract.warehouse, table, paths)
            specs[key] = dg.AssetSpec(
                key=key,
                description=f"table {table} in warehouse {extract.warehouse}",
                group_name=f"warehouse_{extract.warehouse}",
                kinds={extract.kind, "table"},
            )
    return [spec for _, spec in sorted(specs.items())]

"""Make the asset of an extract.

(Without postponed annotations, since Dagster inspects the type of an asset's `context`.)
"""

import inspect
from collections.abc import Callable, Collection

import dagster as dg

from extract_project.deployment.tags import UNVERSIONED
from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import asset_key, group_name, op_name, table_key
from extract_project.orchestration.names.partitions import partitions_of
from extract_project.orchestration.names.task_tags import POOL_TAG, size_tags
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.run.execution import Events, execute
from extract_project.orchestration.run.metadata import (
    declared_metadata,
    defaults_metadata,
    sql_metadata,
)
from extract_project.pipeline import schema_drift

IO_MANAGER = "extracts"

Compute = Callable[[dg.AssetExecutionContext], Events]


def extract_asset(
    extract: Extract, location: CodeLocation, paths: Collection[str]
) -> dg.AssetsDefinition:
    """The asset of an extract: it stages and audits, and the IO manager publishes.

    `paths` are the paths of all SQL files; they distinguish upstream tables from extracts.
    """
    header = extract.header
    pool = header.pool or extract.warehouse

    # Explicit names for the step and its inputs: those that Dagster makes from the keys are equal
    # for `a/b__c` and `a__b/c`, and two steps with one name break the whole code location.
    @dg.multi_asset(
        name=op_name(extract.path),
        outs={"result": dg.AssetOut.from_spec(_spec(extract, location), io_manager_key=IO_MANAGER)},
        ins={
            f"upstream_{number}": dg.AssetIn(key=key, dagster_type=dg.Nothing)
            for number, key in enumerate(_upstream(extract, paths))
        },
        check_specs=_check_specs(extract),
        retry_policy=dg.RetryPolicy(
            max_retries=header.retries.max,
            delay=header.retries.delay.total_seconds(),
            backoff=dg.Backoff.EXPONENTIAL,
            jitter=dg.Jitter.PLUS_MINUS,
        ),
        pool=pool,
        op_tags={**size_tags(header.task_size), POOL_TAG: pool},
        partitions_def=partitions_of(header),
        backfill_policy=dg.BackfillPolicy.multi_run(1) if header.partitions else None,
    )
    @_inspected_once
    def materialize(context: dg.AssetExecutionContext) -> Events:
        yield from execute(context, extract, location)

    return materialize


def _inspected_once(compute: Compute) -> Compute:
    """Attach a function's signature to it: Dagster asks for it 16 times for each asset.

    Without this, making an asset takes a fifth more CPU.
    """
    compute.__signature__ = inspect.signature(compute)  # type: ignore[attr-defined]
    return compute


def _spec(extract: Extract, location: CodeLocation) -> dg.AssetSpec:
    header = extract.header
    return dg.AssetSpec(
        asset_key(extract.path),
        description=extract.header.description.strip() or f"{extract.file} has no description",
        group_name=group_name(extract),
        owners=list(header.owners),
        tags=dict(header.tags),
        kinds={extract.kind, "s3", header.format},
        metadata={
            "sql_file": extract.source.key,
            "sql_version": extract.source.version_id or UNVERSIONED,
            "sql": sql_metadata(extract.text),
            "published_as": _published_as(extract, location),
            **declared_metadata(extract),
            **defaults_metadata(extract.defaults),
            **({"warnings": "\n".join(extract.doubts)} if extract.warnings else {}),
        },
        code_version=extract.code_version,
        freshness_policy=(
            dg.FreshnessPolicy.time_window(fail_window=header.freshness)
            if header.freshness
            else None
        ),
    )


def _published_as(extract: Extract, location: CodeLocation) -> str:
    """The URIs of what it publishes; its path if the settings no longer have a destination."""
    path, known = extract.published_path(), location.settings.locations
    return ", ".join(
        (known[name] / path).uri if name in known else path for name in extract.header.to
    )


def _check_specs(extract: Extract) -> list[dg.AssetCheckSpec]:
    header, key = extract.header, asset_key(extract.path)
    specs = [
        dg.AssetCheckSpec(
            check.name, asset=key, description=check.rule, blocking=check.severity == "error"
        )
        for check in header.audits
    ]
    if header.on_schema_change != "allow":
        blocking = header.on_schema_change == "fail"
        specs.append(
            dg.AssetCheckSpec(
                schema_drift.CHECK, asset=key, description=schema_drift.RULE, blocking=blocking
            )
        )
    return specs


def _upstream(extract: Extract, paths: Collection[str]) -> list[dg.AssetKey]:
    extracts = [asset_key(path) for path in extract.header.depends_on]
    tables = [table_key(extract.warehouse, table, paths) for table in extract.tables]
    return list(dict.fromkeys([*extracts, *tables]))

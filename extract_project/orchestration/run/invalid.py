"""Invalid SQL files: red in the UI, with the reason and line, without affecting others (G6).

Such a file is an external asset under its own key, so that it cannot be materialized, with a
failed check `sql_valid` that a sensor reports. Once the file is fixed, the same key is an
ordinary extract again, with its history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from extract_project.manifest.extract import InvalidExtract
from extract_project.orchestration.names.keys import check_op_name, group_name, shown_key
from extract_project.orchestration.run.metadata import sql_metadata

CHECK = "sql_valid"
_INTERVAL_SECONDS = 30


def invalid_asset(extract: InvalidExtract) -> dg.AssetSpec:
    """The external asset of an invalid file."""
    reasons = "\n".join(f"- {reason}" for reason in extract.reasons)
    return dg.AssetSpec(
        key=shown_key(extract),
        description=f"INVALID: {extract.reasons[0]}\n\n{reasons}",
        group_name=group_name(extract),
        kinds={"invalid"},
        metadata={
            "sql_file": extract.source.key,
            "reasons": dg.MetadataValue.md(reasons),
            "sql": sql_metadata(extract.text),
        },
    )


def invalid_check(extract: InvalidExtract) -> dg.AssetChecksDefinition:
    """The check that is red while the file is invalid; it can also be run by hand."""

    key = shown_key(extract)
    spec = dg.AssetCheckSpec(CHECK, asset=key, description="the file is a valid extract")

    @dg.op(
        name=check_op_name(extract.path, CHECK),
        ins={"checked_file": dg.In(dg.Nothing)},
        out={CHECK: dg.Out(dg.Nothing)},
    )
    def sql_valid() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(passed=False, description="\n".join(extract.reasons))

    # Dagster's decorator would name the input after the key, and that may be a reserved word.
    check: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        keys_by_input_name={"checked_file": key},
        node_def=sql_valid,
        check_specs_by_output_name={CHECK: spec},
        can_subset=False,
    )
    return check


def invalid_sensor(invalid: Sequence[InvalidExtract], snapshot_id: str) -> dg.SensorDefinition:
    """A sensor that reports every invalid file once per snapshot, without a run."""

    @dg.sensor(
        name="invalid_sql_files",
        description="turns invalid SQL files red",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def invalid_sql_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.cursor == snapshot_id:
            return dg.SkipReason(f"{len(invalid)} invalid files, reported already")
        return dg.SensorResult(
            cursor=snapshot_id,
            asset_events=[
                dg.AssetCheckEvaluation(
                    asset_key=shown_key(extract),
                    check_name=CHECK,
                    passed=False,
                    description="\n".join(extract.reasons),
                    severity=dg.AssetCheckSeverity.ERROR,
                )
                for extract in invalid
            ],
        )

    return invalid_sql_files

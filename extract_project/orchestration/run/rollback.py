"""Roll back through Dagster, from the command line or from the launchpad.

The person who asks needs no write access to the bucket, and the run records who did it, why, and
the outcome. The materialization that it reports has the data version of the restored version, so
that downstream extracts run again.

(Without postponed annotations, since Dagster inspects the type of an op's `context`.)
"""

from collections.abc import Mapping

import dagster as dg

from extract_project.deployment.rollback import JOB, OP
from extract_project.errors import ExtractError, NotPublished
from extract_project.history.receipt import receipt_of
from extract_project.journal import Journal
from extract_project.manifest.extract import Extract
from extract_project.manifest.names import no_extract
from extract_project.orchestration.dagster_internals import CODE_VERSION_TAG, DATA_VERSION_TAG
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.requests import NOBODY_NAMED
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.run.journaling import record_restored
from extract_project.orchestration.run.metadata import restored_metadata
from extract_project.publish.places import places_of
from extract_project.publish.rollback import Order, restore


def rollback_job(extracts: Mapping[str, Extract], location: CodeLocation) -> dg.JobDefinition:
    """A job that makes an older version of an extract current again."""

    @dg.op(
        name=OP,
        config_schema={
            "extract": dg.Field(str, description="folder/name"),
            "version": dg.Field(str, description="the VersionId to go back to"),
            "reason": dg.Field(str, description="recorded with the version"),
            "partition": dg.Field(
                str,
                is_required=False,
                description="the partition key, if the extract has partitions",
            ),
            "to": dg.Field(
                str,
                is_required=False,
                description="the destination, if the extract has several; default: the first",
            ),
            "by": dg.Field(str, default_value=NOBODY_NAMED, description="who rolls back"),
        },
    )
    def restore_version(context: dg.OpExecutionContext) -> None:
        try:
            _restore(context, extracts, location)
        except ExtractError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from None

    @dg.job(
        name=JOB,
        description="makes an older version of an extract current again, without a rerun",
        executor_def=dg.in_process_executor,
    )
    def rollback_extract() -> None:
        restore_version()

    return rollback_extract


def _restore(
    context: dg.OpExecutionContext, extracts: Mapping[str, Extract], location: CodeLocation
) -> None:
    config = context.op_config
    path, partition = config["extract"], config.get("partition")
    extract = extracts.get(path)
    if extract is None:
        raise NotPublished(no_extract(path, extracts))
    if bool(extract.header.partitions) != bool(partition):
        need = "has partitions: choose one" if extract.header.partitions else "has no partitions"
        raise NotPublished(f"{path} {need}")
    order = Order(config["version"], config["reason"], config["by"], context.run.run_id)
    to = config.get("to") or extract.destination
    (place,) = places_of(location.connect(), extract.at(to), partition)
    restored = restore(place.state, place.target, order)
    before = receipt_of(place.state, restored.replaced) if restored.replaced else None
    context.log.info("%s: version %s at %s", path, restored.version.version_id, to)
    record_restored(
        Journal({"extract": path, "partition": partition, "run_id": order.run_id}), restored
    )
    description = f"rolled back to version {order.version_id} by {order.by}: {order.reason}"
    metadata = restored_metadata(restored, before)
    if to != extract.destination:
        # What the first destination has is the asset's data: nothing downstream has to run.
        context.log_event(
            dg.AssetObservation(
                asset_key(path),
                description=f"destination {to!r} {description}",
                partition=partition,
                metadata=metadata,
            )
        )
        return
    context.log_event(
        dg.AssetMaterialization(
            asset_key(path),
            description=description,
            partition=partition,
            metadata=metadata,
            tags={
                DATA_VERSION_TAG: restored.receipt.data_sha256,
                CODE_VERSION_TAG: restored.receipt.code_version,
            },
        )
    )

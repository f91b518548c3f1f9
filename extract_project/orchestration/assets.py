"""From one Extract to one asset.

(Without postponed annotations: Dagster looks at the type of an asset's `context` itself.)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from extract_project.errors import SchemaError
from extract_project.journal import Journal
from extract_project.manifest.extract import Extract
from extract_project.orchestration.failures import (
    CAUSE,
    Attempt,
    cancelled,
    failure,
    is_expected,
    refusal,
    refusal_of_empty,
    refusal_of_schema,
)
from extract_project.orchestration.interrupts import redelivered_interrupts
from extract_project.orchestration.journaling import journal_of, record_failure, record_staged
from extract_project.orchestration.keys import asset_key, group_name, op_name, table_key
from extract_project.orchestration.metadata import check_result, schema_result
from extract_project.orchestration.partitions import partition_of, partitions_of
from extract_project.orchestration.release import release_of
from extract_project.orchestration.requests import FAILURE_TAG, wants_full_refresh
from extract_project.orchestration.task_tags import POOL_TAG, size_tags
from extract_project.publish import continuity
from extract_project.publish.staging import Provenance, Staged, stage
from extract_project.publish.upload import Target
from extract_project.publish.versions import Version, find_version
from extract_project.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IO_MANAGER = "extracts"
Yields = Iterator[dg.AssetCheckResult | dg.MaterializeResult[Staged]]


@dataclass(frozen=True)
class Site:
    """What every extract of a code location shares."""

    settings: Settings
    connect: Callable[[], "S3Client"]
    snapshot_id: str

    def target(self, extract: Extract, partition: str | None = None) -> Target:
        data = self.settings.data
        key = data.key(extract.published_path(partition))
        return Target(data.bucket, key, self.settings.kms_key_id)


def extract_asset(extract: Extract, site: Site) -> dg.AssetsDefinition:
    """The asset of an extract: materializing it stages, audits, and lets the IO manager publish."""
    header = extract.header
    pool = header.pool or extract.warehouse

    # Explicit names for the step and its inputs: Dagster's own, made from the keys, are the same
    # for `a/b__c` and `a__b/c`, and two steps of one name break the whole code location.
    @dg.multi_asset(
        name=op_name(extract.path),
        outs={"result": dg.AssetOut.from_spec(_spec(extract, site), io_manager_key=IO_MANAGER)},
        ins={
            f"upstream_{number}": dg.AssetIn(key=key, dagster_type=dg.Nothing)
            for number, key in enumerate(_upstream(extract))
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
    def materialize(context: dg.AssetExecutionContext) -> Yields:
        with redelivered_interrupts():
            yield from _materialize(context, extract, site)

    return materialize


def _spec(extract: Extract, site: Site) -> dg.AssetSpec:
    header = extract.header
    return dg.AssetSpec(
        asset_key(extract.path),
        description=_description(extract),
        group_name=group_name(extract),
        owners=list(header.owners),
        tags=dict(header.tags),
        kinds={extract.kind, "s3", header.format},
        metadata={
            "sql_file": extract.source.key,
            "sql_version": extract.source.version_id or "unversioned bucket",
            "published_as": site.target(extract).uri,
        },
        code_version=extract.code_version,
        freshness_policy=(
            dg.FreshnessPolicy.time_window(fail_window=header.freshness)
            if header.freshness
            else None
        ),
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
                continuity.CHECK, asset=key, description=continuity.RULE, blocking=blocking
            )
        )
    return specs


def _upstream(extract: Extract) -> list[dg.AssetKey]:
    extracts = [asset_key(path) for path in extract.header.depends_on]
    tables = [table_key(extract.warehouse, table) for table in extract.tables]
    return list(dict.fromkeys([*extracts, *tables]))


def _materialize(context: dg.AssetExecutionContext, extract: Extract, site: Site) -> Yields:
    """Stage and audit; then either refuse, with nothing published, or hand over to publish."""
    partition = partition_of(context, extract)
    partition_key = partition.key if partition else None
    attempt = Attempt(extract, partition_key, context.retry_number + 1)
    journal = journal_of(attempt, context.run.run_id)
    s3, target = site.connect(), site.target(extract, partition_key)
    journal.write(
        "started",
        sql_version=extract.source.version_id,
        snapshot=site.snapshot_id,
        warehouse=extract.warehouse,
        attempt=attempt.number,
    )
    context.log.info(
        "%s: sql version %s, snapshot %s, warehouse %s",
        attempt.place(),
        extract.source.version_id,
        site.snapshot_id,
        extract.warehouse,
    )
    try:
        provenance = Provenance(
            context.run.run_id,
            site.snapshot_id,
            partition,
            full_refresh=wants_full_refresh(context.run),
            release=release_of(context.instance, context.run, attempt),
        )
        warehouse = site.settings.warehouses[extract.warehouse]
        state = site.settings.state_location
        with stage(s3, warehouse, extract, target, provenance, state=state) as staged:
            record_staged(journal, staged)
            yield from _judged(staged, attempt)
    except SchemaError as error:
        yield schema_result(error, asset_key(extract.path))
        refused = refusal_of_schema(error, attempt, _current(s3, target))
        _record(context, journal, refused)
        raise refused from None
    except dg.Failure as refused:
        _record(context, journal, refused)
        raise
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        # Left to itself, Dagster takes an interrupt for a failure that the retry policy covers:
        # the terminated run would wait, and run its query again.
        ended = cancelled(attempt, find_version(s3, target.bucket, target.key))
        _record(context, journal, ended)
        raise ended from None
    except Exception as error:
        failed = failure(error, attempt, _current(s3, target))
        _record(context, journal, failed)
        raise failed from (None if is_expected(error) else error)


def _record(context: dg.AssetExecutionContext, journal: Journal, failed: dg.Failure) -> None:
    """In the journal, and as a tag by which the UI lists and filters runs."""
    record_failure(journal, failed)
    context.instance.add_run_tags(
        context.run.run_id, {FAILURE_TAG: str(failed.metadata[CAUSE].value)}
    )


def _judged(staged: Staged, attempt: Attempt) -> Yields:
    """What Dagster gets of a staged result; raises its refusal, with every check recorded."""
    key = asset_key(attempt.extract.path)
    refused = [outcome for outcome in staged.outcomes if outcome.refuses]
    results = [check_result(o, key, published=not refused) for o in staged.outcomes]
    if refused:
        yield from results
        raise refusal(staged, attempt, refused)
    if not staged.receipt.rows and attempt.extract.header.on_empty == "fail":
        yield from results
        raise refusal_of_empty(staged, attempt)
    yield dg.MaterializeResult(
        value=staged,
        check_results=results,
        data_version=dg.DataVersion(staged.receipt.data_sha256),
    )


def _current(s3: "S3Client", target: Target) -> Version | None:
    """What the key holds; unknown counts as nothing, where S3 itself is what fails."""
    try:
        return find_version(s3, target.bucket, target.key)
    except (BotoCoreError, ClientError):
        return None


def _description(extract: Extract) -> str:
    """The catalog shows the beginning of it as plain text."""
    words = extract.header.description.strip() or f"{extract.file}, which has no description"
    return f"{words}\n\n```sql\n{extract.text.strip()}\n```"

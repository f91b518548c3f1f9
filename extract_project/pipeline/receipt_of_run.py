"""Make the receipt of a run: what was published, from which SQL, with which check results."""

from __future__ import annotations

from collections.abc import Sequence

from extract_project.checks.anomalies import ANOMALIES
from extract_project.history.receipt import CheckRecord, Receipt, Stages, schema_hash, write_schema
from extract_project.history.release import Release
from extract_project.memory import peak_memory
from extract_project.pipeline.audit import Outcome
from extract_project.pipeline.baseline import PublishedBaseline
from extract_project.pipeline.profile import Profile
from extract_project.pipeline.provenance import RunOfExtract
from extract_project.publish.output import Content
from extract_project.warehouses.protocol import Result


def receipt_of_run(
    run: RunOfExtract,
    content: Content,
    result: Result,
    profile: Profile,
    *,
    outcomes: Sequence[Outcome],
    stages: Stages,
    baseline: PublishedBaseline,
) -> Receipt:
    """The receipt of a result that is completely staged and audited.

    `stages` has the seconds of each stage. `baseline` is what the result was compared with; its
    metrics go into the receipt, as the baseline of the next result.
    """
    extract = run.extract
    metrics = profile.metrics().model_copy(update={"seconds": stages.total})
    release = _used(outcomes)
    # Releasing an anomaly makes it the new baseline.
    learns_anew = extract.header.anomalies == "allow" or (release and ANOMALIES in release.checks)
    return Receipt(
        id=run.receipt_id,
        extract=extract.path,
        key=content.key,
        run_id=run.provenance.run_id,
        snapshot=run.provenance.snapshot,
        partition=run.partition_key,
        sql_key=extract.source.key,
        sql_version=extract.source.version_id,
        sql_sha256=extract.source.sha256,
        sql=extract.text,
        defaults=extract.defaults,
        code_version=extract.code_version,
        warehouse=extract.warehouse,
        query_id=result.query_id,
        query_url=result.query_url,
        started_at=run.started_at,
        rows=content.rows,
        bytes=content.bytes,
        data_sha256=content.sha256,
        parts=content.parts,
        rows_added=content.added_rows,
        bytes_added=content.added_bytes,
        watermark=content.watermark,
        schema_sha256=schema_hash(profile.schema),
        arrow_schema=write_schema(profile.schema),
        format_options=extract.file_format.written_options,
        columns=tuple(profile.columns()),
        recent=(metrics,) if learns_anew else baseline.followed_by(metrics),
        checks=tuple(_record(outcome) for outcome in outcomes),
        release=release,
        stages=stages,
        usage=result.usage,
        peak_memory=peak_memory(),
    )


def _used(outcomes: Sequence[Outcome]) -> Release | None:
    """The release, with the checks that needed it; None if none did."""
    needed = [each for each in outcomes if each.released]
    if not needed or needed[0].released is None:
        return None
    return needed[0].released.model_copy(update={"checks": tuple(each.name for each in needed)})


def _record(outcome: Outcome) -> CheckRecord:
    return CheckRecord(
        name=outcome.name,
        rule=outcome.rule,
        severity=outcome.severity,
        passed=outcome.verdict.passed,
        summary=outcome.verdict.summary,
    )

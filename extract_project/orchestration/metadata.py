"""From a receipt to what people look at on an asset's page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from extract_project.errors import SchemaError
from extract_project.orchestration.task_cost import TaskCost
from extract_project.publish.audit import Outcome
from extract_project.publish.profile import ColumnProfile, shown
from extract_project.publish.publishing import Published
from extract_project.publish.receipt import Receipt
from extract_project.publish.staging import Staged

_REJECTED = "candidate rejected, the published version stays: "
_OUTCOMES = {
    "published": "published as a new version",
    "unchanged": "verified unchanged: the current version has this very content",
    "kept": "no rows, so the current version was kept (on_empty: keep)",
}

_USAGE = {
    "seconds": "warehouse_seconds",
    "credits": "estimated_credits",
    "basis": "warehouse_cost_basis",
}


def materialization_metadata(
    staged: Staged, published: Published, cost: TaskCost | None
) -> dict[str, dg.MetadataValue[Any]]:
    """Everything about one result, the same that its receipt holds, and what its task cost."""
    receipt = staged.receipt
    target = staged.upload.target
    stages = receipt.stages
    metadata: dict[str, dg.MetadataValue[Any]] = {
        "dagster/row_count": dg.MetadataValue.int(receipt.rows),
        "dagster/uri": dg.MetadataValue.text(f"{target.uri}?versionId={published.version_id}"),
        "dagster/column_schema": dg.MetadataValue.table_schema(_table_schema(receipt)),
        "outcome": dg.MetadataValue.text(_OUTCOMES[published.outcome]),
        "s3_version_id": dg.MetadataValue.text(published.version_id),
        "bytes": dg.MetadataValue.int(receipt.bytes),
        "seconds": dg.MetadataValue.float(stages.total),
        "seconds_connect": dg.MetadataValue.float(stages.connect),
        "seconds_query": dg.MetadataValue.float(stages.query),
        "seconds_fetch": dg.MetadataValue.float(stages.fetch),
        "seconds_audit": dg.MetadataValue.float(stages.audit),
        "seconds_encode": dg.MetadataValue.float(stages.encode),
        "seconds_upload": dg.MetadataValue.float(stages.upload),
        "peak_memory_mib": dg.MetadataValue.float(round(receipt.peak_memory / 2**20, 1)),
        "data_sha256": dg.MetadataValue.text(receipt.data_sha256),
        "sql_version": dg.MetadataValue.text(receipt.sql_version or "unversioned bucket"),
        "sql": dg.MetadataValue.md(f"```sql\n{receipt.sql}\n```"),
        "preview": dg.MetadataValue.md(_markdown(staged.preview)),
        "columns": dg.MetadataValue.md(_profile_table(receipt.columns, receipt.rows)),
    }
    if receipt.query_id:
        metadata["query_id"] = dg.MetadataValue.text(receipt.query_id)
    if receipt.query_url:
        metadata["query"] = dg.MetadataValue.url(receipt.query_url)
    if cost:
        metadata |= {name: _value(value) for name, value in cost.facts().items()}
    if receipt.usage:
        used = receipt.usage.model_dump(exclude_none=True)
        metadata |= {_USAGE[name]: _value(value) for name, value in used.items()}
    if staged.previous:
        metadata["previous_s3_version_id"] = dg.MetadataValue.text(staged.previous.version_id)
    return metadata


def _value(value: float | int | str) -> dg.MetadataValue[Any]:
    if isinstance(value, str):
        return dg.MetadataValue.text(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value)


def check_result(outcome: Outcome, key: dg.AssetKey, published: bool) -> dg.AssetCheckResult:
    """One check as Dagster shows it; figures and sample rows behind a click."""
    verdict = outcome.verdict
    metadata: dict[str, Any] = dict(verdict.figures)
    if verdict.samples:
        rows = [{k: shown(v) for k, v in row.items()} for row in verdict.samples]
        metadata["samples"] = dg.MetadataValue.md(_markdown(rows))
    prefix = "" if published else _REJECTED
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=outcome.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity[outcome.severity.upper()],
        description=verdict.summary if verdict.passed else prefix + verdict.summary,
        metadata=metadata,
    )


def schema_result(error: SchemaError, key: dg.AssetKey) -> dg.AssetCheckResult:
    """The check that a result broke by its columns, before any row was looked at."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=error.check,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{_REJECTED}{error}",
    )


def _table_schema(receipt: Receipt) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(column.name, column.type) for column in receipt.columns])


def _profile_table(columns: Iterable[ColumnProfile], rows: int) -> str:
    return _markdown(
        [
            {
                "column": column.name,
                "type": column.type,
                "null": f"{column.nulls / rows:.1%}" if rows else "",
                "lowest": column.lowest or "",
                "highest": column.highest or "",
            }
            for column in columns
        ]
    )


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "(no rows)"
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row.get(name, "")) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", " ").replace("\n", " ")

"""Metadata and check results for an asset's page, made from a receipt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import dagster as dg

from extract_project.deployment.tags import UNVERSIONED
from extract_project.errors import SchemaError
from extract_project.history.history import Change, change
from extract_project.history.receipt import ColumnProfile, Receipt, read_schema
from extract_project.history.release import Release
from extract_project.history.versions import Version
from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.task_cost import TaskCost
from extract_project.pipeline.attempt import Done
from extract_project.pipeline.audit import Outcome
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published
from extract_project.publish.rollback import Restored
from extract_project.source import DefaultsFile

_REJECTED = "result refused, the published version stays: "
_OUTCOMES = {
    "published": "published as a new version",
    "unchanged": "unchanged: the current version has the same content",
    "kept": "no rows, so the current version was kept (on_empty: keep)",
}

_USAGE = {
    "seconds": "warehouse_seconds",
    "credits": "estimated_credits",
    "bytes_billed": "warehouse_bytes_billed",
    "basis": "warehouse_cost_basis",
}


def materialization_metadata(done: Done, cost: TaskCost | None) -> dict[str, dg.MetadataValue[Any]]:
    """The metadata of one result, with the same facts as its receipt.

    `cost` is the cost of the run's ECS task.
    """
    staged, published = done.staged, done.published
    receipt, stages = staged.receipt, staged.receipt.stages
    uri = f"{staged.output.target.uri}?versionId={published.version_id}"
    difference = change(receipt, done.before)
    if published.outcome != "published":
        difference = replace(difference, rows=0)
    return {
        **_facts(receipt, uri, published.version_id),
        **_compared(difference, staged.previous),
        **_cost(receipt, cost),
        **_released(receipt.release),
        **(destinations_metadata(done.everywhere) if len(done.everywhere) > 1 else {}),
        "outcome": dg.MetadataValue.text(_OUTCOMES[published.outcome]),
        "seconds": dg.MetadataValue.float(stages.total),
        **_typical_duration(receipt),
        "seconds_connect": dg.MetadataValue.float(stages.connect),
        "seconds_query": dg.MetadataValue.float(stages.query),
        "seconds_fetch": dg.MetadataValue.float(stages.fetch),
        "seconds_audit": dg.MetadataValue.float(stages.audit),
        "seconds_encode": dg.MetadataValue.float(stages.encode),
        "seconds_upload": dg.MetadataValue.float(stages.upload),
        "peak_memory_mib": dg.MetadataValue.float(round(receipt.peak_memory / 2**20, 1)),
        "preview": dg.MetadataValue.md(_markdown(staged.preview)),
    }


def destinations_metadata(
    everywhere: Iterable[tuple[Place, Published]],
) -> dict[str, dg.MetadataValue[Any]]:
    """The version and outcome at each of several destinations."""
    rows = [
        {
            "destination": place.destination,
            "version": f"{place.target.uri}?versionId={published.version_id}",
            "outcome": published.outcome,
        }
        for place, published in everywhere
    ]
    return {"destinations": dg.MetadataValue.md(_markdown(rows))}


def restored_metadata(
    restored: Restored, before: Receipt | None
) -> dict[str, dg.MetadataValue[Any]]:
    """The metadata of a rollback; `before` is the receipt of the version that it replaced."""
    version, restoration = restored.version, restored.version.restoration
    assert restoration is not None
    return {
        **_facts(restored.receipt, version.uri, version.version_id),
        **_compared(change(restored.receipt, before), restored.replaced),
        "outcome": dg.MetadataValue.text(f"rolled back by {restoration.by}: {restoration.reason}"),
        "restored_from": dg.MetadataValue.text(restoration.restored_from),
        "restored_by": dg.MetadataValue.text(restoration.by),
        "reason": dg.MetadataValue.text(restoration.reason),
    }


def declared_metadata(extract: Extract) -> dict[str, Any]:
    """What the SQL file says of columns and consumers, for the page of an asset before its first
    run.
    """
    header, said = extract.header, extract.descriptions
    found: dict[str, Any] = {}
    if header.consumers:
        found["consumers"] = ", ".join(header.consumers)
    if header.columns:
        found["dagster/column_schema"] = dg.TableSchema(
            [
                _table_column(name, column.type, said.get(name, ""), column.nullable)
                for name, column in header.columns.items()
            ]
        )
    elif said:
        rows = [{"column": name, "meaning": text} for name, text in said.items()]
        found["described_columns"] = dg.MetadataValue.md(_markdown(rows))
    return found


def sql_metadata(text: str) -> dg.MetadataValue[Any]:
    """SQL as the UI shows it in colours."""
    return dg.MetadataValue.md(f"```sql\n{text.strip()}\n```")


def _facts(receipt: Receipt, uri: str, version_id: str) -> dict[str, dg.MetadataValue[Any]]:
    facts: dict[str, dg.MetadataValue[Any]] = {
        "dagster/row_count": dg.MetadataValue.int(receipt.rows),
        "dagster/uri": dg.MetadataValue.text(uri),
        "dagster/column_schema": dg.MetadataValue.table_schema(_table_schema(receipt)),
        "s3_version_id": dg.MetadataValue.text(version_id),
        "bytes": dg.MetadataValue.int(receipt.bytes),
        "data_sha256": dg.MetadataValue.text(receipt.data_sha256),
        "sql_version": dg.MetadataValue.text(receipt.sql_version or UNVERSIONED),
        "sql": sql_metadata(receipt.sql),
        "columns": dg.MetadataValue.md(_profile_table(receipt.columns, receipt.rows_staged)),
    }
    facts |= defaults_metadata(receipt.defaults)
    if receipt.parts is not None:
        facts["parts"] = dg.MetadataValue.int(receipt.parts)
    if receipt.rows_added is not None and receipt.bytes_added is not None:
        facts["rows_added"] = dg.MetadataValue.int(receipt.rows_added)
        facts["bytes_added"] = dg.MetadataValue.int(receipt.bytes_added)
    if receipt.watermark is not None:
        facts["watermark"] = dg.MetadataValue.text(receipt.watermark)
    if receipt.query_id:
        facts["query_id"] = dg.MetadataValue.text(receipt.query_id)
    if receipt.query_url:
        facts["query"] = dg.MetadataValue.url(receipt.query_url)
    return facts


def defaults_metadata(defaults: Sequence[DefaultsFile]) -> dict[str, dg.MetadataValue[Any]]:
    """The defaults of folders that apply, with their versions, the nearest last."""
    if not defaults:
        return {}
    return {"defaults": dg.MetadataValue.md("\n".join(f"- {each.version}" for each in defaults))}


def _typical_duration(receipt: Receipt) -> dict[str, dg.MetadataValue[Any]]:
    """The median duration of earlier versions, for comparison."""
    before = [each.seconds for each in receipt.recent[:-1] if each.seconds is not None]
    return {"seconds_usual": dg.MetadataValue.float(median(before))} if before else {}


def _released(release: Release | None) -> dict[str, dg.MetadataValue[Any]]:
    if release is None:
        return {}
    return {
        "released_checks": dg.MetadataValue.text(", ".join(release.checks)),
        "released_by": dg.MetadataValue.text(release.by),
        "release_reason": dg.MetadataValue.text(release.reason),
        "release_of": dg.MetadataValue.dagster_run(release.of_run),
    }


def _compared(difference: Change, previous: Version | None) -> dict[str, dg.MetadataValue[Any]]:
    """The differences from the version before; the UI plots numbers over runs."""
    compared: dict[str, dg.MetadataValue[Any]] = {}
    if previous:
        compared["previous_s3_version_id"] = dg.MetadataValue.text(previous.version_id)
    if difference.rows is not None:
        compared["rows_change"] = dg.MetadataValue.int(difference.rows)
    if difference.sql is not None:
        compared["sql_changed"] = dg.MetadataValue.bool(difference.sql)
    if difference.schema is not None:
        compared["schema_changed"] = dg.MetadataValue.bool(difference.schema)
    return compared


def _cost(receipt: Receipt, cost: TaskCost | None) -> dict[str, dg.MetadataValue[Any]]:
    facts = {name: _value(value) for name, value in (cost.facts() if cost else {}).items()}
    if receipt.usage:
        used = receipt.usage.model_dump(exclude_none=True)
        facts |= {_USAGE[name]: _value(value) for name, value in used.items()}
    return facts


def _value(value: float | int | str) -> dg.MetadataValue[Any]:
    if isinstance(value, str):
        return dg.MetadataValue.text(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value)


def check_result(outcome: Outcome, key: dg.AssetKey, published: bool) -> dg.AssetCheckResult:
    """The check result for Dagster, with metrics and sample rows as metadata."""
    verdict = outcome.verdict
    metadata: dict[str, Any] = dict(verdict.metrics)
    if verdict.samples:
        metadata["samples"] = dg.MetadataValue.md(_markdown(verdict.samples))
    prefix = "" if published else _REJECTED
    if outcome.released:
        prefix += f"released by {outcome.released.by} ({outcome.released.reason}): "
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=outcome.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity[outcome.severity.upper()],
        description=verdict.summary if verdict.passed else prefix + verdict.summary,
        metadata=metadata,
    )


def schema_result(error: SchemaError, key: dg.AssetKey) -> dg.AssetCheckResult:
    """The check result for wrong columns, which were found before any row was read."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=error.check,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{_REJECTED}{error}",
    )


def _table_schema(receipt: Receipt) -> dg.TableSchema:
    schema = read_schema(receipt)
    return dg.TableSchema(
        [
            _table_column(column.name, column.type, column.description, field.nullable)
            for column, field in zip(receipt.columns, schema, strict=True)
        ]
    )


def _table_column(name: str, kind: str, description: str, nullable: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=nullable)
    return dg.TableColumn(name, kind, description or None, constraints)


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

"""Run extracts when a table that they read has changed (`schedule: on_source_change`).

One sensor per warehouse asks when the tables were last changed, which costs next to nothing, and
records observations in Dagster. An extract is launched only if a table has changed since its last
launch, so that no credits are wasted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import dagster as dg
from pydantic import BaseModel

from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import DATA_VERSION_TAG
from extract_project.orchestration.names.keys import asset_key, table_key
from extract_project.orchestration.names.requests import run_request
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.warehouses.protocol import Label, TableChange

_INTERVAL_SECONDS = 60
_TIMEOUT = timedelta(seconds=50)
_SHOWN = 10


class SourcesCursor(BaseModel):
    """The last known state of the tables, and the state for which each extract was launched."""

    tables: dict[str, str] = {}
    """Each table, mapped to the warehouse's token of its last change."""
    launched: dict[str, str] = {}
    """The path of each extract, mapped to a digest of its tables' tokens."""


def source_sensors(
    extracts: Iterable[Extract], location: CodeLocation, paths: Collection[str]
) -> list[dg.SensorDefinition]:
    """One sensor per warehouse with such extracts; `paths` are the paths of all SQL files."""
    by_warehouse: dict[str, list[Extract]] = defaultdict(list)
    for extract in extracts:
        if extract.header.enabled and extract.header.on_source_change:
            by_warehouse[extract.warehouse].append(extract)
    return [
        _sensor(name, watching, location, paths) for name, watching in sorted(by_warehouse.items())
    ]


def source_sensor_name(warehouse: str) -> str:
    """The name of the sensor that watches the tables of a warehouse."""
    return f"sources_{warehouse}"


def _sensor(
    warehouse: str, watching: Sequence[Extract], location: CodeLocation, paths: Collection[str]
) -> dg.SensorDefinition:
    tables = sorted({table for extract in watching for table in extract.tables})

    @dg.sensor(
        name=source_sensor_name(warehouse),
        description=f"runs extracts when one of their {len(tables)} tables has changed",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(extract.path) for extract in watching],
    )
    def sources(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        label = Label("changes of tables", "", f"sensor {source_sensor_name(warehouse)}")
        with location.settings.warehouses[warehouse].connect(label, _TIMEOUT) as session:
            changes = session.last_changes(tables)
        cursor = SourcesCursor.model_validate_json(context.cursor or "{}")
        look = evaluate(watching, changes, cursor)
        return dg.SensorResult(
            run_requests=look.requests,
            asset_events=[
                _observation(table_key(warehouse, table, paths), changes[table])
                for table in look.changed
            ],
            skip_reason=None if look.requests else look.reason,
            cursor=look.cursor.model_dump_json(),
        )

    return sources


@dataclass(frozen=True)
class Look:
    """The outcome of one look at the tables."""

    requests: list[dg.RunRequest]
    changed: list[str]
    reason: str
    cursor: SourcesCursor


def evaluate(
    watching: Sequence[Extract], changes: Mapping[str, TableChange], cursor: SourcesCursor
) -> Look:
    """Find the extracts that have to run because one of their tables has changed.

    A table without an answer this time counts as unchanged, so that a failed question starts no
    run. A table with its first answer ever may have changed since the extract ran, so it starts a
    run.
    """
    tables = {table for extract in watching for table in extract.tables}
    tokens = {table: token for table, token in cursor.tables.items() if table in tables}
    tokens |= {table: change.token for table, change in changes.items()}
    requests, launched = [], {}
    for extract in watching:
        known = [tokens.get(table, "") for table in extract.tables]
        digest = sha256("\n".join(known).encode()).hexdigest()[:16]
        if any(known) and cursor.launched.get(extract.path) != digest:
            key = f"{extract.path} {digest}"
            requests.append(run_request(key, [extract], cause="source_change"))
        launched[extract.path] = digest
    changed = [
        table for table, change in changes.items() if cursor.tables.get(table) != change.token
    ]
    reason = f"{len(changes)} tables, none has changed"
    if silent := sorted(tables - set(changes)):
        shown = ", ".join(silent[:_SHOWN]) + (", …" if len(silent) > _SHOWN else "")
        reason += f"; the warehouse reports nothing about {shown}"
    return Look(requests, changed, reason, SourcesCursor(tables=tokens, launched=launched))


def _observation(table: dg.AssetKey, change: TableChange) -> dg.AssetObservation:
    metadata = {"changed_at": dg.MetadataValue.timestamp(change.at)} if change.at else {}
    return dg.AssetObservation(table, metadata=metadata, tags={DATA_VERSION_TAG: change.token})

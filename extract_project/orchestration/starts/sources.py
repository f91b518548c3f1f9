"""Extracts that run when a table which they read has changed (`schedule: on_source_change`).

A sensor for each warehouse asks it when the tables changed last, which costs next to nothing, and
observes them in Dagster. An extract whose tables have not changed since it was launched last is
not launched: no credits for nothing.
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
    """What the tables looked like when last heard of, and what each extract was launched for."""

    tables: dict[str, str] = {}
    """Table to the token of its last change that the warehouse told."""
    launched: dict[str, str] = {}
    """Path of the extract to a digest of its tables' tokens."""


def source_sensors(
    extracts: Iterable[Extract], location: CodeLocation, paths: Collection[str]
) -> list[dg.SensorDefinition]:
    """One sensor for each warehouse that has such extracts; `paths` are those of all SQL files."""
    by_warehouse: dict[str, list[Extract]] = defaultdict(list)
    for extract in extracts:
        if extract.header.enabled and extract.header.on_source_change:
            by_warehouse[extract.warehouse].append(extract)
    return [
        _sensor(name, watching, location, paths) for name, watching in sorted(by_warehouse.items())
    ]


def _sensor(
    warehouse: str, watching: Sequence[Extract], location: CodeLocation, paths: Collection[str]
) -> dg.SensorDefinition:
    tables = sorted({table for extract in watching for table in extract.tables})

    @dg.sensor(
        name=f"sources_{warehouse}",
        description=f"runs extracts when one of their {len(tables)} tables has changed",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        asset_selection=[asset_key(extract.path) for extract in watching],
    )
    def sources(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        label = Label("changes of tables", "", f"sensor sources_{warehouse}")
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
    """What one look at the tables came to."""

    requests: list[dg.RunRequest]
    changed: list[str]
    reason: str
    cursor: SourcesCursor


def evaluate(
    watching: Sequence[Extract], changes: Mapping[str, TableChange], cursor: SourcesCursor
) -> Look:
    """Which extracts have to run, since a table of theirs is not what it was.

    A table that the warehouse says nothing about this time counts as unchanged: a question that
    failed starts no run. One that it has never said anything about, and now does, may have changed
    since the extract ran, so that starts one.
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
        reason += f"; the warehouse tells nothing about {shown}"
    return Look(requests, changed, reason, SourcesCursor(tables=tokens, launched=launched))


def _observation(table: dg.AssetKey, change: TableChange) -> dg.AssetObservation:
    metadata = {"changed_at": dg.MetadataValue.timestamp(change.at)} if change.at else {}
    return dg.AssetObservation(table, metadata=metadata, tags={DATA_VERSION_TAG: change.token})

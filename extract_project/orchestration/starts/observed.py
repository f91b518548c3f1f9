"""Read from the Dagster instance which extracts are running, and what was materialized when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType

from extract_project.manifest.extract import Extract
from extract_project.orchestration.failed.attempts import State, unfinished_business
from extract_project.orchestration.names.keys import asset_key


@dataclass(frozen=True)
class Materialized:
    """The latest materialization of an extract, in any of its partitions."""

    storage_id: int
    at: datetime
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Observed:
    """Materializations and running extracts at one moment; partitions are read on demand."""

    instance: dg.DagsterInstance
    materialized: Mapping[str, Materialized]
    """The latest materialization by path; extracts without any are missing."""
    running: frozenset[str]
    """The paths of extracts that are waiting, starting or running."""

    def latest_ids(self, extract: Extract) -> Mapping[str, int]:
        """Each partition, mapped to the storage id of its latest materialization."""
        return self.instance.get_latest_storage_id_by_partition(
            asset_key(extract.path), DagsterEventType.ASSET_MATERIALIZATION
        )

    def latest_tags(self, extract: Extract, partition: str) -> Mapping[str, str]:
        """The tags of the latest materialization of a partition; empty if there is none."""
        wanted = dg.AssetRecordsFilter(asset_key(extract.path), asset_partitions=[partition])
        for record in self.instance.fetch_materializations(wanted, limit=1).records:
            event = record.asset_materialization
            return (event.tags if event else None) or {}
        return {}

    def materialized_since(self, extract: Extract, partition: str | None, at: datetime) -> bool:
        """Whether an extract, or one of its partitions, has been materialized since a time."""
        latest = self.materialized.get(extract.path)
        if latest is None or latest.at < at:
            return False
        if partition is None:
            return True
        since = dg.AssetRecordsFilter(
            asset_key=asset_key(extract.path),
            asset_partitions=[partition],
            after_timestamp=at.timestamp(),
        )
        return bool(self.instance.fetch_materializations(since, limit=1).records)


def observe(instance: dg.DagsterInstance, extracts: Mapping[str, Extract]) -> Observed:
    """Read the state of the given extracts (by path) from the instance."""
    keys = {asset_key(path): path for path in extracts}
    materialized = {}
    for record in instance.get_asset_records(list(keys)):
        latest = record.asset_entry.last_materialization_record
        event = latest and latest.event_log_entry.asset_materialization
        if latest and event:
            materialized[keys[record.asset_entry.asset_key]] = Materialized(
                latest.storage_id, datetime.fromtimestamp(latest.timestamp, UTC), event.tags or {}
            )
    attempts = unfinished_business(instance, extracts.values())
    running = (each.extract.path for each in attempts if each.state is State.RUNNING)
    return Observed(instance, materialized, frozenset(running))

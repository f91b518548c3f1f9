"""Read from the Dagster instance which extracts are running, and what was materialized when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster import DagsterEventType

from extract_project.manifest.extract import Extract
from extract_project.orchestration.failed.attempts import (
    LatestAttempt,
    State,
    unfinished_business,
)
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.names.latest import Latest, Materialization, read_latest


@dataclass(frozen=True)
class Observed:
    """Materializations and running extracts at one moment; partitions are read on demand."""

    instance: dg.DagsterInstance
    materialized: Mapping[str, Materialization]
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


def observe(
    instance: dg.DagsterInstance,
    extracts: Mapping[str, Extract],
    latest: Mapping[str, Latest] | None = None,
    attempts: Sequence[LatestAttempt] | None = None,
) -> Observed:
    """The state of the given extracts (by path), read from the instance where it is not given."""
    if latest is None:
        latest = read_latest(instance, extracts)
    if attempts is None:
        attempts = unfinished_business(instance, extracts.values(), latest)
    return Observed(
        instance,
        {
            path: found.materialized
            for path, found in latest.items()
            if found.materialized is not None and path in extracts
        },
        frozenset(each.extract.path for each in attempts if each.state is State.RUNNING),
    )

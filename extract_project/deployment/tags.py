"""Tags of runs, written by the deployment and by who launches runs, and read outside of it too."""

from __future__ import annotations

from collections.abc import Mapping

PARTITION_TAG = "dagster/partition"
_FIRST_TAG = "dagster/asset_partition_range_start"
_LAST_TAG = "dagster/asset_partition_range_end"
PRIORITY_TAG = "dagster/priority"
PATH_TAG, TICK_TAG = "extract/path", "extract/tick"
WAREHOUSE_TAG, SQL_VERSION_TAG = "extract/warehouse", "extract/sql_version"
CAUSE_TAG = "extract/cause"
"""Tag: why a run was launched."""
FAILURE_TAG, NO_FAILURE = "extract/failure", "none"
RERUN_OF_TAG, RERUN_NUMBER_TAG = "extract/rerun_of", "extract/rerun_number"
FULL_REFRESH_TAG = "extract/full_refresh"
"""Tag: with `true`, the incremental extracts of a run publish everything anew."""
RELEASE_TAG = "extract/release"
"""Tag: the id of a run that refused its result. The failed checks only warn in the tagged run."""
RELEASE_REASON_TAG, RELEASE_BY_TAG = "extract/release_reason", "extract/release_by"
UNVERSIONED = "unversioned bucket"
"""In an asset's metadata: stands for the version of its SQL, if the bucket keeps no versions."""


def partition_in(tags: Mapping[str, str]) -> str | None:
    """The partition of a run, if it has one: the runs of a backfill have a range of one."""
    first = tags.get(_FIRST_TAG)
    of_backfill = first if first == tags.get(_LAST_TAG) else None
    return tags.get(PARTITION_TAG) or of_backfill


def release_tags(of_run: str, reason: str, by: str) -> dict[str, str]:
    """The tags of a run that releases the refused result of another run."""
    return {RELEASE_TAG: of_run, RELEASE_REASON_TAG: reason, RELEASE_BY_TAG: by}

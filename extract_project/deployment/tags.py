"""Tags of runs, written by the deployment and by who launches runs, and read outside of it too."""

from __future__ import annotations

PARTITION_TAG = "dagster/partition"
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
"""What the metadata of an asset has instead of a version of its SQL."""


def release_tags(of_run: str, reason: str, by: str) -> dict[str, str]:
    """The tags of a run that releases the refused result of another run."""
    return {RELEASE_TAG: of_run, RELEASE_REASON_TAG: reason, RELEASE_BY_TAG: by}

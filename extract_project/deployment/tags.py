"""Tags of runs that are written in the deployment and read outside of it."""

from __future__ import annotations

PARTITION_TAG = "dagster/partition"
CAUSE_TAG = "extract/cause"
"""Tag: why a run was launched."""
FAILURE_TAG, NO_FAILURE = "extract/failure", "none"
UNVERSIONED = "unversioned bucket"
"""What the metadata of an asset has instead of a version of its SQL."""

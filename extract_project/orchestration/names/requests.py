"""Run requests: each extract, and each of its partitions, gets its own run."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from extract_project.deployment.tags import (
    FULL_REFRESH_TAG,
    PATH_TAG,
    PRIORITY_TAG,
    SQL_VERSION_TAG,
    WAREHOUSE_TAG,
)
from extract_project.manifest.extract import Extract
from extract_project.orchestration.names.keys import asset_key

NOBODY_NAMED = "somebody in the launchpad"
"""The name that is recorded if a person launches a run without giving one."""


def run_request(
    run_key: str, extracts: Sequence[Extract], partition: str | None = None, **tags: str
) -> dg.RunRequest:
    """A request for one run, of one extract or of several that depend on each other.

    `tags` are this project's tags without their prefix: `cause="schedule"`. Requests with the same
    run key are run once, so it must identify the occasion.
    """
    return dg.RunRequest(
        run_key=f"{run_key} {partition}" if partition else run_key,
        asset_selection=[asset_key(each.path) for each in extracts],
        partition_key=partition,
        tags=run_tags(extracts, **tags),
    )


def wants_full_refresh(run: dg.DagsterRun) -> bool:
    """Whether a run was launched with the tag for a full refresh."""
    return run.tags.get(FULL_REFRESH_TAG, "").lower() == "true"


def run_tags(extracts: Sequence[Extract], **tags: str) -> dict[str, str]:
    """The tags of a run: its extracts, why it was launched, and its priority."""
    urgent = max(each.header.priority for each in extracts)
    return {
        **subject_tags(extracts),
        **({PRIORITY_TAG: str(urgent)} if urgent else {}),
        **{f"extract/{name}": value for name, value in tags.items()},
    }


def subject_tags(extracts: Sequence[Extract]) -> dict[str, str]:
    """The tags that say what a run is about. The UI lists and filters runs by them."""
    tags = {
        PATH_TAG: ",".join(each.path for each in extracts),
        WAREHOUSE_TAG: ",".join(sorted({each.warehouse for each in extracts})),
    }
    version = extracts[0].source.version_id if len(extracts) == 1 else None
    return {**tags, SQL_VERSION_TAG: version} if version else tags

"""The tags of a run that say what it is about and why it was launched.

Schedules and sensors give them to the runs that they request. A run that is launched in another way
gets them when it starts, and so does a re-execution: Dagster copies the tags of the earlier run,
whose SQL may have been older.
"""

from __future__ import annotations

import dagster as dg

from extract_project.deployment.tags import CAUSE_TAG, RERUN_OF_TAG
from extract_project.manifest.extract import Extract
from extract_project.orchestration.dagster_internals import BACKFILL_ID_TAG, PARENT_RUN_ID_TAG
from extract_project.orchestration.names.requests import subject_tags


def tag_subject(instance: dg.DagsterInstance, run: dg.DagsterRun, extract: Extract) -> None:
    """Add the tags that a run of this one extract lacks. A run of several has no single subject."""
    if len(run.asset_selection or ()) != 1:
        return
    wanted = {**subject_tags([extract]), CAUSE_TAG: cause_of(run)}
    lacking = {tag: value for tag, value in wanted.items() if run.tags.get(tag) != value}
    if lacking:
        instance.add_run_tags(run.run_id, lacking)


def cause_of(run: dg.DagsterRun) -> str:
    """Why a run was launched: `schedule`, `upstream`, `rerun`, `backfill`, `manual`, …"""
    if PARENT_RUN_ID_TAG in run.tags or RERUN_OF_TAG in run.tags:
        return "rerun"
    if BACKFILL_ID_TAG in run.tags:
        return "backfill"
    return run.tags.get(CAUSE_TAG, "manual")

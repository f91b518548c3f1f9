"""The extracts of a run, in a form that is passed to its process."""

from __future__ import annotations

import dagster as dg

from extract_project.settings import ExecutedRun

_LONGEST = 1_500
"""In characters: ECS allows 8,192 for all overrides of a task, including Dagster's command."""


def executed_by(run: dg.DagsterRun) -> ExecutedRun | None:
    """The job and the extracts of a run; None if it needs more than those."""
    if not run.asset_selection:
        return None
    checked = {check.asset_key for check in run.asset_check_selection or ()}
    if not checked <= run.asset_selection:
        return None
    paths = sorted("/".join(key.path) for key in run.asset_selection)
    return ExecutedRun(job=run.job_name, extracts=tuple(paths))


def environment_of(run: dg.DagsterRun) -> dict[str, str]:
    """The environment that names a task's extracts; empty if there are too many for ECS."""
    executed = executed_by(run)
    text = executed.model_dump_json() if executed else ""
    return {"EXTRACT_RUN": text} if 0 < len(text) <= _LONGEST else {}

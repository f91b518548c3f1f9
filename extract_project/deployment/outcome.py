"""How a run has come out so far."""

from __future__ import annotations

from typing import Literal

from extract_project.errors import Cause

FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
"""The states of Dagster in which a run stays."""

RunOutcome = Literal["succeeded", "failed", "refused", "cancelled", "running", "queued"]


def outcome_of(status: str, failure: str | None) -> RunOutcome:
    """How a run has come out so far, from Dagster's status and the tag with its failure."""
    if status == "FAILURE":
        return "refused" if failure == Cause.AUDIT else "failed"
    if status == "SUCCESS":
        return "succeeded"
    if status in ("CANCELED", "CANCELING"):
        return "cancelled"
    return "queued" if status in ("QUEUED", "NOT_STARTED") else "running"

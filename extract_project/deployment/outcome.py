"""What the states of Dagster's runs mean."""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.errors import Cause
from extract_project.outcome import Outcome

FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
"""The states of Dagster in which a run stays."""
_OUTCOMES: Mapping[str, Outcome] = {
    "SUCCESS": Outcome.SUCCEEDED,
    "FAILURE": Outcome.FAILED,
    "CANCELED": Outcome.CANCELLED,
    "CANCELING": Outcome.CANCELLED,
    "QUEUED": Outcome.QUEUED,
    "NOT_STARTED": Outcome.QUEUED,
}


def outcome_of(status: str, failure: str | None) -> Outcome:
    """How a run has come out so far, from Dagster's status and the tag with its failure."""
    outcome = _OUTCOMES.get(status, Outcome.RUNNING)
    is_refused = outcome is Outcome.FAILED and failure == Cause.AUDIT
    return Outcome.REFUSED if is_refused else outcome

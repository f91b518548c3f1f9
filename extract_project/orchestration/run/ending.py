"""How Dagster records an attempt that has not published.

Whatever ends an attempt (a refusal, an error, the timeout, an interrupt) becomes one `Ending` here.
Nothing is raised before, so Dagster always records what really happened, also if S3 fails during a
cancel.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from extract_project.errors import RunEnded, SchemaError
from extract_project.journal import Journal
from extract_project.orchestration.names.keys import asset_key
from extract_project.orchestration.run.failure_tag import tag_failure
from extract_project.orchestration.run.failures import (
    Attempt,
    failure,
    is_expected,
    refusal,
    refusal_of_schema,
)
from extract_project.orchestration.run.interrupts import Interrupts
from extract_project.orchestration.run.journaling import record_failure
from extract_project.orchestration.run.metadata import check_result, schema_result
from extract_project.orchestration.run.standing import Current
from extract_project.pipeline.attempt import RefusedResult
from extract_project.pipeline.everywhere import PartlyPublished


@dataclass(frozen=True)
class Ending:
    """An attempt that has not published: events for Dagster to store, then the failure to raise."""

    events: Sequence[dg.AssetCheckResult]
    failure: dg.Failure
    because: Exception | None = None
    """The original exception, unless the failure explains itself."""


@dataclass(frozen=True)
class Endings:
    """Explains and records the error that has ended an attempt."""

    context: dg.AssetExecutionContext
    this: Attempt
    journal: Journal
    interrupts: Interrupts
    dagster_url: str

    def of(self, error: Exception, current: Current) -> Ending:
        """Record the error in the journal and as a tag of the run; `current` is what readers have.

        An interrupted run is not retried, whatever error came after the interrupt.
        """
        ending = self._explained(error, current)
        self._record(ending.failure)
        if self.interrupts.arrived and ending.failure.allow_retries:
            if isinstance(error, PartlyPublished):
                return Ending((), failure(error, self.this, current, may_retry=False))
            ended = RunEnded(f"the run was stopped from outside, after an error: {error}")
            return self._explained(ended, current)
        return ending

    def _explained(self, error: Exception, current: Current) -> Ending:
        key = asset_key(self.this.extract.path)
        if isinstance(error, RefusedResult):
            outcomes = sorted(error.staged.outcomes, key=lambda each: each.verdict.passed)
            checks = [check_result(each, key, published=False) for each in outcomes]
            return Ending(checks, refusal(error, self.this, self.dagster_url))
        if isinstance(error, SchemaError):
            refused = refusal_of_schema(error, self.this, current)
            return Ending([schema_result(error, key)], refused)
        because = None if is_expected(error) else error
        return Ending((), failure(error, self.this, current), because)

    def _record(self, failed: dg.Failure) -> None:
        try:
            record_failure(self.journal, failed)
            tag_failure(self.context.instance, self.context.run, failed)
        except Exception as error:  # of Dagster's storage; the failure must still be reported
            logging.getLogger(__name__).warning("the run has no tag of its failure: %r", error)

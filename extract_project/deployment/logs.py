"""The log of a run, event by event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.deployment.client import Deployment
from extract_project.deployment.outcome import FINISHED
from extract_project.errors import DeploymentError

_LOGS = """
query Logs($id: ID!, $after: String) {
  runOrError(runId: $id) {
    ... on Run {
      status
      eventConnection(limit: 1000, afterCursor: $after) {
        cursor
        hasMore
        events {
          ... on MessageEvent { message timestamp level stepKey eventType }
          ... on ExecutionStepFailureEvent { error { message } }
          ... on RunFailureEvent { error { message } }
        }
      }
    }
    ... on Error { message }
  }
}
"""
_MILLISECONDS = 1000


class LogLine(BaseModel):
    """One event of a run."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    at: AwareDatetime
    level: str
    """`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`."""
    event: str | None
    """Dagster's type of the event, as `STEP_START`; None for what was logged."""
    message: str


class RunLog:
    """The events of one run, or of one step of it, read on from where the last look ended."""

    def __init__(self, deployment: Deployment, run_id: str, step: str | None = None) -> None:
        self._deployment, self._run_id, self._step = deployment, run_id, step
        self._after: str | None = None
        self.over = False
        """Whether the run had ended when it was looked at."""

    def new(self) -> Iterator[LogLine]:
        """The events since the last call."""
        more = True
        while more:
            run = self._deployment.query(_LOGS, id=self._run_id, after=self._after)["runOrError"]
            if "eventConnection" not in run:
                raise DeploymentError(f"run {self._run_id}: {run.get('message')}")
            self.over = run["status"] in FINISHED
            page = run["eventConnection"]
            self._after, more = page["cursor"], page["hasMore"]
            for event in page["events"]:
                if event.get("stepKey") in (None, self._step) or self._step is None:
                    yield self._line(event)

    def _line(self, event: dict[str, object]) -> LogLine:
        error = event.get("error")
        told = error.get("message") if isinstance(error, dict) else None
        message = f"{event.get('message') or ''}".strip()
        return LogLine(
            run_id=self._run_id,
            at=datetime.fromtimestamp(int(str(event["timestamp"])) / _MILLISECONDS, UTC),
            level=str(event["level"]),
            event=str(event["eventType"]) if event.get("eventType") else None,
            message="\n".join(filter(None, [message, f"{told or ''}".strip()])),
        )

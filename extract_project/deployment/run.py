"""A run of a deployment: its state, and the result or the failure of each extract in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from extract_project.deployment.outcome import FINISHED
from extract_project.deployment.tags import FAILURE_TAG, UNVERSIONED, partition_in
from extract_project.errors import DeploymentError
from extract_project.units import format_bytes

Query = Callable[..., Mapping[str, Any]]
"""The type of `Deployment.query`: sends a GraphQL query, and returns the data of its answer."""

_RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status tags { key value } stepStats { stepKey status } stepKeysToExecute }
    ... on Error { message }
  }
}
"""
_EVENTS = """
query Events($id: ID!, $after: String) {
  runOrError(runId: $id) {
    ... on Run {
      eventConnection(limit: 1000, afterCursor: $after) {
        cursor
        hasMore
        events {
          __typename
          ... on ExecutionStepFailureEvent {
            stepKey
            error { message }
            failureMetadata { metadataEntries { label ... on TextMetadataEntry { text } } }
          }
          ... on MaterializationEvent {
            stepKey
            metadataEntries {
              label
              ... on TextMetadataEntry { text }
              ... on IntMetadataEntry { intRepr }
            }
          }
        }
      }
    }
    ... on Error { message }
  }
}
"""


@dataclass(frozen=True)
class Result:
    """What an extract has published, or found to be published already."""

    outcome: str
    """`published as a new version`, `unchanged: …`."""
    rows: int
    bytes: int
    uri: str
    """The address of the object, with its VersionId."""
    version_id: str | None
    sql_version: str | None

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Result:
        """From the values in the metadata of a materialization."""
        version = metadata.get("sql_version")
        return cls(
            outcome=str(metadata["outcome"]),
            rows=int(metadata.get("dagster/row_count") or 0),
            bytes=int(metadata.get("bytes") or 0),
            uri=str(metadata["dagster/uri"]),
            version_id=metadata.get("s3_version_id"),
            sql_version=None if version == UNVERSIONED else version,
        )

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {format_bytes(self.bytes)}: {self.outcome}\n{self.uri}"


@dataclass(frozen=True)
class Step:
    """One extract in a run."""

    path: str
    status: str
    """`WAITING`, `IN_PROGRESS`, `SUCCESS`, `FAILURE` or `SKIPPED`."""
    error: str = ""
    """The failure report, once the run has finished."""
    cause: str | None = None
    """The cause of the failure."""
    result: Result | None = None
    """What the step has published, once the run has finished successfully."""


@dataclass(frozen=True)
class Run:
    """The state of a run."""

    run_id: str
    status: str
    steps: tuple[Step, ...]
    partition: str | None = None
    failure: str | None = None
    """The cause of its failure, from its tag."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


def read_run(query: Query, run_id: str, steps: Mapping[str, str]) -> Run:
    """The state of a run; `steps` maps paths to names of steps, as `Deployment.extracts` does."""
    found = _asked(query, _RUN, run_id)
    states = {each["stepKey"]: each["status"] or "" for each in found["stepStats"]}
    tags = {each["key"]: each["value"] for each in found["tags"]}
    planned = set(found["stepKeysToExecute"] or ())
    run = Run(
        run_id,
        found["status"],
        tuple(
            Step(path, states.get(step, "WAITING"))
            for path, step in steps.items()
            if step in planned
        ),
        partition_in(tags),
        tags.get(FAILURE_TAG),
    )
    return _told(query, run, steps) if run.finished and run.steps else run


def _told(query: Query, run: Run, names: Mapping[str, str]) -> Run:
    """Complete a finished run with the result or error of each step, from its events."""
    errors, causes, results = {}, {}, {}
    for event in _events(query, run.run_id):
        if event["__typename"] == "ExecutionStepFailureEvent":
            step = event["stepKey"]
            errors[step] = _message(event["error"])
            causes[step] = _cause((event["failureMetadata"] or {}).get("metadataEntries") or ())
        elif event["__typename"] == "MaterializationEvent":
            results[event["stepKey"]] = _result(event["metadataEntries"])
    steps = (
        replace(
            step,
            error=errors.get(names[step.path], ""),
            cause=causes.get(names[step.path]),
            result=results.get(names[step.path]),
        )
        for step in run.steps
    )
    return replace(run, steps=tuple(steps))


def _events(query: Query, run_id: str) -> Iterator[Mapping[str, Any]]:
    after: str | None = None
    while True:
        page = _asked(query, _EVENTS, run_id, after=after)["eventConnection"]
        yield from page["events"]
        if not page["hasMore"]:
            return
        after = page["cursor"]


def _asked(query: Query, text: Any, run_id: str, **variables: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = query(text, id=run_id, **variables)["runOrError"]
    if "message" in found:
        raise DeploymentError(f"run {run_id}: {found['message']}")
    return found


def _message(error: Mapping[str, Any] | None) -> str:
    """The failure report without the name of its exception class."""
    text = (error or {}).get("message") or ""
    return str(text).removeprefix("dagster._core.definitions.events.Failure: ").strip()


def _cause(entries: Sequence[Mapping[str, Any]]) -> str | None:
    return next((each.get("text") for each in entries if each["label"] == "cause"), None)


def _result(entries: Sequence[Mapping[str, Any]]) -> Result | None:
    """None for an asset that is no extract."""
    known = {each["label"]: each.get("text") or each.get("intRepr") for each in entries}
    if "outcome" not in known or known.get("bytes") is None:
        return None
    return Result.of(known)

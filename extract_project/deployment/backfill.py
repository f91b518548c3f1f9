"""A backfill: partitions of one extract, which Dagster's daemon launches a run each for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extract_project.deployment.client import Deployment
from extract_project.deployment.outcome import outcome_of
from extract_project.deployment.tags import FAILURE_TAG, partition_in
from extract_project.errors import DeploymentError, ExtractError
from extract_project.outcome import Outcome
from extract_project.wording import some

_PARTITIONS = """
query Partitions($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      isPartitioned
      partitionKeys
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { status startKey endKey } }
        ... on DefaultPartitionStatuses { materializedPartitions }
      }
    }
    ... on AssetNotFoundError { message }
  }
}
"""
_LAUNCH = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on Error { message }
  }
}
"""
_CANCEL = """
mutation Cancel($id: String!) {
  cancelPartitionBackfill(backfillId: $id) {
    ... on CancelBackfillSuccess { backfillId }
    ... on Error { message }
  }
}
"""
_STATE = """
query Backfill($id: String!, $most: Int!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      error { message }
      runs(limit: $most) { runId status creationTime tags { key value } }
    }
    ... on Error { message }
  }
}
"""
_ENDED = ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")
"""The states of Dagster in which a backfill stays."""
_LISTED = 5
_RUNS_EACH = 4
"""Runs to read for a partition: the first, and those that Dagster launched again."""


@dataclass(frozen=True)
class Partitions:
    """The partitions of an extract, up to now."""

    keys: tuple[str, ...]
    """In order: of time, or as the header lists them."""
    materialized: frozenset[str]


@dataclass(frozen=True)
class PartitionRun:
    """The newest run of one partition in a backfill."""

    partition: str
    run_id: str | None = None
    """None if no run was launched (yet)."""
    outcome: Outcome = Outcome.QUEUED


@dataclass(frozen=True)
class Backfill:
    """The state of a backfill."""

    backfill_id: str
    status: str
    """As Dagster calls it."""
    error: str
    """Why Dagster could not launch all runs."""
    runs: tuple[PartitionRun, ...]
    """One for each partition that was asked for, in order."""

    @property
    def finished(self) -> bool:
        """Whether no more runs are launched.

        Dagster looks at a backfill every half minute. Only after a failure it may launch more runs.
        """
        return self.status in _ENDED or self._all_succeeded

    @property
    def outcome(self) -> Outcome:
        if not self.finished:
            return Outcome.RUNNING
        if self.status == "CANCELED":
            return Outcome.CANCELLED
        return Outcome.SUCCEEDED if self._all_succeeded else Outcome.FAILED

    @property
    def _all_succeeded(self) -> bool:
        return all(each.outcome is Outcome.SUCCEEDED for each in self.runs)


def read_partitions(deployment: Deployment, path: str) -> Partitions:
    """The partitions of an extract; raises ExtractError if it has none."""
    node = deployment.query(_PARTITIONS, key={"path": path.split("/")})["assetNodeOrError"]
    if "message" in node:
        raise DeploymentError(f"dagster does not know {path}: {node['message']}")
    if not node["isPartitioned"]:
        raise ExtractError(f"{path} has no partitions: run it with extract run {path}")
    keys = tuple(node["partitionKeys"])
    if not keys:
        raise ExtractError(f"no partition of {path} is over: its first one has not ended yet")
    return Partitions(keys, frozenset(_materialized(keys, node["assetPartitionStatuses"] or {})))


def _materialized(keys: Sequence[str], statuses: Mapping[str, Any]) -> Iterator[str]:
    yield from statuses.get("materializedPartitions", ())
    places = {key: place for place, key in enumerate(keys)}
    for each in statuses.get("ranges", ()):
        if each["status"] == "MATERIALIZED":
            yield from keys[places[each["startKey"]] : places[each["endKey"]] + 1]


def chosen(
    path: str, partitions: Partitions, first: str | None, last: str | None, *, missing: bool
) -> tuple[str, ...]:
    """The partitions from the first to the last, both included; only those `missing` if asked for.

    Raises ExtractError if there is no such partition, or if the first comes after the last.
    """
    keys = partitions.keys
    begin = 0 if first is None else _place(path, keys, first)
    end = len(keys) - 1 if last is None else _place(path, keys, last)
    if begin > end:
        raise ExtractError(f"{first} comes after {last} in the partitions of {path}: swap them")
    wanted = keys[begin : end + 1]
    if missing:
        return tuple(key for key in wanted if key not in partitions.materialized)
    return wanted


def _place(path: str, keys: Sequence[str], key: str) -> int:
    if key in keys:
        return keys.index(key)
    expected = some(keys) if len(keys) <= _LISTED else f"one from {keys[0]} to {keys[-1]}"
    raise ExtractError(f"{path} has no partition {key!r} that is over: expected {expected}")


def launch_backfill(deployment: Deployment, path: str, partitions: Sequence[str]) -> str:
    """Have Dagster run these partitions, a run each; returns the backfill's id."""
    params = {
        "assetSelection": [{"path": path.split("/")}],
        "partitionNames": list(partitions),
        "title": f"{path}: {len(partitions)} partitions",
    }
    launched = deployment.query(_LAUNCH, params=params)["launchPartitionBackfill"]
    if "backfillId" not in launched:
        raise DeploymentError(f"dagster could not launch the backfill of {path}: {launched}")
    return str(launched["backfillId"])


def cancel_backfill(deployment: Deployment, backfill_id: str) -> None:
    """Launch no more runs, and terminate those that have not ended."""
    cancelled = deployment.query(_CANCEL, id=backfill_id)["cancelPartitionBackfill"]
    if "backfillId" not in cancelled:
        raise DeploymentError(f"dagster could not cancel {backfill_id}: {cancelled['message']}")


def read_backfill(deployment: Deployment, backfill_id: str, partitions: Sequence[str]) -> Backfill:
    """The state of a backfill of these partitions."""
    most = _RUNS_EACH * len(partitions)
    found = deployment.query(_STATE, id=backfill_id, most=most)["partitionBackfillOrError"]
    if "message" in found:
        raise DeploymentError(f"backfill {backfill_id}: {found['message']}")
    runs: dict[str, PartitionRun] = {}
    for run in sorted(found["runs"], key=lambda each: float(each["creationTime"])):
        tags = {each["key"]: each["value"] for each in run["tags"]}
        if partition := partition_in(tags):
            outcome = outcome_of(run["status"], tags.get(FAILURE_TAG))
            runs[partition] = PartitionRun(partition, run["runId"], outcome)
    error = (found["error"] or {}).get("message") or ""
    in_order = tuple(runs.get(key, PartitionRun(key)) for key in partitions)
    return Backfill(backfill_id, found["status"], error.strip(), in_order)


def page(deployment: Deployment, backfill_id: str) -> str:
    """Address of a backfill in the UI."""
    return deployment.page(f"b/{backfill_id}")

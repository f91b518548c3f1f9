"""The runs of a deployment within a time: what ran when, how it came out, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from extract_project.deployment.client import Deployment
from extract_project.deployment.outcome import outcome_of
from extract_project.deployment.tags import CAUSE_TAG, FAILURE_TAG, NO_FAILURE, partition_in
from extract_project.errors import DeploymentError
from extract_project.outcome import Outcome
from extract_project.units import moment_of

_PAGE = 500
_FIELDS = """
  runId status creationTime startTime endTime
  tags { key value }
  assetSelection { path }
"""
_COSTS = """
  assetMaterializations {
    assetKey { path }
    metadataEntries {
      label
      ... on FloatMetadataEntry { floatValue }
      ... on IntMetadataEntry { intRepr }
    }
  }
"""
_RUNS = """
query Runs($filter: RunsFilter, $cursor: String, $limit: Int) {
  runsOrError(filter: $filter, cursor: $cursor, limit: $limit) {
    ... on Runs { results { FIELDS } }
    ... on Error { message }
  }
}
"""
_OWNERS = """
query Owners {
  assetNodes {
    assetKey { path }
    owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } }
  }
}
"""


class ExtractCost(BaseModel):
    """Time, rows and bytes that a run has used for one extract, as far as they are known."""

    model_config = ConfigDict(frozen=True)

    extract: str
    warehouse_seconds: float | None = None
    estimated_credits: float | None = None
    estimated_fargate_usd: float | None = None


class RunRow(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    extracts: tuple[str, ...]
    partition: str | None
    outcome: Outcome
    cause: str
    """Why it was launched: `schedule`, `upstream`, `rerun`, `manual`, …"""
    failure: str | None
    """The cause of its failure."""
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    seconds: float | None
    """From its start to its end, or until now."""
    costs: tuple[ExtractCost, ...] = ()


class RunReport(BaseModel):
    """The runs between two times, oldest first."""

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    until: AwareDatetime
    runs: tuple[RunRow, ...]


def runs_between(
    deployment: Deployment, since: datetime, until: datetime, *, costs: bool = False
) -> list[RunRow]:
    """The runs of extracts that waited or ran between two times, oldest first."""
    query = _RUNS.replace("FIELDS", _FIELDS + (_COSTS if costs else ""))
    wanted = {"updatedAfter": since.timestamp(), "createdBefore": until.timestamp()}
    found = (_row(each, until) for each in _pages(deployment, query, wanted))
    return sorted((row for row in found if row.extracts), key=lambda row: row.created_at)


def owners(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """The owners of each extract."""
    return {
        "/".join(node["assetKey"]["path"]): tuple(
            f"team:{each['team']}" if "team" in each else each["email"] for each in node["owners"]
        )
        for node in deployment.query(_OWNERS)["assetNodes"]
    }


def _pages(
    deployment: Deployment, query: str, wanted: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        answer = deployment.query(query, filter=wanted, cursor=cursor, limit=_PAGE)["runsOrError"]
        if "message" in answer:
            raise DeploymentError(f"the deployment does not list its runs: {answer['message']}")
        yield from answer["results"]
        if len(answer["results"]) < _PAGE:
            return
        cursor = answer["results"][-1]["runId"]


def _row(run: Mapping[str, Any], until: datetime) -> RunRow:
    tags = {each["key"]: each["value"] for each in run["tags"]}
    selected = ["/".join(each["path"]) for each in run["assetSelection"] or ()]
    started, ended = moment_of(run["startTime"]), moment_of(run["endTime"])
    failure = tags.get(FAILURE_TAG)
    last = ended or min(datetime.now(UTC), until)
    return RunRow(
        run_id=run["runId"],
        extracts=tuple(sorted(selected)),
        partition=partition_in(tags),
        outcome=outcome_of(run["status"], failure),
        cause=tags.get(CAUSE_TAG, "manual"),
        failure=failure if run["status"] == "FAILURE" and failure != NO_FAILURE else None,
        created_at=datetime.fromtimestamp(run["creationTime"], UTC),
        started_at=started,
        ended_at=ended,
        seconds=max((last - started).total_seconds(), 0.0) if started else None,
        costs=_costs(run.get("assetMaterializations") or ()),
    )


def _costs(materializations: Sequence[Mapping[str, Any]]) -> tuple[ExtractCost, ...]:
    found = []
    for each in materializations:
        entries = {
            entry["label"]: entry.get("floatValue", entry.get("intRepr"))
            for entry in each["metadataEntries"]
        }
        names = ExtractCost.model_fields.keys() & entries.keys()
        if names:
            known = {name: entries[name] for name in names}
            path = "/".join(each["assetKey"]["path"])
            found.append(ExtractCost.model_validate({"extract": path, **known}))
    return tuple(found)

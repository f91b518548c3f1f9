"""The client of a running deployment's GraphQL API: reload, launch, watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportError
from gql.transport.requests import RequestsHTTPTransport

from extract_project.deployment import health
from extract_project.deployment.health import Health, read_health
from extract_project.deployment.tags import PARTITION_TAG
from extract_project.errors import DeploymentError
from extract_project.settings import LOCATION
from extract_project.units import format_bytes

"""Dagster's tag for the partition of a run."""

REPOSITORY, JOB = "__repository__", "__ASSET_JOB"

_RUN = gql("""
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status stepStats { stepKey status } stepKeysToExecute }
    ... on Error { message }
  }
}
""")
_EVENTS = gql("""
query Events($id: ID!, $after: String) {
  runOrError(runId: $id) {
    ... on Run {
      eventConnection(limit: 1000, afterCursor: $after) {
        cursor
        hasMore
        events {
          __typename
          ... on ExecutionStepFailureEvent { stepKey error { message } }
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
""")
_ASSETS = gql("""
query Assets {
  assetNodes { assetKey { path } isMaterializable isPartitioned opName }
}
""")
# Dagster's own client (dagster_graphql) imports all of Dagster, which takes a second; and it raises
# KeyError if a reload has removed the asset, because it does not ask for the message of that error.
_RELOAD = gql("""
mutation Reload($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    ... on WorkspaceLocationEntry {
      locationOrLoadError { ... on PythonError { message } }
    }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message }
    ... on PythonError { message }
  }
}
""")
_LAUNCH = gql("""
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
""")
_TERMINATE = gql("""
mutation Terminate($id: String!) {
  terminateRun(runId: $id) {
    ... on TerminateRunSuccess { run { runId } }
    ... on TerminateRunFailure { message }
    ... on Error { message }
  }
}
""")
_DRY_RUN = gql("""
mutation Evaluate($selector: SensorSelector!, $cursor: String) {
  sensorDryRun(selectorData: $selector, cursor: $cursor) {
    ... on DryRunInstigationTick { evaluationResult { cursor error { message } } }
    ... on Error { message }
  }
}
""")
_NOTHING: Mapping[str, Any] = {}
_FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class Step:
    """One extract in a run."""

    path: str
    status: str
    """`WAITING`, `IN_PROGRESS`, `SUCCESS` or `FAILURE`."""
    error: str = ""
    """The failure report, once the run has finished."""
    result: str = ""
    """The result of a success, once the run has finished."""


@dataclass(frozen=True)
class Run:
    """The state of a run."""

    status: str
    steps: tuple[Step, ...]

    @property
    def finished(self) -> bool:
        return self.status in _FINISHED


class Deployment:
    """The code location with the extracts, reached through a webserver."""

    def __init__(self, url: str, location: str = LOCATION, *, patience: int = 60) -> None:
        """`patience`: how many seconds an answer may take."""
        transport = RequestsHTTPTransport(
            url=f"{url.rstrip('/')}/graphql", timeout=patience, retries=0
        )
        self._url = url
        self._location = location
        self._gql = Client(transport=transport, fetch_schema_from_transport=False)

    def health(self) -> Health:
        """The state of the webserver, of this code location, and of the daemon."""
        return read_health(self._ask(health.QUERY, {}), self._location)

    def reload(self) -> None:
        """Reload the code location, so that it reads the manifest again."""
        reloaded = self._ask(_RELOAD, {"location": self._location})["reloadRepositoryLocation"]
        error = reloaded.get("message") or reloaded.get("locationOrLoadError", {}).get("message")
        if error:
            raise DeploymentError(f"the code location could not be reloaded: {error}")

    def extracts(self) -> dict[str, str]:
        """The path of each extract that can be materialized, mapped to the name of its step."""
        return {path: node["opName"] for path, node in self._materializable().items()}

    def partitioned(self) -> set[str]:
        """Paths of the extracts that have partitions."""
        return {path for path, node in self._materializable().items() if node["isPartitioned"]}

    def _materializable(self) -> dict[str, Any]:
        nodes = self._ask(_ASSETS, {})["assetNodes"]
        return {
            "/".join(node["assetKey"]["path"]): node
            for node in nodes
            if node["isMaterializable"] and node["opName"]
        }

    def launch(
        self,
        paths: Sequence[str],
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Materialize extracts, or a partition of them, in one run; returns its id."""
        given = {**(tags or {}), **({PARTITION_TAG: partition} if partition else {})}
        selection = [{"path": path.split("/")} for path in paths]
        return self._launch(
            JOB, ", ".join(paths), selector={"assetSelection": selection}, tags=given
        )

    def _launch(
        self,
        job: str,
        what: str,
        *,
        selector: Mapping[str, Any] = _NOTHING,
        tags: Mapping[str, str] = _NOTHING,
        config: Mapping[str, Any] = _NOTHING,
    ) -> str:
        params = {
            "selector": {
                "repositoryLocationName": self._location,
                "repositoryName": REPOSITORY,
                "jobName": job,
                **selector,
            },
            "runConfigData": dict(config),
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        launched = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if "run" in launched:
            return str(launched["run"]["runId"])
        errors = launched.get("errors") or [launched]
        reason = "; ".join(str(error.get("message")).strip() for error in errors)
        raise DeploymentError(f"dagster could not launch {what}: {reason}")

    def terminate(self, run_id: str) -> None:
        """Terminate a run; it has ended some seconds later. One that has ended stays as it is."""
        ended = self._ask(_TERMINATE, {"id": run_id})["terminateRun"]
        if "run" not in ended and self._run(_RUN, run_id)["status"] not in _FINISHED:
            raise DeploymentError(f"dagster could not terminate {run_id}: {ended['message']}")

    def page(self, run_id: str) -> str:
        """Address of a run in the UI."""
        return f"{self._url.rstrip('/')}/runs/{run_id}"

    def launch_job(self, name: str, config: Mapping[str, Any]) -> str:
        """Launch a job that does not materialize extracts; returns the run's id."""
        return self._launch(name, name, config=config)

    def evaluate_sensor(self, name: str, cursor: str) -> str:
        """Evaluate a sensor with a cursor; returns its new cursor. No run is launched."""
        selector = {
            "repositoryLocationName": self._location,
            "repositoryName": REPOSITORY,
            "sensorName": name,
        }
        tick = self._ask(_DRY_RUN, {"selector": selector, "cursor": cursor})["sensorDryRun"]
        evaluated = tick.get("evaluationResult") or {}
        error = evaluated.get("error") or (tick if "message" in tick else None)
        if error or evaluated.get("cursor") is None:
            reason = (error or {}).get("message") or "no answer"
            raise DeploymentError(f"the deployment could not evaluate {name}: {reason}")
        return str(evaluated["cursor"])

    def run(self, run_id: str, steps: dict[str, str]) -> Run:
        """The state of a run; `steps` comes from `extracts`."""
        found = self._run(_RUN, run_id)
        states = {each["stepKey"]: each["status"] or "" for each in found["stepStats"]}
        planned = set(found["stepKeysToExecute"] or ())
        run = Run(
            found["status"],
            tuple(
                Step(path, states.get(step, "WAITING"))
                for path, step in steps.items()
                if step in planned
            ),
        )
        return self._told(run_id, run, steps) if run.finished else run

    def _told(self, run_id: str, run: Run, names: Mapping[str, str]) -> Run:
        """A finished run, with the result or error of each step from its events."""
        errors, results = {}, {}
        for event in self._events(run_id):
            if event["__typename"] == "ExecutionStepFailureEvent":
                errors[event["stepKey"]] = _message(event["error"])
            elif event["__typename"] == "MaterializationEvent":
                results[event["stepKey"]] = _result(event["metadataEntries"])
        steps = (
            replace(
                step,
                error=errors.get(names[step.path], ""),
                result=results.get(names[step.path], ""),
            )
            for step in run.steps
        )
        return replace(run, steps=tuple(steps))

    def _events(self, run_id: str) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._run(_EVENTS, run_id, after=after)["eventConnection"]
            yield from page["events"]
            if not page["hasMore"]:
                return
            after = page["cursor"]

    def _run(self, query: Any, run_id: str, **variables: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(query, {"id": run_id, **variables})["runOrError"]
        if "message" in found:
            raise DeploymentError(f"run {run_id}: {found['message']}")
        return found

    def query(self, query: Any, **variables: Any) -> dict[str, Any]:
        """The answer to a GraphQL query; raises DeploymentError if there is none."""
        return self._ask(query, variables)

    def _ask(self, query: Any, variables: dict[str, Any]) -> dict[str, Any]:
        query.variable_values = variables
        try:
            return dict(self._gql.execute(query))
        except TransportError as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: Exception) -> DeploymentError:
        reason = str(error).strip().splitlines()[-1]
        return DeploymentError(
            f"no Dagster answers at {self._url}: start one with 'extract up', "
            f"or set EXTRACT_DAGSTER_URL ({reason})"
        )


def _message(error: dict[str, Any] | None) -> str:
    """The failure report without the name of its exception class."""
    text = (error or {}).get("message") or ""
    return str(text).removeprefix("dagster._core.definitions.events.Failure: ").strip()


def _result(entries: Sequence[Mapping[str, Any]]) -> str:
    """Rows and bytes of a result, its outcome, and the URI of its version."""
    known = {each["label"]: each.get("text") or each.get("intRepr") for each in entries}
    if "outcome" not in known or known.get("bytes") is None:
        return ""
    rows, size = int(known["dagster/row_count"] or 0), format_bytes(int(known["bytes"] or 0))
    return f"{rows:,} rows, {size}: {known['outcome']}\n{known['dagster/uri']}"

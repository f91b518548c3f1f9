"""The client of a running deployment's GraphQL API: reload, launch, watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from extract_project.deployment import health
from extract_project.deployment.health import Health, read_health
from extract_project.deployment.run import Run, read_run
from extract_project.deployment.tags import PARTITION_TAG
from extract_project.deployment.webserver import Webserver
from extract_project.errors import DeploymentError
from extract_project.settings import LOCATION

REPOSITORY, JOB = "__repository__", "__ASSET_JOB"

_ASSETS = """
query Assets {
  assetNodes { assetKey { path } isMaterializable isPartitioned opName }
}
"""
_RELOAD = """
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
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""
_TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id) {
    ... on TerminateRunSuccess { run { runId } }
    ... on TerminateRunFailure { message }
    ... on Error { message }
  }
}
"""
_DRY_RUN = """
mutation Evaluate($selector: SensorSelector!, $cursor: String) {
  sensorDryRun(selectorData: $selector, cursor: $cursor) {
    ... on DryRunInstigationTick { evaluationResult { cursor error { message } } }
    ... on Error { message }
  }
}
"""
_NOTHING: Mapping[str, Any] = {}
_RELOAD_SECONDS = 600
"""The answer comes after the reload, which takes half a minute for 5,000 files."""


class Deployment:
    """The code location with the extracts, reached through a webserver."""

    def __init__(self, url: str, location: str = LOCATION, *, patience: int = 60) -> None:
        """`patience`: how many seconds an answer may take."""
        self._webserver = Webserver(url, patience)
        self._location = location

    def health(self) -> Health:
        """The state of the webserver, of this code location, and of the daemon."""
        return read_health(self.query(health.QUERY), self._location, datetime.now(UTC))

    def reload(self) -> None:
        """Reload the code location, so that it reads the manifest again."""
        reloaded = self._webserver.ask(
            _RELOAD, {"location": self._location}, patience=_RELOAD_SECONDS
        )["reloadRepositoryLocation"]
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
        nodes = self.query(_ASSETS)["assetNodes"]
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
        launched = self.query(_LAUNCH, params=params)["launchRun"]
        if "run" in launched:
            return str(launched["run"]["runId"])
        errors = launched.get("errors") or [launched]
        reason = "; ".join(str(error.get("message")).strip() for error in errors)
        raise DeploymentError(f"dagster could not launch {what}: {reason}")

    def terminate(self, run_id: str) -> None:
        """Terminate a run, which then ends within seconds. A run that has ended stays as it is."""
        ended = self.query(_TERMINATE, id=run_id)["terminateRun"]
        if "run" not in ended and not self.run(run_id, {}).finished:
            raise DeploymentError(f"dagster could not terminate {run_id}: {ended['message']}")

    def page(self, run_id: str) -> str:
        """Address of a run in the UI."""
        return f"{self._webserver.url}/runs/{run_id}"

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
        tick = self.query(_DRY_RUN, selector=selector, cursor=cursor)["sensorDryRun"]
        evaluated = tick.get("evaluationResult") or {}
        error = evaluated.get("error") or (tick if "message" in tick else None)
        if error or evaluated.get("cursor") is None:
            reason = (error or {}).get("message") or "no answer"
            raise DeploymentError(f"the deployment could not evaluate {name}: {reason}")
        return str(evaluated["cursor"])

    def run(self, run_id: str, steps: Mapping[str, str]) -> Run:
        """The state of a run; `steps` comes from `extracts`."""
        return read_run(self.query, run_id, steps)

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to a GraphQL query; raises DeploymentError if there is none."""
        return self._webserver.ask(query, variables)

"""The code locations with extracts behind one webserver, and questions to all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from extract_project.deployment.client import REPOSITORY, Deployment
from extract_project.errors import DeploymentError
from extract_project.settings import Settings
from extract_project.status.question import SENSOR

_LOCATIONS = """
query Locations {
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        name
        locationOrLoadError {
          ... on RepositoryLocation { repositories { name sensors { name } } }
          ... on PythonError { message }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""
_STILL_LOADING = "it is still loading"
_MOST_AT_ONCE = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Answers(Generic[T]):
    """The answers of code locations, by their names, and why others have not answered."""

    answered: Mapping[str, T]
    unknown: Mapping[str, str]


@dataclass(frozen=True)
class Locations:
    """The code locations that a command is about; at least one."""

    deployments: Mapping[str, Deployment]
    not_loaded: Mapping[str, str] = field(default_factory=dict)
    """Those that are not loaded, and why: whether they have extracts is not known."""

    @property
    def several(self) -> bool:
        return len(self.deployments) + len(self.not_loaded) > 1

    def ask(self, question: Callable[[Deployment], T]) -> Answers[T]:
        """Ask all of them at the same time.

        Raises DeploymentError if there is only one, and it does not answer, or if none does.
        """
        if not self.several:
            return Answers({name: question(each) for name, each in self.deployments.items()}, {})
        answered: dict[str, T] = {}
        unknown = dict(self.not_loaded)
        with ThreadPoolExecutor(min(len(self.deployments), _MOST_AT_ONCE)) as pool:
            asked = {name: pool.submit(question, d) for name, d in self.deployments.items()}
            for name, answer in asked.items():
                try:
                    answered[name] = answer.result()
                except DeploymentError as error:
                    unknown[name] = str(error)
        if not answered:
            reasons = "\n".join(f"{name}: {reason}" for name, reason in sorted(unknown.items()))
            raise DeploymentError(f"no code location answers:\n{reasons}")
        return Answers(answered, unknown)


def find_locations(settings: Settings) -> Locations:
    """The location that EXTRACT_LOCATION names, else all that have extracts, in one request."""
    if settings.location_is_given:
        return _chosen(settings, [settings.location], {})
    workspace = Deployment(settings.dagster_url).query(_LOCATIONS)["workspaceOrError"]
    if "message" in workspace:
        raise DeploymentError(f"dagster has no workspace: {workspace['message']}")
    loads = {
        each["name"]: each["locationOrLoadError"] or {"message": _STILL_LOADING}
        for each in workspace["locationEntries"]
    }
    names = sorted(name for name, load in loads.items() if _has_extracts(load))
    not_loaded = {name: str(load["message"]) for name, load in loads.items() if "message" in load}
    if names:
        return _chosen(settings, names, not_loaded)
    return _chosen(settings, [settings.location], {})


def _chosen(settings: Settings, names: Collection[str], not_loaded: Mapping[str, str]) -> Locations:
    url = settings.dagster_url
    return Locations({name: Deployment(url, name) for name in names}, not_loaded)


def _has_extracts(load: Mapping[str, Any]) -> bool:
    return any(
        repository["name"] == REPOSITORY
        and any(sensor["name"] == SENSOR for sensor in repository["sensors"])
        for repository in load.get("repositories", ())
    )

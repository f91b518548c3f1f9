"""Which SQL a running deployment has loaded, and whether the bucket has newer SQL.

The sensor `manifest` answers, so that whoever asks needs no access to the bucket.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import BaseModel

from extract_project.deployment.client import Deployment
from extract_project.deployment.questions import ask
from extract_project.manifest.extract import SUFFIX, is_sql
from extract_project.manifest.names import is_meant, is_pattern

SENSOR = "manifest"


class Question(BaseModel):
    """Ask what is loaded of some extracts, given as paths or patterns (`sales/*`)."""

    ask: Literal["loaded"] = "loaded"
    extracts: tuple[str, ...] = ()
    reloads: bool = False
    """Whether the asker is about to reload the location, so that the sensor need not do it."""


class Loaded(BaseModel):
    """Those of the named extracts that a code location has loaded."""

    versions: dict[str, str | None]
    """Path of each valid extract, and the VersionId of its SQL."""
    invalid: dict[str, tuple[str, ...]] = {}
    """Path of each invalid one, and the reasons."""
    newer: tuple[str, ...] = ()
    """Files below the manifest prefix that were added, changed or removed since, of any extract."""
    refused: str = ""
    """Why the manifest in the bucket does not load, if an older one is served; else empty."""

    def behind(self, extracts: Iterable[str]) -> list[str]:
        """The newer files that belong to these extracts (paths or patterns), defaults too."""
        wanted = list(extracts)
        return [name for name in self.newer if any(_reaches(name, each) for each in wanted)]


def ask_loaded(deployment: Deployment, extracts: Collection[str]) -> Loaded:
    """Ask the running deployment."""
    return ask(deployment, SENSOR, Question(extracts=tuple(extracts)), Loaded)


def announce_reload(deployment: Deployment) -> None:
    """Tell the sensor that a reload follows, so that a push is not loaded twice."""
    deployment.evaluate_sensor(SENSOR, Question(reloads=True).model_dump_json())


def _reaches(name: str, extract: str) -> bool:
    """Whether a file of the manifest is this extract's, or defaults of a folder above it."""
    if is_sql(name):
        path = name[: -len(SUFFIX)]
        return is_meant(path, [extract])
    folder = name.rpartition("/")[0]
    return not folder or is_pattern(extract) or extract.startswith(f"{folder}/")

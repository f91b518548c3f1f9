"""Which SQL a running deployment has loaded, and whether the bucket has newer SQL.

The deployment answers: it evaluates its sensor `manifest` as a dry run, with the question as the
cursor and the answer as the new cursor. Whoever asks needs no access to the bucket.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ValidationError

from extract_project.deployment.client import Deployment
from extract_project.errors import DeploymentError
from extract_project.manifest.extract import SUFFIX, is_sql

SENSOR = "manifest"


class Question(BaseModel):
    """Ask what is loaded of some extracts, given as paths or patterns (`sales/*`)."""

    ask: Literal["loaded"] = "loaded"
    extracts: tuple[str, ...] = ()
    reloads: bool = False
    """Whether who asks is about to have the location reloaded, so that the sensor need not."""


class Loaded(BaseModel):
    """What a code location has loaded of the extracts that were asked for."""

    versions: dict[str, str | None]
    """Path of each valid extract, and the VersionId of its SQL."""
    invalid: dict[str, tuple[str, ...]] = {}
    """Path of each invalid one, and the reasons."""
    newer: tuple[str, ...] = ()
    """Files below the manifest prefix that were added, changed or removed since, of any extract."""
    refused: str = ""
    """Why the manifest in the bucket does not load, where an older one is served."""

    def behind(self, extracts: Iterable[str]) -> list[str]:
        """The newer files that belong to these extracts (paths or patterns), defaults too."""
        wanted = list(extracts)
        return [name for name in self.newer if any(_reaches(name, each) for each in wanted)]


def ask_loaded(deployment: Deployment, extracts: Collection[str]) -> Loaded:
    """Ask the running deployment."""
    question = Question(extracts=tuple(extracts))
    text = deployment.evaluate_sensor(SENSOR, question.model_dump_json())
    try:
        return Loaded.model_validate_json(text)
    except ValidationError:
        raise DeploymentError(
            "the deployment's answer is not understood: it runs another release of this project; "
            "use the release that it runs"
        ) from None


def announce_reload(deployment: Deployment) -> None:
    """Tell the sensor that a reload follows, so that a push is not loaded twice."""
    deployment.evaluate_sensor(SENSOR, Question(reloads=True).model_dump_json())


def read_question(cursor: str | None) -> Question | None:
    """The question in a cursor; None if it is an ordinary cursor."""
    try:
        return Question.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None


def _reaches(name: str, extract: str) -> bool:
    """Whether a file of the manifest is this extract's, or defaults of a folder above it."""
    if is_sql(name):
        path = name[: -len(SUFFIX)]
        return path == extract or fnmatchcase(path, extract)
    folder = name.rpartition("/")[0]
    is_pattern = any(character in extract for character in "*?[")
    return not folder or is_pattern or extract.startswith(f"{folder}/")

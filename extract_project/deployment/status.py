"""Ask a running deployment for the facts that states and reasons follow from."""

from __future__ import annotations

from extract_project.deployment.client import Deployment
from extract_project.deployment.questions import ask
from extract_project.status.facts import Facts
from extract_project.status.question import SENSOR, StatusQuestion


def ask_status(deployment: Deployment, extract: str | None = None) -> Facts:
    """The facts about all extracts, or about one and all upstream of it; one request.

    Raises DeploymentError when no deployment answers, or one of another release.
    """
    return ask(deployment, SENSOR, StatusQuestion(extract=extract), Facts)

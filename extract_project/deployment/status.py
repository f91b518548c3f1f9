"""Ask a running deployment for the facts that states and reasons follow from."""

from __future__ import annotations

from pydantic import ValidationError

from extract_project.deployment.client import Deployment
from extract_project.errors import DeploymentError
from extract_project.status.facts import Facts
from extract_project.status.question import SENSOR, StatusQuestion


def ask_status(deployment: Deployment, extract: str | None = None) -> Facts:
    """The facts about all extracts, or about one and all upstream of it; one request.

    Raises DeploymentError when no deployment answers, or one of another release.
    """
    question = StatusQuestion(extract=extract)
    text = deployment.evaluate_sensor(SENSOR, question.model_dump_json())
    try:
        return Facts.model_validate_json(text)
    except ValidationError:
        raise DeploymentError(
            "the deployment's answer is not understood: it runs another release of this project; "
            "use the release that it runs"
        ) from None

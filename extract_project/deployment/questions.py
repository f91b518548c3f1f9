"""Questions to the sensors of a running deployment, which answer a dry run.

The question is the sensor's cursor, and the answer its new cursor. Whoever asks needs no rights but
access to the webserver.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from extract_project.deployment.client import Deployment
from extract_project.errors import DeploymentError

M = TypeVar("M", bound=BaseModel)


def ask(deployment: Deployment, sensor: str, question: BaseModel, answer: type[M]) -> M:
    """The answer of a sensor, in one request.

    Raises DeploymentError when no deployment answers, or one of another release.
    """
    text = deployment.evaluate_sensor(sensor, question.model_dump_json())
    try:
        return answer.model_validate_json(text)
    except ValidationError:
        raise DeploymentError(
            "the deployment's answer is not understood: it runs another release of this project; "
            "use the release that it runs"
        ) from None


def question_in(cursor: str | None, question: type[M]) -> M | None:
    """The question in a sensor's cursor; None if it is an ordinary cursor."""
    try:
        return question.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None

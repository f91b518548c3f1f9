"""Questions to the sensors of a running deployment, which answer a dry run.

The question is the sensor's cursor, and the answer its new cursor. Whoever asks needs no rights but
access to the webserver. An answer about thousands of extracts has some megabytes, which the code
server, its proxy and the webserver each wrap in another JSON text; so it is compressed.
"""

from __future__ import annotations

import base64
import zlib
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from extract_project.deployment.client import Deployment
from extract_project.errors import DeploymentError

M = TypeVar("M", bound=BaseModel)

_LEVEL = 1
"""The fastest compression: a fourteenth of the size, where the best gives a twentieth."""


def ask(deployment: Deployment, sensor: str, question: BaseModel, answer: type[M]) -> M:
    """The answer of a sensor, in one request.

    Raises DeploymentError when no deployment answers, or one of another release.
    """
    cursor = deployment.evaluate_sensor(sensor, question.model_dump_json())
    try:
        return answer_in(cursor, answer)
    except ValueError:
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


def as_cursor(answer: BaseModel) -> str:
    """An answer as a sensor's new cursor."""
    text = answer.model_dump_json(exclude_defaults=True)
    return base64.b64encode(zlib.compress(text.encode(), _LEVEL)).decode()


def answer_in(cursor: str, answer: type[M]) -> M:
    """The answer in a sensor's new cursor; raises ValueError if it is none."""
    try:
        text = zlib.decompress(base64.b64decode(cursor, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return answer.model_validate_json(text)

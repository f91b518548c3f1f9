"""The questions that a deployment answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SENSOR = "status"
"""Name of the sensor that answers."""


class StatusQuestion(BaseModel):
    """A question for the facts about all extracts, or about one and those upstream of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: Literal["status"] = "status"
    extract: str | None = None

"""The settings `EXTRACT_SCHEDULER__…`: which task the schedules start, and how."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_settings import NoDecode

from extract_project.errors import SettingsError
from extract_project.separated import separated
from extract_project.units import Duration, format_duration

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=1)


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(separated)]


class SchedulerSettings(BaseModel):
    """What `extract deploy-schedules` needs to know of the account; nothing else reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field(
        "extracts",
        pattern=r"^[0-9a-zA-Z_.-]{1,64}$",
        description="The group that the schedules are in; it is made if it is not there.",
    )
    cluster: str | None = Field(None, description="Name or ARN of the ECS cluster.")
    task_definition: str | None = Field(
        None,
        description="Family or ARN of the task definition of runs. Without a revision, each task "
        "starts with the newest one.",
    )
    subnets: Names = Field((), description="Subnets of the tasks, separated by commas.")
    security_groups: Names = Field(
        (), description="Security groups of the tasks, separated by commas."
    )
    role_arn: str | None = Field(
        None,
        description="The role with which EventBridge Scheduler starts tasks: ecs:RunTask on the "
        "task definition, and iam:PassRole on its two roles.",
    )
    public_ip: bool = Field(
        False, description="Whether tasks get a public address, as in a public subnet without NAT."
    )
    retry_within: Duration = Field(
        timedelta(hours=1),
        description="How long a task that ECS does not start is tried again.",
        validate_default=True,
    )
    dead_letter_arn: str | None = Field(
        None, description="SQS queue that gets the ticks whose task could not be started."
    )

    @field_validator("retry_within")
    @classmethod
    def _is_possible(cls, value: timedelta) -> timedelta:
        if not _SHORTEST <= value <= _LONGEST:
            raise ValueError(f"{format_duration(value)} is not possible: expected 1m to 24h")
        return value

    def require(self) -> None:
        """Raise SettingsError unless everything is set that a schedule needs."""
        needed = ("cluster", "task_definition", "subnets", "security_groups", "role_arn")
        lines = [
            f"EXTRACT_SCHEDULER__{name.upper()} is not set: expected "
            f"{str(type(self).model_fields[name].description).partition(':')[0].rstrip('.')}"
            for name in needed
            if not getattr(self, name)
        ]
        if lines:
            raise SettingsError("\n".join(lines))

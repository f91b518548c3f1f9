"""The task that a schedule starts, as EventBridge Scheduler wants to be told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from extract_project.errors import SchedulesError
from extract_project.eventbridge.settings import SchedulerSettings
from extract_project.eventbridge.wanted import Schedule
from extract_project.manifest.fields.task_size import TaskSize

_TICK = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler replaces by the time of the tick."""
_ATTEMPTS = 185
"""The most, within the time of `retry_within`."""


@dataclass(frozen=True)
class RunTask:
    """The cluster and the task definition, as ECS knows them."""

    cluster_arn: str
    task_definition_arn: str
    container: str
    size: TaskSize
    """Of a task whose header asks for none."""

    @classmethod
    def found(cls, ecs: Any, settings: SchedulerSettings) -> RunTask:
        """Ask ECS for them; raises SchedulesError if they are not there."""
        clusters = ecs.describe_clusters(clusters=[settings.cluster])["clusters"]
        if not clusters or clusters[0].get("status") == "INACTIVE":
            raise SchedulesError(
                f"there is no ECS cluster {settings.cluster!r}: correct EXTRACT_SCHEDULER__CLUSTER"
            )
        name = settings.task_definition
        described = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
        containers = [each["name"] for each in described["containerDefinitions"]]
        if len(containers) != 1:
            raise SchedulesError(
                f"task definition {name!r} has {len(containers)} containers: expected one, that of "
                f"a run; correct EXTRACT_SCHEDULER__TASK_DEFINITION"
            )
        arn = str(described["taskDefinitionArn"])
        has_revision = str(name).rpartition("/")[2].count(":") > 0
        disk = described.get("ephemeralStorage") or {}
        size = TaskSize(_number(described.get("cpu")), _number(described.get("memory")))
        return cls(
            str(clusters[0]["clusterArn"]),
            arn if has_revision else arn.rpartition(":")[0],
            containers[0],
            TaskSize(size.cpu, size.memory, disk.get("sizeInGiB")),
        )

    def target(self, schedule: Schedule, settings: SchedulerSettings) -> dict[str, Any]:
        """The target of a schedule: one task on Fargate, with a command of its own."""
        awsvpc = {
            "Subnets": list(settings.subnets),
            "SecurityGroups": list(settings.security_groups),
            "AssignPublicIp": "ENABLED" if settings.public_ip else "DISABLED",
        }
        dead_letters = settings.dead_letter_arn
        return {
            "Arn": self.cluster_arn,
            "RoleArn": settings.role_arn,
            "EcsParameters": {
                "TaskDefinitionArn": self.task_definition_arn,
                "LaunchType": "FARGATE",
                "TaskCount": 1,
                "NetworkConfiguration": {"awsvpcConfiguration": awsvpc},
            },
            "Input": json.dumps(self._overrides(schedule)),
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": int(settings.retry_within.total_seconds()),
                "MaximumRetryAttempts": _ATTEMPTS,
            },
            **({"DeadLetterConfig": {"Arn": dead_letters}} if dead_letters else {}),
        }

    def _overrides(self, schedule: Schedule) -> Mapping[str, Any]:
        """The task's command and size, as the launcher of a deployment overrides them."""
        command = ["extract", "materialize", "--tick", _TICK, "--", schedule.extract]
        container: dict[str, Any] = {"name": self.container, "command": command}
        if schedule.size == TaskSize():
            return {"containerOverrides": [container]}
        size = schedule.size.or_else(self.size).rounded()
        container |= {"cpu": size.cpu, "memory": size.memory}
        disk = {"ephemeralStorage": {"sizeInGiB": size.disk}} if size.disk else {}
        return {
            "containerOverrides": [container],
            "cpu": str(size.cpu),
            "memory": str(size.memory),
            **disk,
        }


def _number(text: str | None) -> int | None:
    return int(text) if text else None

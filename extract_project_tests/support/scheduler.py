"""The part of EventBridge Scheduler that moto leaves out: at a tick it calls the target."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from extract_project_tests.support.local_ecs import LocalEcs

_CONTEXT = "<aws.scheduler.scheduled-time>"


def schedules(ecs: LocalEcs, group: str = "extracts") -> dict[str, dict[str, Any]]:
    """The schedules of a group, by name."""
    scheduler = ecs.client("scheduler")
    names = [each["Name"] for each in scheduler.list_schedules(GroupName=group)["Schedules"]]
    return {name: dict(scheduler.get_schedule(GroupName=group, Name=name)) for name in names}


def tick(ecs: LocalEcs, schedule: dict[str, Any], at: datetime) -> str:
    """Start the task of a schedule, as at this time; returns its ARN."""
    target = schedule["Target"]
    parameters = target["EcsParameters"]
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    overrides = json.loads(target["Input"].replace(_CONTEXT, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    reply = ecs.client("ecs").run_task(
        cluster=target["Arn"],
        taskDefinition=parameters["TaskDefinitionArn"],
        launchType=parameters["LaunchType"],
        count=parameters["TaskCount"],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network["Subnets"],
                "securityGroups": network["SecurityGroups"],
                "assignPublicIp": network["AssignPublicIp"],
            }
        },
        overrides=overrides,
    )
    return str(reply["tasks"][0]["taskArn"])

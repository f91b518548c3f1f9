"""The alarms, and one topic for them and for the project's own alerts."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns

from deploy.stack.dashboard import LOCATION, NAMESPACE
from deploy.stack.parameters import (
    ALARM_EMAIL,
    NONE,
    RUNNING,
    SERVICES,
    STANDARD,
    att,
    either,
    only_if,
    ref,
    ref_number,
)
from deploy.stack.rights import run_family

_MINUTE, _GIB = 60, 2**30
_TOLD_BY_TASKS = [0, 1]
"""Exit codes of `extract materialize`."""
_Dimension = cloudwatch.CfnAlarm.DimensionProperty


def define_alarms(stack: cdk.Stack) -> None:
    """The topic, the log of stopped runs, and the alarms."""
    _topic(stack)
    _stopped_runs_log(stack)
    _stopped_runs(stack, either(NONE, _TOLD_BY_TASKS, 0))
    for name in ("Code", "Webserver", "Daemon"):
        # In the small footprint the daemon's service is all three.
        only_if(_not_running(stack, name), SERVICES if name == "Daemon" else STANDARD)
    storage = _alarm(
        stack, "DatabaseStorage", "less than 1 GiB left, and automatic growth did not help",
        namespace="AWS/RDS", metric_name="FreeStorageSpace", statistic="Minimum",
        dimensions={"DBInstanceIdentifier": ref("Database")},
        # RDS grows what has less than a tenth left, which is 2 GiB of the first 20.
        threshold=_GIB, below=True, minutes=15,
    )  # fmt: skip
    cpu = _alarm(
        stack, "DatabaseCpu", "over 80 % for fifteen minutes",
        namespace="AWS/RDS", metric_name="CPUUtilization", statistic="Average",
        dimensions={"DBInstanceIdentifier": ref("Database")}, threshold=80, below=False, minutes=15,
    )  # fmt: skip
    for each in (storage, cpu, *_ages(stack, LOCATION)):
        only_if(each, SERVICES)


def define_location_alarms(stack: cdk.Stack) -> None:
    """The topic of a further location, and the alarms on its code server, runs and extracts.

    Its stopped runs are in the log of the first stack: a region has ten policies of logs.
    """
    _topic(stack)
    _stopped_runs(stack, 0)
    _not_running(stack, "Code")
    _ages(stack, ref("Location"))


def _topic(stack: cdk.Stack) -> None:
    sns.CfnTopic(stack, "Alerts", kms_master_key_id=att("Key", "Arn"))
    mail = sns.CfnSubscription(
        stack, "AlertMail", topic_arn=ref("Alerts"), protocol="email", endpoint=ref("AlarmEmail")
    )
    only_if(mail, ALARM_EMAIL)


def _not_running(stack: cdk.Stack, name: str) -> cloudwatch.CfnAlarm:
    """A service that runs reports each minute; counting reports costs nothing."""
    alarm = _alarm(
        stack, f"{name}NotRunning", f"no task of {name.lower()} for five minutes",
        namespace="AWS/ECS", metric_name="CPUUtilization", statistic="SampleCount",
        dimensions={
            "ClusterName": ref("Cluster"), "ServiceName": att(f"{name}Service", "Name"),
        },
        threshold=1, below=True, minutes=5, missing="breaching",
    )  # fmt: skip
    alarm.actions_enabled = either(RUNNING, True, False)
    return alarm


def _ages(stack: cdk.Stack, location: str) -> list[cloudwatch.CfnAlarm]:
    """An extract that nobody starts fails never: its age tells."""
    here = {"location": location}
    late = _alarm(
        stack, "ExtractsLate", "an extract is older than the freshness of its header",
        metric_name="extract.age.share", statistic="Maximum",
        namespace=NAMESPACE, dimensions=here, threshold=1, below=False, minutes=10, enough=5,
    )  # fmt: skip
    overdue = _alarm(
        stack, "ExtractsOverdue", "the tick of an extract is over, and nothing ran",
        metric_name="extract.extracts", statistic="Maximum",
        namespace=NAMESPACE, dimensions={**here, "state": "overdue"},
        threshold=1, below=False, minutes=10, enough=5,
    )  # fmt: skip
    silent = _alarm(
        stack, "NothingMeasured", "no sensor has looked at extracts for fifteen minutes",
        namespace=NAMESPACE, metric_name="extract.daemons.silent", statistic="SampleCount",
        dimensions=here, threshold=1, below=True, minutes=15, missing="breaching",
    )  # fmt: skip
    silent.actions_enabled = either(RUNNING, True, False)
    return [late, overdue, silent]


def _stopped_runs_log(stack: cdk.Stack) -> None:
    """ECS forgets a stopped task within the hour: why it stopped is kept as a log.

    A failed extract ends with exit code 0, and is told by Dagster, or with 1 where no service runs,
    and is told by its task; here is what those may not see: no image, no capacity, no secret,
    killed for want of memory.
    """
    logs.CfnLogGroup(
        stack, "StoppedRuns", kms_key_id=att("Key", "Arn"), retention_in_days=ref_number("LogDays"),
        log_group_name=f"/aws/events/{cdk.Aws.STACK_NAME}-stopped-runs",
    )  # fmt: skip
    logs.CfnResourcePolicy(
        stack,
        "StoppedRunsPolicy",
        policy_name=f"{cdk.Aws.STACK_NAME}-stopped-runs",
        policy_document=stack.to_json_string(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {
                            "Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
                        },
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": att("StoppedRuns", "Arn"),
                    }
                ],
            }
        ),
    )


def _stopped_runs(stack: cdk.Stack, told: Any) -> None:
    """Record and alarm for each run task that ends otherwise than with an exit code in `told`."""
    family = (
        f"arn:{cdk.Aws.PARTITION}:ecs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:task-definition/"
        f"{run_family()}:"
    )
    arn = (
        f"arn:{cdk.Aws.PARTITION}:logs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:log-group:"
        f"{ref('StoppedRuns')}"
    )
    events.CfnRule(
        stack,
        "RunStopped",
        event_pattern={
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": [att("Cluster", "Arn")],
                "taskDefinitionArn": [{"prefix": family}],
                "lastStatus": ["STOPPED"],
                "$or": [
                    {"stopCode": ["TaskFailedToStart"]},
                    {
                        "stopCode": [{"anything-but": "UserInitiated"}],
                        "containers": {"exitCode": [{"anything-but": told}]},
                    },
                ],
            },
        },
        targets=[events.CfnRule.TargetProperty(arn=arn, id="log")],
    )
    _alarm(
        stack, "RunsDied", "run tasks that could not start, or did not end by themselves",
        namespace="AWS/Events", metric_name="TriggeredRules", statistic="Sum",
        dimensions={"RuleName": ref("RunStopped")}, threshold=1, below=False, minutes=1,
    )  # fmt: skip


def _alarm(
    stack: cdk.Stack,
    name: str,
    description: str,
    *,
    namespace: str,
    metric_name: str,
    statistic: str,
    dimensions: dict[str, str],
    threshold: float,
    below: bool,
    minutes: int,
    enough: int | None = None,
    missing: str = "notBreaching",
) -> cloudwatch.CfnAlarm:
    return cloudwatch.CfnAlarm(
        stack,
        name,
        alarm_description=description,
        namespace=namespace,
        metric_name=metric_name,
        statistic=statistic,
        dimensions=[_Dimension(name=key, value=value) for key, value in dimensions.items()],
        threshold=threshold,
        comparison_operator=("LessThanThreshold" if below else "GreaterThanOrEqualToThreshold"),
        period=_MINUTE,
        evaluation_periods=minutes,
        datapoints_to_alarm=enough or minutes,
        treat_missing_data=missing,
        alarm_actions=[ref("Alerts")],
        ok_actions=[ref("Alerts")],
    )

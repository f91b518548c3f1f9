"""The local ECS as tests use it: one cluster, its network and its log group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from extract_project_tests.support.local_ecs.faults import Faults
from extract_project_tests.support.local_ecs.metadata import metadata_endpoint
from extract_project_tests.support.local_ecs.moto_api import moto_api
from extract_project_tests.support.local_ecs.runtime import Runtime
from extract_project_tests.support.local_ecs.tasks import (
    HOST_LOST,
    NOT_PULLED,
    OUT_OF_MEMORY,
    Launched,
)

REGION, CLUSTER, LOG_GROUP, CONTAINER = "us-east-1", "extracts", "/extracts/runs", "run"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret"}


@dataclass(frozen=True)
class LocalEcs:
    """A running ECS; the package describes what it does."""

    endpoint: str
    faults: Faults
    launched: list[Launched]
    runtime: Runtime
    directory: Path
    """The output of each task, as `<task id>.log`."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment for the AWS SDK of a process; S3 may have another endpoint."""
        return _environment(self.endpoint)

    def client(self, service: str) -> Any:
        return _client(self.endpoint, service)

    def network(self) -> dict[str, Any]:
        """The network configuration of a task on Fargate."""
        ec2 = self.client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]
        ec2.modify_vpc_attribute(VpcId=subnet["VpcId"], EnableDnsHostnames={"Value": True})
        vpc = {"Name": "vpc-id", "Values": [subnet["VpcId"]]}
        group = ec2.describe_security_groups(Filters=[vpc])["SecurityGroups"][0]
        return {
            "awsvpcConfiguration": {
                "subnets": [subnet["SubnetId"]],
                "securityGroups": [group["GroupId"]],
                "assignPublicIp": "DISABLED",
            }
        }

    def define_task(
        self,
        family: str,
        environment: Mapping[str, str],
        secrets: Mapping[str, str] | None = None,
        cpu: str = "256",
        memory: str = "512",
    ) -> str:
        """Register a task definition for Fargate that logs to CloudWatch; returns its ARN."""
        reply = self.client("ecs").register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu=cpu,
            memory=memory,
            containerDefinitions=[
                {
                    "name": CONTAINER,
                    "image": "extract-project:local",
                    "essential": True,
                    "environment": [{"name": k, "value": v} for k, v in environment.items()],
                    "secrets": [{"name": k, "valueFrom": v} for k, v in (secrets or {}).items()],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": LOG_GROUP,
                            "awslogs-region": REGION,
                            "awslogs-stream-prefix": family,
                        },
                    },
                }
            ],
        )
        return str(reply["taskDefinition"]["taskDefinitionArn"])

    def task(self, arn: str) -> dict[str, Any]:
        """A task as DescribeTasks returns it."""
        reply = self.client("ecs").describe_tasks(cluster=CLUSTER, tasks=[arn])
        return dict(reply["tasks"][0])

    def of_run(self, run_id: str) -> list[Launched]:
        """The tasks that Dagster launched for a run."""
        return [each for each in self.launched if each.tags.get("dagster/run_id") == run_id]

    def running(self) -> list[Launched]:
        """The tasks whose process is running."""
        return [each for each in list(self.launched) if self.runtime.alive(each.arn)]

    def lose(self, arn: str) -> bool:
        """Let the host of a task fail; False if the task had already ended."""
        return self.runtime.kill(arn, HOST_LOST)

    def exhaust_memory(self, arn: str) -> bool:
        """Let the kernel kill a task for using too much memory; False if it had already ended."""
        return self.runtime.kill(arn, OUT_OF_MEMORY)

    def refuse_image(self, arn: str) -> None:
        """Let the image of a waiting task be missing."""
        self.runtime.fail_to_start(arn, NOT_PULLED)


@contextmanager
def local_ecs(directory: Path, stop_timeout: float = 30) -> Iterator[LocalEcs]:
    """Run ECS within the block; `directory` receives the output of tasks."""
    directory.mkdir(parents=True, exist_ok=True)
    faults, launched, waiting = Faults(), list[Launched](), list[Runtime]()

    def accepted(task: Any, what: Launched) -> None:
        launched.append(what)
        waiting[0].accept(task, what.tags)

    with moto_api(faults, accepted) as endpoint:
        runtime = Runtime(
            directory,
            lambda service: _client(endpoint, service),
            faults,
            _environment(endpoint),
            stop_timeout,
        )
        waiting.append(runtime)
        with metadata_endpoint(runtime.started) as url, runtime.running(url):
            _client(endpoint, "ecs").create_cluster(clusterName=CLUSTER)
            _client(endpoint, "logs").create_log_group(logGroupName=LOG_GROUP)
            yield LocalEcs(endpoint, faults, launched, runtime, directory)


def _environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **_CREDENTIALS,
    }


def _client(endpoint: str, service: str) -> Any:
    untyped: Any = boto3
    return untyped.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )

"""A template deployed onto moto, and what it made, asked through the AWS API."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import yaml
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin
from dagster._serdes import ConfigurableClassData

from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher
from extract_project_tests.support.cloudformation.deployable import deployable
from extract_project_tests.support.cloudformation.double import whole_cloudformation
from extract_project_tests.support.cloudformation.template import TEMPLATE
from extract_project_tests.support.local_ecs import LocalEcs, local_ecs

STACK = "extracts"
SECRETS = {"snowflake_private_key": "-----BEGIN KEY-----", "postgres_password": "of the warehouse"}


@dataclass(frozen=True)
class Deployed:
    """A stack, and the AWS that it is in."""

    ecs: LocalEcs
    name: str = STACK

    def client(self, service: str) -> Any:
        return self.ecs.client(service)

    @property
    def described(self) -> dict[str, Any]:
        (found,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return dict(found)

    @property
    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.described["Outputs"]}

    @property
    def ids(self) -> dict[str, str]:
        """Physical ids by the names in the template."""
        reply = self.client("cloudformation").describe_stack_resources(StackName=self.name)
        return {
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for each in reply["StackResources"]
        }

    def update(self, **parameters: str) -> None:
        body = json.dumps(deployable(**parameters))
        self.client("cloudformation").update_stack(StackName=self.name, TemplateBody=body)

    def task(self, process: str) -> dict[str, Any]:
        reply = self.client("ecs").describe_task_definition(
            taskDefinition=self.ids[f"{process}Task"]
        )
        return dict(reply["taskDefinition"])

    def environment(self, process: str) -> dict[str, str]:
        (container,) = self.task(process)["containerDefinitions"]
        return {each["name"]: each["value"] for each in container["environment"]}

    def fill_secret(self) -> None:
        """What the output says, without the AWS command line."""
        words = shlex.split(self.outputs["FillSecretNext"])
        assert words[:3] == ["aws", "secretsmanager", "put-secret-value"]
        self.client("secretsmanager").put_secret_value(
            SecretId=words[words.index("--secret-id") + 1], SecretString=json.dumps(SECRETS)
        )

    def add(self, name: str, path: Path, /, **parameters: str) -> Deployed:
        """Deploy a further stack beside this one."""
        return _create(self.ecs, name, path, **parameters)


def _create(ecs: LocalEcs, name: str, path: Path, /, **parameters: str) -> Deployed:
    body = json.dumps(deployable(path, **parameters))
    ecs.client("cloudformation").create_stack(StackName=name, TemplateBody=body)
    return Deployed(ecs, name)


@contextmanager
def deployed(directory: Path, /, **parameters: str) -> Iterator[Deployed]:
    with local_ecs(directory) as ecs, whole_cloudformation(ecs.client):
        yield _create(ecs, STACK, TEMPLATE, **parameters)


def written_launcher(stack: Deployed) -> dict[str, Any]:
    """The launcher's part of what the deployed daemon writes as its dagster.yaml."""
    return dict(yaml.safe_load(stack.environment("Daemon")["DAGSTER_YAML"])["run_launcher"])


def launcher_of(stack: Deployed) -> ExtractEcsRunLauncher:
    """What Dagster makes of that."""
    written = written_launcher(stack)
    data = ConfigurableClassData(
        written["module"], written["class"], yaml.safe_dump(written["config"])
    )
    found = data.rehydrate(as_type=ExtractEcsRunLauncher)
    assert found is not None
    return found


@dg.op
def nothing() -> None:
    """A step."""


@dg.job(tags={"ecs/memory": "3000"})
def planned() -> None:
    nothing()


@dataclass(frozen=True)
class Launching:
    """The deployed launcher, and an instance of Dagster for it."""

    launcher: ExtractEcsRunLauncher
    instance: dg.DagsterInstance

    def launch(self, container_context: Mapping[str, Any] | None = None) -> dg.DagsterRun:
        """Launch a run of a code server with this context."""
        origin = dg.reconstructable(planned).get_python_origin()
        repository = origin.repository_origin._replace(container_context=container_context)
        run = self.instance.create_run_for_job(
            planned, job_code_origin=JobPythonOrigin(origin.job_name, repository), tags=planned.tags
        )
        self.launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found


@contextmanager
def launching_of(stack: Deployed, patch: pytest.MonkeyPatch) -> Iterator[Launching]:
    """The deployed launcher; its tasks do not begin, since a whole run is tested elsewhere."""
    for name, value in stack.ecs.environment.items():
        patch.setenv(name, value)
    # The launcher takes boto3's own session, which would keep these credentials for other tests.
    patch.setattr(boto3, "DEFAULT_SESSION", None)
    stack.ecs.faults.never_start()
    launcher = launcher_of(stack)
    with dg.instance_for_test() as instance:
        launcher.register_instance(instance)
        yield Launching(launcher, instance)

"""The tasks: one image, four commands; not root, nothing writable but two volumes.

In the small footprint, code server, webserver and daemon are containers of one task.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs

from deploy.stack.environment import environment, secrets
from deploy.stack.parameters import IMAGE, SERVICES, SMALL, att, either, only_if, ref, ref_number
from deploy.stack.processes import Process, in_one_task, of_further_location, processes
from deploy.stack.rights import run_family

_USER = "10001:10001"
_STOP_SECONDS = 120
_RESTART_SECONDS = 60


def define_tasks(stack: cdk.Stack) -> None:
    """A log group for services and one for runs, and a task definition for each process."""
    _logs(stack)
    *services, run = processes()
    for process in services:
        task = _task(stack, f"{process.name}Task", process)
        only_if(task, process.only or SERVICES)
    # The code server comes first: its role is that of the whole task, and it has the secrets.
    only_if(_task(stack, "SmallTask", *in_one_task(services)), SMALL)
    _run_task(stack, run)


def define_location_tasks(stack: cdk.Stack) -> None:
    """A log group and a task definition for code server and runs of a further location."""
    _logs(stack)
    code, run = of_further_location()
    _task(stack, "CodeTask", code)
    _run_task(stack, run)


def _logs(stack: cdk.Stack) -> None:
    for name in ("CoreLogs", "RunLogs"):
        logs.CfnLogGroup(
            stack, name, kms_key_id=att("Key", "Arn"), retention_in_days=ref_number("LogDays")
        )


def _run_task(stack: cdk.Stack, run: Process) -> None:
    options = _task(stack, "RunTask", run, family=run_family()).cfn_options
    # A run of several that is under way during an upgrade starts the rest of its tasks with the
    # revision that it began with; ECS starts nothing with one that was deregistered.
    options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
    options.deletion_policy = cdk.CfnDeletionPolicy.DELETE


def _task(
    stack: cdk.Stack, name: str, process: Process, *beside: Process, family: str | None = None
) -> ecs.CfnTaskDefinition:
    """A task of one process, and of those beside it; its size and roles are those of the first."""
    definition = ecs.CfnTaskDefinition
    disk = definition.EphemeralStorageProperty(size_in_gib=process.disk) if process.disk else None
    containers = (process, *beside)
    return definition(
        stack,
        name,
        family=family,
        cpu=process.cpu,
        memory=process.memory,
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform=definition.RuntimePlatformProperty(
            cpu_architecture=ref("CpuArchitecture"), operating_system_family="LINUX"
        ),
        ephemeral_storage=disk,
        task_role_arn=att(process.role, "Arn"),
        execution_role_arn=att(process.execution_role, "Arn"),
        volumes=[
            definition.VolumeProperty(name=name) for each in containers for name in each.volumes
        ],
        container_definitions=[_container(each) for each in containers],
    )


def _container(process: Process) -> ecs.CfnTaskDefinition.ContainerDefinitionProperty:
    definition = ecs.CfnTaskDefinition
    repository = att("Images", "RepositoryUri")
    image = either(IMAGE, f"{repository}@{ref('ImageDigest')}", f"{repository}:none")
    return definition.ContainerDefinitionProperty(
        name=process.container,
        image=cdk.Token.as_string(image),
        command=list(process.command),
        essential=True,
        # A process that dies is started again beside the others; one that dies again within the
        # period ends the task, as a process that is not healthy does, and the service replaces it.
        restart_policy=(
            definition.RestartPolicyProperty(enabled=True, restart_attempt_period=_RESTART_SECONDS)
            if process.shares_task
            else None
        ),
        depends_on=(
            [
                definition.ContainerDependencyProperty(
                    container_name=process.after, condition="HEALTHY"
                )
            ]
            if process.after
            else None
        ),
        user=_USER,
        readonly_root_filesystem=True,
        linux_parameters=definition.LinuxParametersProperty(
            capabilities=definition.KernelCapabilitiesProperty(drop=["ALL"])
        ),
        stop_timeout=_STOP_SECONDS,
        port_mappings=(
            [definition.PortMappingProperty(container_port=process.port)] if process.port else None
        ),
        health_check=(
            definition.HealthCheckProperty(
                command=list(process.health), interval=30, timeout=20, retries=3, start_period=180
            )
            if process.health
            else None
        ),
        mount_points=[
            definition.MountPointProperty(source_volume=name, container_path=path, read_only=False)
            for name, path in process.volumes.items()
        ],
        environment=environment(process),
        secrets=secrets(process),
        log_configuration=definition.LogConfigurationProperty(
            log_driver="awslogs",
            options={
                "awslogs-group": ref(process.log_group),
                "awslogs-region": cdk.Aws.REGION,
                "awslogs-stream-prefix": process.container,
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        ),
    )

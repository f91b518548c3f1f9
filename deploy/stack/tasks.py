"""The tasks: one image, four commands; not root, nothing writable but two volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs

from deploy.stack.database import DATABASE, USER
from deploy.stack.identity import run_family
from deploy.stack.network import CODE_PORT, UI_PORT
from deploy.stack.parameters import (
    DESTINATIONS,
    GLUE,
    IMAGE,
    KEY_PAIR,
    POSTGRES,
    SNOWFLAKE,
    att,
    either,
    ref,
    ref_number,
)

INSTANCE = Path(__file__).parent.parent / "dagster.yaml"
DOMAIN = "extract.internal"
_HOME = "/opt/dagster"
_USER = "10001:10001"
_STOP_SECONDS = 120
_SERVICE_CPU, _SERVICE_MEMORY = 512, 2048
_WORKSPACE = "/opt/extract/workspace.yaml"

_Variable = ecs.CfnTaskDefinition.KeyValuePairProperty
_Secret = ecs.CfnTaskDefinition.SecretProperty


@dataclass(frozen=True)
class Process:
    """The differences between the four processes."""

    name: str
    command: Sequence[str]
    role: str
    execution_role: str
    log_group: str
    cpu: str
    memory: str
    warehouse: bool
    """Whether it reads settings, and signs in to warehouses."""
    instance: bool
    """Whether it writes dagster.yaml at its start; its child processes get the instance from it."""
    port: int | None = None
    health: Sequence[str] | None = None
    disk: Any = None


def _dagster(*command: str) -> list[str]:
    """A command that finds dagster.yaml, and is process 1 so that it gets SIGTERM."""
    write = 'printf %s "$DAGSTER_YAML" > "$DAGSTER_HOME/dagster.yaml"'
    return ["sh", "-c", f"{write} && exec {' '.join(command)}"]


def processes() -> list[Process]:
    service: dict[str, Any] = {
        "log_group": "CoreLogs", "cpu": str(_SERVICE_CPU), "memory": str(_SERVICE_MEMORY),
    }  # fmt: skip
    answers = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{UI_PORT}/server_info')"
    serve = ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", str(CODE_PORT)]
    return [
        Process(
            "Code", [*serve, "-m", "extract_project.definitions"], "CodeRole", "CodeExecutionRole",
            warehouse=True, instance=False, port=CODE_PORT,
            health=["CMD", "dagster", "api", "grpc-health-check", "-p", str(CODE_PORT)], **service,
        ),
        Process(
            "Webserver",
            _dagster("dagster-webserver", "-h", "0.0.0.0", "-p", str(UI_PORT), "-w", _WORKSPACE),
            "WebserverRole", "CoreExecutionRole", warehouse=False, instance=True, port=UI_PORT,
            health=["CMD", "python", "-c", answers], **service,
        ),
        Process(
            "Daemon", _dagster("dagster-daemon", "run", "-w", _WORKSPACE),
            "DaemonRole", "CoreExecutionRole", warehouse=False, instance=True,
            health=["CMD", "dagster-daemon", "liveness-check"], **service,
        ),
        Process(
            "Run", ["dagster", "--version"], "RunRole", "RunExecutionRole", "RunLogs",
            ref("RunCpu"), ref("RunMemory"), warehouse=True, instance=False,
            disk=ref_number("RunDisk"),
        ),
    ]  # fmt: skip


def define_tasks(stack: cdk.Stack) -> None:
    """A log group for services and one for runs, and a task definition for each process."""
    for name in ("CoreLogs", "RunLogs"):
        logs.CfnLogGroup(
            stack, name, kms_key_id=att("Key", "Arn"), retention_in_days=ref_number("LogDays")
        )
    for process in processes():
        _task(stack, process)


def _task(stack: cdk.Stack, process: Process) -> None:
    definition = ecs.CfnTaskDefinition
    family = run_family() if process.name == "Run" else None
    disk = definition.EphemeralStorageProperty(size_in_gib=process.disk) if process.disk else None
    task = definition(
        stack,
        f"{process.name}Task",
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
        volumes=[definition.VolumeProperty(name=name) for name in ("home", "tmp")],
        container_definitions=[_container(process)],
    )
    if process.name == "Run":
        # A run of several that is under way during an upgrade starts the rest of its tasks with the
        # revision that it began with; ECS starts nothing with one that was deregistered.
        task.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        task.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE


def _container(process: Process) -> ecs.CfnTaskDefinition.ContainerDefinitionProperty:
    definition = ecs.CfnTaskDefinition
    repository = att("Images", "RepositoryUri")
    image = either(IMAGE, f"{repository}@{ref('ImageDigest')}", f"{repository}:none")
    mounts = {"home": _HOME, "tmp": "/tmp"}
    return definition.ContainerDefinitionProperty(
        name=process.name.lower(),
        image=cdk.Token.as_string(image),
        command=list(process.command),
        essential=True,
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
            for name, path in mounts.items()
        ],
        environment=_environment(process),
        secrets=_secrets(process),
        log_configuration=definition.LogConfigurationProperty(
            log_driver="awslogs",
            options={
                "awslogs-group": ref(process.log_group),
                "awslogs-region": cdk.Aws.REGION,
                "awslogs-stream-prefix": process.name.lower(),
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        ),
    )


def _environment(process: Process) -> list[Any]:
    found: list[Any] = [
        _Variable(name=name, value=value)
        for name, value in {
            "DAGSTER_POSTGRES_HOST": att("Database", "Endpoint.Address"),
            "DAGSTER_POSTGRES_DB": DATABASE,
            "DAGSTER_POSTGRES_USER": USER,
            # The user has no home directory; libraries cache in a writable volume.
            "HOME": "/tmp",
            # The SDK gives up on throttling after half a second, and RunTask is throttled.
            "AWS_MAX_ATTEMPTS": "10",
            "AWS_RETRY_MODE": "standard",
        }.items()
    ]
    if process.instance:
        found.append(_Variable(name="DAGSTER_YAML", value=cdk.Fn.sub(INSTANCE.read_text())))
        found.append(_Variable(name="EXTRACT_CODE_SERVER_HOST", value=f"code.{DOMAIN}"))
    if process.name == "Daemon":
        # Its health check, by default, looks away for half an hour while a thread hangs.
        found.append(_Variable(name="DAGSTER_DAEMON_HEARTBEAT_TOLERANCE", value="600"))
    if process.warehouse:
        found += _settings()
    return found


def _settings() -> list[Any]:
    """The environment that `extract_project/settings.py` reads."""
    own = {
        "EXTRACT_MANIFEST": f"s3://{ref('Manifest')}/{ref('ManifestPrefix')}",
        "EXTRACT_DATA": f"s3://{ref('Data')}/{ref('DataPrefix')}",
        "EXTRACT_KMS_KEY_ID": att("Key", "Arn"),
        "EXTRACT_DAGSTER_URL": f"http://webserver.{DOMAIN}:{UI_PORT}",
        "EXTRACT_ALERTS__SNS_TOPIC": ref("Alerts"),
        "EXTRACT_METRICS": "emf",
    }
    default = cdk.Token.as_string(either(SNOWFLAKE, "snowflake", "postgres"))
    found: list[Any] = [_Variable(name=name, value=value) for name, value in own.items()]
    found.append(_Variable(name="EXTRACT_WAREHOUSE", value=default))
    optional = [
        (SNOWFLAKE, "SNOWFLAKE__TYPE", "snowflake"),
        (SNOWFLAKE, "SNOWFLAKE__ACCOUNT", ref("SnowflakeAccount")),
        (SNOWFLAKE, "SNOWFLAKE__ROLE", ref("SnowflakeRole")),
        (SNOWFLAKE, "SNOWFLAKE__WAREHOUSE", ref("SnowflakeWarehouse")),
        (POSTGRES, "POSTGRES__TYPE", "postgres"),
        (POSTGRES, "POSTGRES__HOST", ref("PostgresHost")),
        (POSTGRES, "POSTGRES__PORT", cdk.Fn.sub("${PostgresPort}")),
        (POSTGRES, "POSTGRES__DATABASE", ref("PostgresDatabase")),
        (POSTGRES, "POSTGRES__USER", ref("PostgresUser")),
        (POSTGRES, "POSTGRES__SSLMODE", "require"),
    ]
    for condition, field, value in optional:
        name = f"EXTRACT_WAREHOUSES__{field}"
        found.append(either(condition, {"Name": name, "Value": value}))
    found.append(
        either(DESTINATIONS, {"Name": "EXTRACT_DESTINATIONS", "Value": ref("Destinations")})
    )
    found.append(either(GLUE, {"Name": "EXTRACT_GLUE_DATABASE", "Value": ref("GlueDatabase")}))
    signing_in = either(
        KEY_PAIR,
        {"Name": "EXTRACT_WAREHOUSES__SNOWFLAKE__USER", "Value": ref("SnowflakeUser")},
        {"Name": "EXTRACT_WAREHOUSES__SNOWFLAKE__WORKLOAD_IDENTITY_PROVIDER", "Value": "AWS"},
    )
    found.append(either(SNOWFLAKE, signing_in))
    return found


def _secrets(process: Process) -> list[Any]:
    database = f"{ref('DatabaseSecret')}:password::"
    found: list[Any] = [_Secret(name="DAGSTER_POSTGRES_PASSWORD", value_from=database)]
    if process.warehouse:
        for condition, field, key in (
            (KEY_PAIR, "SNOWFLAKE__PRIVATE_KEY", "snowflake_private_key"),
            (POSTGRES, "POSTGRES__PASSWORD", "postgres_password"),
        ):
            name = f"EXTRACT_WAREHOUSES__{field}"
            value_from = f"{ref('WarehouseSecret')}:{key}::"
            found.append(either(condition, {"Name": name, "ValueFrom": value_from}))
    return found

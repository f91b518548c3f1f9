"""The environment of each process: variables, and secrets by their names in Secrets Manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from deploy.stack.database import DATABASE, DATABASE_HOST, USER
from deploy.stack.groups import UI_PORT
from deploy.stack.network import DOMAIN, public_address, task_subnets
from deploy.stack.parameters import (
    DEFAULT,
    DESTINATIONS,
    GLUE,
    INTEGRATION,
    KEY_PAIR,
    OTHERS,
    POSTGRES,
    SERVICES,
    SNOWFLAKE,
    UPSTREAM,
    att,
    either,
    of_footprint,
    ref,
)
from deploy.stack.processes import Process

INSTANCE = Path(__file__).parent.parent / "dagster.yaml"
_LOOKS_SECONDS = ("60", "2.5")
"""Between two looks at the manifest, small and standard."""

_Variable = ecs.CfnTaskDefinition.KeyValuePairProperty
_Secret = ecs.CfnTaskDefinition.SecretProperty


def environment(process: Process) -> list[Any]:
    """The variables whose values everybody may read."""
    database = {
        "DAGSTER_POSTGRES_HOST": _database_host(process),
        "DAGSTER_POSTGRES_DB": DATABASE,
        "DAGSTER_POSTGRES_USER": USER,
    }
    own = {
        # The user has no home directory; libraries cache in a writable volume.
        "HOME": "/tmp",
        # The SDK gives up on throttling after half a second, and RunTask is throttled.
        "AWS_MAX_ATTEMPTS": "10",
        "AWS_RETRY_MODE": "standard",
    }
    found = [_of_services(process, name, value) for name, value in database.items()]
    found += [_Variable(name=name, value=value) for name, value in own.items()]
    if process.instance:
        found.append(_Variable(name="DAGSTER_YAML", value=_instance(process.only)))
        found.append(_Variable(name="EXTRACT_CODE_SERVER_HOST", value=process.code_host))
    if process.name == "Daemon":
        # Its health check, by default, looks away for half an hour while a thread hangs.
        found.append(_Variable(name="DAGSTER_DAEMON_HEARTBEAT_TOLERANCE", value="600"))
    if process.warehouse:
        found += _settings(process.only)
        address = f"http://webserver.{DOMAIN}:{UI_PORT}"
        found.append(_of_services(process, "EXTRACT_DAGSTER_URL", address))
    if process.further:
        found.append(_Variable(name="EXTRACT_LOCATION", value=ref("Location")))
    if process.further and process.name == "Code":
        found.append(_Variable(name="DAGSTER_CONTAINER_CONTEXT", value=_container_context()))
    return found


def _database_host(process: Process) -> str:
    """A further location has a name for it, which stays when the database is replaced by one of a
    snapshot: CloudFormation changes no export that is in use."""
    return DATABASE_HOST if process.further else att("Database", "Endpoint.Address")


def _container_context() -> str:
    """The launcher of the daemon takes the run task of a location from what its code server says,
    where that is not the one in dagster.yaml."""
    return f'{{"ecs":{{"task_definition_arn":"{ref("RunTask")}","container_name":"run"}}}}'


def _of_services(process: Process, name: str, value: str) -> Any:
    """A variable that means nothing where no service runs."""
    if process.needs_no_service:
        return either(SERVICES, {"Name": name, "Value": value})
    return _Variable(name=name, value=value)


def _instance(only: str | None) -> str:
    """dagster.yaml with the names of the stack, and with where tasks of runs are."""
    first, second = task_subnets(only)
    where = {"RunSubnetA": first, "RunSubnetB": second, "RunPublicIp": public_address(only)}
    return cdk.Fn.sub(INSTANCE.read_text(), where)


def _settings(only: str | None) -> list[Any]:
    """The environment that `extract_project/settings.py` reads."""
    own = {
        "EXTRACT_MANIFEST": f"s3://{ref('Manifest')}/{ref('ManifestPrefix')}",
        "EXTRACT_DATA": f"s3://{ref('Data')}/{ref('DataPrefix')}",
        "EXTRACT_KMS_KEY_ID": att("Key", "Arn"),
        "EXTRACT_ALERTS__SNS_TOPIC": ref("Alerts"),
        # Each metric is billed; the small footprint has those that alarms read.
        "EXTRACT_METRICS": cdk.Token.as_string(of_footprint(only, "emf-alarms", "emf")),
        # So is each look at the manifest. What `extract push` uploads is loaded at once anyway.
        "EXTRACT_MANIFEST_SECONDS": cdk.Token.as_string(of_footprint(only, *_LOOKS_SECONDS)),
    }
    known = either(SNOWFLAKE, "snowflake", "postgres")
    default = cdk.Token.as_string(either(DEFAULT, ref("DefaultWarehouse"), known))
    found: list[Any] = [_Variable(name=name, value=value) for name, value in own.items()]
    found.append(_Variable(name="EXTRACT_WAREHOUSE", value=default))
    optional = [
        (SNOWFLAKE, "SNOWFLAKE__TYPE", "snowflake"),
        (SNOWFLAKE, "SNOWFLAKE__ACCOUNT", ref("SnowflakeAccount")),
        (SNOWFLAKE, "SNOWFLAKE__ROLE", ref("SnowflakeRole")),
        (SNOWFLAKE, "SNOWFLAKE__WAREHOUSE", ref("SnowflakeWarehouse")),
        (INTEGRATION, "SNOWFLAKE__STORAGE_INTEGRATION", ref("SnowflakeIntegration")),
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
    upstream = {"Name": "EXTRACT_UPSTREAM_MANIFESTS", "Value": ref("UpstreamManifests")}
    found.append(either(UPSTREAM, upstream))
    found.append(either(GLUE, {"Name": "EXTRACT_GLUE_DATABASE", "Value": ref("GlueDatabase")}))
    signing_in = either(
        KEY_PAIR,
        {"Name": "EXTRACT_WAREHOUSES__SNOWFLAKE__USER", "Value": ref("SnowflakeUser")},
        {"Name": "EXTRACT_WAREHOUSES__SNOWFLAKE__WORKLOAD_IDENTITY_PROVIDER", "Value": "AWS"},
    )
    found.append(either(SNOWFLAKE, signing_in))
    return found


def secrets(process: Process) -> list[Any]:
    """The variables whose values ECS reads when it starts the container."""
    database = f"{ref('DatabaseSecret')}:password::"
    password = {"Name": "DAGSTER_POSTGRES_PASSWORD", "ValueFrom": database}
    found: list[Any] = [
        either(SERVICES, password)
        if process.needs_no_service
        else _Secret(name=password["Name"], value_from=database)
    ]
    if process.warehouse:
        for condition, field, key in (
            (KEY_PAIR, "__SNOWFLAKE__PRIVATE_KEY", "snowflake_private_key"),
            (POSTGRES, "__POSTGRES__PASSWORD", "postgres_password"),
            (OTHERS, "", "warehouses"),
        ):
            name = f"EXTRACT_WAREHOUSES{field}"
            value_from = f"{ref('WarehouseSecret')}:{key}::"
            found.append(either(condition, {"Name": name, "ValueFrom": value_from}))
    return found

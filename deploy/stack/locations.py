"""The parameters that each code location has: that of the first stack, and each further one."""

from __future__ import annotations

import aws_cdk as cdk

from deploy.stack.parameters import (
    ALARM_EMAIL,
    DEFAULT,
    DESTINATIONS,
    GLUE,
    IMAGE,
    INTEGRATION,
    INTEGRATION_USER,
    KEY_PAIR,
    OTHERS,
    PORT,
    POSTGRES,
    REDSHIFT_ROLE,
    RUNNING,
    SECRET,
    SNOWFLAKE,
    UPSTREAM,
    condition,
    conditions_given,
    given,
    number,
    ref,
    text,
)

PREFIX = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$"
_URIS = "s3://[^,* ]+"


def define_warehouses(stack: cdk.Stack) -> None:
    """Declare the parameters of warehouses."""
    text(
        stack, "SnowflakeAccount", "Snowflake account, as organization-account; empty: no Snowflake"
    )
    text(
        stack,
        "SnowflakeUser",
        "Snowflake user with a key pair; empty: the task role signs in, no secret",
    )
    text(stack, "SnowflakeRole", "Snowflake role of the queries", "EXTRACT")
    text(stack, "SnowflakeWarehouse", "Snowflake virtual warehouse of the queries", "EXTRACT")
    text(stack, "SnowflakeIntegration", "Storage integration with which Snowflake writes itself "
         "(engine: unload); empty: none", pattern="^[A-Za-z0-9_$]*$")  # fmt: skip
    text(stack, "SnowflakeIntegrationUser", "STORAGE_AWS_IAM_USER_ARN of the integration, once it "
         "is made")  # fmt: skip
    text(stack, "SnowflakeIntegrationId", "STORAGE_AWS_EXTERNAL_ID of the integration", "none")
    text(stack, "PostgresHost", "Host of a Postgres to extract from; empty: none")
    number(stack, "PostgresPort", "Port of Postgres", 5432)
    text(stack, "PostgresDatabase", "Database of Postgres", "postgres")
    text(stack, "PostgresUser", "User of Postgres, with only the right to read", "extract")
    text(stack, "OtherWarehouses", "true: further warehouses of any type, whose settings are the "
         "key warehouses of the secret, as JSON in a text", "false", switch=True)  # fmt: skip
    text(stack, "DefaultWarehouse", "Name of the default warehouse; empty: snowflake if there is "
         "one, else postgres", pattern="^([a-z][a-z0-9_]*)?$")  # fmt: skip
    text(stack, "RedshiftRole", "true: a role with which Redshift writes results itself "
         "(engine: unload)", "false", switch=True)  # fmt: skip
    number(stack, "WarehousePort", "A further port that runs may connect to, as 3306 for MySQL; "
           "443 is open anyway", 443, most=65535)  # fmt: skip


def define_manifest(stack: cdk.Stack, default: str | None) -> None:
    """Declare where the SQL files are, and on whose extracts they may depend."""
    text(stack, "ManifestPrefix", "Prefix of the SQL files in their bucket, not inside that of "
         "another location", default, pattern=PREFIX)  # fmt: skip
    text(stack, "UpstreamManifests", "Manifests of other locations on whose extracts the SQL files "
         "may depend, as in s3://bucket/sql, separated by commas; empty: none",
         pattern=f"^({_URIS}(,{_URIS})*)?$")  # fmt: skip


def define_destinations(stack: cdk.Stack) -> None:
    """Declare what is written elsewhere than to the bucket of the extracts."""
    text(
        stack,
        "Destinations",
        'Further destinations as JSON, as in {"crm": {"url": "s3://...", '
        '"role_arn": "arn:..."}}; empty: none',
    )
    text(
        stack,
        "DestinationRoles",
        "ARNs of the roles in Destinations, separated by commas; in the first stack, those of all "
        "locations",
        pattern="^(arn:[^,* ]+:role/[^,* ]+(,arn:[^,* ]+:role/[^,* ]+)*)?$",
    )
    text(stack, "GlueDatabase", "Database in AWS Glue that gets a table for each extract; "
         "empty: none", pattern="^[a-z0-9_]*$")  # fmt: skip


def define_runs(stack: cdk.Stack) -> None:
    """Declare the size of runs."""
    number(stack, "RunCpu", "CPU units of a run without a size in its header", 512)
    number(stack, "RunMemory", "MiB of memory of a run without a size in its header", 1024)
    number(stack, "RunDisk", "GiB of local disk of a run", 21, least=21, most=200)


def define_watching(stack: cdk.Stack) -> None:
    """Declare who hears of alarms, and how long logs are kept."""
    text(stack, "AlarmEmail", "Address for alarms; confirm the mail that AWS sends; empty: none")
    number(stack, "LogDays", "Days for which logs are kept", 365,
           allowed=[30, 90, 180, 365, 731, 1827])  # fmt: skip


def define_conditions(stack: cdk.Stack) -> None:
    """Declare the conditions and rules that follow from these parameters."""
    define = cdk.Fn
    is_given = {
        ALARM_EMAIL: "AlarmEmail",
        IMAGE: "ImageDigest",
        SNOWFLAKE: "SnowflakeAccount",
        POSTGRES: "PostgresHost",
        DESTINATIONS: "Destinations",
        GLUE: "GlueDatabase",
        DEFAULT: "DefaultWarehouse",
        INTEGRATION: "SnowflakeIntegration",
        INTEGRATION_USER: "SnowflakeIntegrationUser",
        UPSTREAM: "UpstreamManifests",
    }
    conditions_given(stack, is_given)
    running = define.condition_equals(ref("Running"), "true")
    condition(stack, RUNNING, define.condition_and(running, given("ImageDigest")))
    condition(
        stack, KEY_PAIR, define.condition_and(given("SnowflakeAccount"), given("SnowflakeUser"))
    )
    others = define.condition_equals(ref("OtherWarehouses"), "true")
    condition(stack, OTHERS, others)
    condition(stack, REDSHIFT_ROLE, define.condition_equals(ref("RedshiftRole"), "true"))
    is_open = define.condition_equals(ref("WarehousePort"), "443")
    condition(stack, PORT, define.condition_not(is_open))
    condition(
        stack,
        SECRET,
        define.condition_or(
            define.condition_and(given("SnowflakeAccount"), given("SnowflakeUser")),
            given("PostgresHost"),
            others,
        ),
    )
    some = define.condition_or(
        given("SnowflakeAccount"),
        given("PostgresHost"),
        define.condition_and(others, given("DefaultWarehouse")),
    )
    require(
        stack,
        "SomeWarehouse",
        some,
        "give SnowflakeAccount, PostgresHost, or OtherWarehouses=true with DefaultWarehouse",
    )
    no_destination = define.condition_equals(ref("Destinations"), "")
    require(
        stack,
        "RolesOfDestinations",
        define.condition_or(no_destination, given("DestinationRoles")),
        "give DestinationRoles with Destinations: runs assume them",
    )


def require(
    stack: cdk.Stack, name: str, holds: cdk.ICfnRuleConditionExpression, otherwise: str
) -> None:
    """Refuse parameters for which it does not hold, before anything is made."""
    assertion = cdk.CfnRuleAssertion(assert_=holds, assert_description=otherwise)
    cdk.CfnRule(stack, name, assertions=[assertion])

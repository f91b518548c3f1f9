"""The parameters of the stack, and the conditions that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk

NAT, PRIVATE_LINK, UI, ALARM_EMAIL = "HasNat", "HasPrivateLink", "HasUi", "HasAlarmEmail"
IMAGE, RUNNING, SNAPSHOT = "HasImage", "IsRunning", "HasDbSnapshot"
SNOWFLAKE, KEY_PAIR, POSTGRES, SECRET = "HasSnowflake", "HasKeyPair", "HasPostgres", "HasSecret"
OTHERS, DEFAULT, PORT = "HasOtherWarehouses", "HasDefaultWarehouse", "HasWarehousePort"
DESTINATIONS, GLUE = "HasDestinations", "HasGlueDatabase"
INTEGRATION, INTEGRATION_USER = "HasSnowflakeIntegration", "HasSnowflakeIntegrationUser"
REDSHIFT_ROLE = "HasRedshiftRole"
STANDARD, SMALL, ARM = "IsStandard", "IsSmall", "IsArm"
NONE, SERVICES, PUBLIC = "IsNone", "HasServices", "IsPublic"
INTERNET, STANDBY, DB_CLASS, GLUE_ENDPOINT = (
    "HasInternet", "HasStandby", "HasDbClass", "HasGlueEndpoint"
)  # fmt: skip

NO_VALUE = cdk.Aws.NO_VALUE
_PREFIX = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$"
_BYTE = "[.][0-9]{1,3}"
_PRIVATE_RANGES = (
    f"10({_BYTE}){{3}}/([89]|[12][0-9]|3[0-2])",
    f"172[.](1[6-9]|2[0-9]|3[01])({_BYTE}){{2}}/(1[2-9]|2[0-9]|3[0-2])",
    f"192[.]168({_BYTE}){{2}}/(1[6-9]|2[0-9]|3[0-2])",
    f"100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])({_BYTE}){{2}}/([12][0-9]|3[0-2])",
)
"""The tasks of the small footprint have public addresses: the UI must not be opened on those."""


def define_parameters(stack: cdk.Stack) -> None:
    """Declare every parameter, condition and rule."""
    text(stack, "ImageDigest", "sha256:… of the pushed image; empty starts nothing yet",
         pattern="^(sha256:[0-9a-f]{64})?$")  # fmt: skip
    text(stack, "Footprint", "standard: a task for each service, private subnets, a standby "
         "database; small: one task and one database, about a sixth of the cost; none: no service, "
         "schedules start tasks", "standard", allowed=["standard", "small", "none"])  # fmt: skip
    text(stack, "Running", "false stops webserver, daemon and code server", "true", switch=True)
    text(stack, "CpuArchitecture", "CPU architecture of the image", "X86_64",
         allowed=["X86_64", "ARM64"])  # fmt: skip

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

    text(stack, "ManifestPrefix", "Prefix of the SQL files in their bucket", "sql", pattern=_PREFIX)
    text(stack, "DataPrefix", "Prefix of the extracts in their bucket", "extracts", pattern=_PREFIX)
    number(stack, "NoncurrentDays", "Days for which a replaced version is kept at least", 90)
    number(
        stack,
        "NoncurrentVersions",
        "Number of newest replaced versions that are always kept",
        30,
        most=100,
    )

    text(
        stack,
        "Destinations",
        'Further destinations as JSON, as in {"crm": {"url": "s3://...", '
        '"role_arn": "arn:..."}}; empty: none',
    )
    text(
        stack,
        "DestinationRoles",
        "ARNs of the roles in Destinations, separated by commas",
        pattern="^(arn:[^,* ]+:role/[^,* ]+(,arn:[^,* ]+:role/[^,* ]+)*)?$",
    )
    text(stack, "GlueDatabase", "Database in AWS Glue that gets a table for each extract; "
         "empty: none", pattern="^[a-z0-9_]*$")  # fmt: skip

    number(stack, "RunCpu", "CPU units of a run without a size in its header", 512)
    number(stack, "RunMemory", "MiB of memory of a run without a size in its header", 1024)
    number(stack, "RunDisk", "GiB of local disk of a run", 21, least=21, most=200)
    number(stack, "MaxConcurrentRuns", "Concurrent runs", 25)
    number(stack, "MaxRunsPerPool", "Concurrent runs against one warehouse", 10)

    text(stack, "VpcCidr", "Address range of the VPC, /16 to /22", "10.42.0.0/16")
    text(stack, "Nat", "NAT gateway, for warehouses on the internet, or for Slack; the small "
         "footprint needs none", "false", switch=True)  # fmt: skip
    text(stack, "PrivateLinkService", "Snowflake's PrivateLink service name; empty: none")
    text(stack, "UiCidr", "Private address range that may open the UI, which has no sign-in; "
         "empty: none", pattern=f"^({'|'.join(_PRIVATE_RANGES)})?$")  # fmt: skip
    text(stack, "AlarmEmail", "Address for alarms; confirm the mail that AWS sends; empty: none")
    number(stack, "LogDays", "Days for which logs are kept", 365,
           allowed=[30, 90, 180, 365, 731, 1827])  # fmt: skip

    text(stack, "DbClass", "Instance class of Dagster's database; empty: db.t4g.small, and "
         "db.t4g.micro in the small footprint")  # fmt: skip
    text(stack, "DbMultiAz", "Standby database in the other zone; never in the small footprint",
         "true", switch=True)  # fmt: skip
    text(stack, "DbSnapshot", "Snapshot to restore the database from; empty: a new one")
    _conditions(stack)


def _conditions(stack: cdk.Stack) -> None:
    define = cdk.Fn
    is_standard = define.condition_equals(ref("Footprint"), "standard")
    is_small = define.condition_equals(ref("Footprint"), "small")
    condition(stack, STANDARD, is_standard)
    condition(stack, SMALL, is_small)
    is_none = define.condition_equals(ref("Footprint"), "none")
    has_services = define.condition_not(is_none)
    condition(stack, NONE, is_none)
    condition(stack, SERVICES, has_services)
    condition(stack, PUBLIC, define.condition_not(is_standard))
    condition(stack, ARM, define.condition_equals(ref("CpuArchitecture"), "ARM64"))
    of_standard = {NAT: "Nat", STANDBY: "DbMultiAz"}
    is_given = {
        PRIVATE_LINK: "PrivateLinkService",
        UI: "UiCidr",
        ALARM_EMAIL: "AlarmEmail",
        IMAGE: "ImageDigest",
        SNAPSHOT: "DbSnapshot",
        SNOWFLAKE: "SnowflakeAccount",
        POSTGRES: "PostgresHost",
        DESTINATIONS: "Destinations",
        GLUE: "GlueDatabase",
        DEFAULT: "DefaultWarehouse",
        INTEGRATION: "SnowflakeIntegration",
        INTEGRATION_USER: "SnowflakeIntegrationUser",
        DB_CLASS: "DbClass",
    }
    for name, parameter in of_standard.items():
        is_true = define.condition_equals(ref(parameter), "true")
        condition(stack, name, define.condition_and(is_standard, is_true))
    condition(
        stack,
        INTERNET,
        define.condition_or(
            define.condition_not(is_standard), define.condition_equals(ref("Nat"), "true")
        ),
    )
    condition(stack, GLUE_ENDPOINT, define.condition_and(is_standard, _given("GlueDatabase")))
    for name, parameter in is_given.items():
        condition(stack, name, _given(parameter))
    running = define.condition_equals(ref("Running"), "true")
    condition(stack, RUNNING, define.condition_and(running, _given("ImageDigest")))
    condition(
        stack, KEY_PAIR, define.condition_and(_given("SnowflakeAccount"), _given("SnowflakeUser"))
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
            define.condition_and(_given("SnowflakeAccount"), _given("SnowflakeUser")),
            _given("PostgresHost"),
            others,
        ),
    )
    cdk.CfnRule(
        stack,
        "SomeWarehouse",
        assertions=[
            cdk.CfnRuleAssertion(
                assert_=define.condition_or(
                    _given("SnowflakeAccount"),
                    _given("PostgresHost"),
                    define.condition_and(others, _given("DefaultWarehouse")),
                ),
                assert_description="give SnowflakeAccount, PostgresHost, or OtherWarehouses=true "
                "with DefaultWarehouse",
            )
        ],
    )
    no_destination = define.condition_equals(ref("Destinations"), "")
    cdk.CfnRule(
        stack,
        "RolesOfDestinations",
        assertions=[
            cdk.CfnRuleAssertion(
                assert_=define.condition_or(no_destination, _given("DestinationRoles")),
                assert_description="give DestinationRoles with Destinations: runs assume them",
            )
        ],
    )


def _given(parameter: str) -> cdk.ICfnRuleConditionExpression:
    return cdk.Fn.condition_not(cdk.Fn.condition_equals(ref(parameter), ""))


def text(
    stack: cdk.Stack,
    name: str,
    description: str,
    default: str = "",
    *,
    allowed: Sequence[str] | None = None,
    pattern: str | None = None,
    switch: bool = False,
) -> None:
    values = ["true", "false"] if switch else allowed
    cdk.CfnParameter(
        stack, name, type="String", description=description, default=default,
        allowed_values=list(values) if values else None, allowed_pattern=pattern,
    )  # fmt: skip


def number(
    stack: cdk.Stack,
    name: str,
    description: str,
    default: int,
    *,
    least: int = 1,
    most: int | None = None,
    allowed: Sequence[int] | None = None,
) -> None:
    cdk.CfnParameter(
        stack, name, type="Number", description=description,
        default=str(default) if allowed else default,
        min_value=None if allowed else least, max_value=most,
        allowed_values=[str(each) for each in allowed] if allowed else None,
    )  # fmt: skip


def condition(stack: cdk.Stack, name: str, expression: cdk.ICfnConditionExpression) -> None:
    cdk.CfnCondition(stack, name, expression=expression)


def ref(name: str) -> str:
    """CloudFormation's `Ref` of a parameter or resource."""
    return cdk.Fn.ref(name)


def ref_number(name: str) -> Any:
    """A parameter for a property that is a number; CloudFormation converts it."""
    return cdk.Token.as_number(cdk.Fn.ref(name))


def att(name: str, attribute: str) -> str:
    """CloudFormation's `Fn::GetAtt` of a resource."""
    return cdk.Token.as_string(cdk.Fn.get_att(name, attribute))


def destination_roles() -> list[str]:
    """The ARNs in `DestinationRoles`; one empty text if there are none."""
    return cdk.Fn.split(",", ref("DestinationRoles"))


def either(condition_name: str, yes: Any, no: Any = NO_VALUE) -> Any:
    """`yes` if the condition holds, else `no`; by default, nothing is set then."""
    return cdk.Fn.condition_if(condition_name, yes, no)


def of_footprint(only: str | None, small: Any, standard: Any) -> Any:
    """What differs between the footprints, for what is in several or `only` in one of them.

    What starts tasks without a service is as in the small one.
    """
    return {SMALL: small, STANDARD: standard}[only] if only else either(PUBLIC, small, standard)


def only_if(resource: cdk.CfnResource, condition_name: str) -> None:
    """Create the resource only if the condition holds."""
    resource.cfn_options.condition = known_condition(resource.stack, condition_name)


def known_condition(stack: cdk.Stack, name: str) -> cdk.CfnCondition:
    """A condition of the template, by its name."""
    found = stack.node.find_child(name)
    assert isinstance(found, cdk.CfnCondition)
    return found


def excused(resource: cdk.CfnResource, reasons: dict[str, str]) -> None:
    """Accept findings of checkov, each with its reason."""
    skipped = [{"id": name, "comment": reason} for name, reason in reasons.items()]
    resource.add_metadata("checkov", {"skip": skipped})


def kept(resource: cdk.CfnResource) -> None:
    """Keep the real resource if it is deleted or replaced in the stack."""
    resource.apply_removal_policy(cdk.RemovalPolicy.RETAIN)

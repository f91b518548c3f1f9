"""How parameters and conditions are declared, and how resources refer to them and to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
FURTHER, UPSTREAM = "HasFurtherLocations", "HasUpstreamManifests"

NO_VALUE = cdk.Aws.NO_VALUE


def given(parameter: str) -> cdk.ICfnRuleConditionExpression:
    return cdk.Fn.condition_not(cdk.Fn.condition_equals(ref(parameter), ""))


def text(
    stack: cdk.Stack,
    name: str,
    description: str,
    default: str | None = "",
    *,
    allowed: Sequence[str] | None = None,
    pattern: str | None = None,
    switch: bool = False,
) -> None:
    """Declare a text; one whose default is None has to be given."""
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


def conditions_given(stack: cdk.Stack, named: Mapping[str, str]) -> None:
    """Define conditions, each of which holds if its parameter is not empty."""
    for name, parameter in named.items():
        condition(stack, name, given(parameter))


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

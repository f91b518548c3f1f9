"""The security groups: who may connect to whom."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from deploy.stack.parameters import (
    PORT,
    POSTGRES,
    SNOWFLAKE,
    UI,
    att,
    either,
    excused,
    kept,
    only_if,
    ref,
    ref_number,
)

UI_PORT, CODE_PORT, DATABASE_PORT, HTTPS, HTTP = 3000, 4000, 5432, 443, 80
_ANYWHERE = "0.0.0.0/0"
_HALVES = ("0.0.0.0/1", "128.0.0.0/1")


def define_groups(stack: cdk.Stack) -> None:
    """The allowed connections; replies need no rule."""
    web, sql = _rule(_ANYWHERE, HTTPS, "AWS and warehouses"), _warehouse_rules()
    _group(stack, "ServiceGroup", "Webserver, daemon and code server", [web, *sql])
    _group(stack, "RunGroup", "Runs", [web, *sql])
    kept(_group(stack, "DatabaseGroup", "Database of Dagster", []))
    _group(stack, "EndpointGroup", "Endpoints of AWS services", [])
    for client in ("ServiceGroup", "RunGroup"):
        _allow(stack, client, "DatabaseGroup", DATABASE_PORT)
        _allow(stack, client, "EndpointGroup", HTTPS, out=False)
    for port in (UI_PORT, CODE_PORT):
        _allow(stack, "ServiceGroup", "ServiceGroup", port)
    door = ec2.CfnSecurityGroupIngress(
        stack, "UiDoor", group_id=att("ServiceGroup", "GroupId"), ip_protocol="tcp",
        from_port=UI_PORT, to_port=UI_PORT, cidr_ip=ref("UiCidr"), description="People to the UI",
    )  # fmt: skip
    only_if(door, UI)


def define_location_groups(stack: cdk.Stack) -> None:
    """The code server of a further location gets a group of its own, which only webserver and
    daemon reach; its runs are in the group of all runs, where dagster.yaml puts them.
    """
    web = _rule(_ANYWHERE, HTTPS, "AWS and warehouses")
    _group(stack, "CodeGroup", "Code server", [web, *_warehouse_rules()])
    _allow(stack, "CodeGroup", "DatabaseGroup", DATABASE_PORT)
    _allow(stack, "CodeGroup", "EndpointGroup", HTTPS, out=False)
    only_if(_allow(stack, "CodeGroup", "EndpointGroup", HTTP, out=False), SNOWFLAKE)
    _allow(stack, "CodeGroup", "ServiceGroup", UI_PORT)
    _allow(stack, "ServiceGroup", "CodeGroup", CODE_PORT)
    # A group takes the same rule only once. By a list of its own, the rule of each location is
    # another one, though two may open the same port.
    ec2.CfnPrefixList(
        stack, "Anywhere", address_family="IPv4", max_entries=2,
        prefix_list_name=f"{cdk.Aws.STACK_NAME}-anywhere",
        entries=[ec2.CfnPrefixList.EntryProperty(cidr=half) for half in _HALVES],
    )  # fmt: skip
    for name, (condition, port, description) in _warehouse_ports().items():
        out = ec2.CfnSecurityGroupEgress(
            stack, f"RunsTo{name}", group_id=att("RunGroup", "GroupId"), ip_protocol="tcp",
            from_port=port, to_port=port, destination_prefix_list_id=ref("Anywhere"),
            description=description,
        )  # fmt: skip
        only_if(out, condition)


def _warehouse_ports() -> dict[str, tuple[str, Any, str]]:
    """The ports beside HTTPS: condition, number and description of each."""
    return {
        "Postgres": (POSTGRES, ref_number("PostgresPort"), "Postgres warehouse"),
        "Others": (PORT, ref_number("WarehousePort"), "Other warehouses"),
        # The revocation check of Snowflake's certificate uses plain HTTP.
        "Ocsp": (SNOWFLAKE, HTTP, "OCSP and CRL"),
    }


def _warehouse_rules() -> list[object]:
    found = _warehouse_ports().values()
    return [either(name, _rule(_ANYWHERE, port, text)) for name, port, text in found]


def _rule(cidr: str, port: int, description: str) -> dict[str, object]:
    return {
        "CidrIp": cidr,
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "Description": description,
    }


def _group(
    stack: cdk.Stack, name: str, description: str, egress: list[object]
) -> ec2.CfnSecurityGroup:
    nothing = {
        "CidrIp": "127.0.0.1/32",
        "IpProtocol": "icmp",
        "FromPort": 252,
        "ToPort": 86,
        "Description": "Nothing: without any rule AWS would add one that allows all",
    }
    group = ec2.CfnSecurityGroup(stack, name, vpc_id=ref("Vpc"), group_description=description)
    group.add_property_override("SecurityGroupEgress", egress or [nothing])
    if egress:
        excused(group, {"CKV_AWS_23": "each rule has one, also those below Fn::If"})
    return group


def _allow(
    stack: cdk.Stack, client: str, server: str, port: int, *, out: bool = True
) -> ec2.CfnSecurityGroupIngress:
    """Let one group in to another; returns the rule of the server's side."""
    name = f"{client}To{server}{port}"
    way_in = ec2.CfnSecurityGroupIngress(
        stack, f"{name}In", group_id=att(server, "GroupId"), ip_protocol="tcp", from_port=port,
        to_port=port, source_security_group_id=att(client, "GroupId"), description=name,
    )  # fmt: skip
    if out:
        ec2.CfnSecurityGroupEgress(
            stack, f"{name}Out", group_id=att(client, "GroupId"), ip_protocol="tcp",
            from_port=port, to_port=port, description=name,
            destination_security_group_id=att(server, "GroupId"),
        )  # fmt: skip
    return way_in

"""The network: two private subnets, public ones, and security groups.

In the other footprints tasks are in two public subnets instead, with public addresses, and no
endpoint but S3's: only what they ask for themselves is answered, since no rule lets anybody in.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from deploy.stack.groups import define_groups
from deploy.stack.parameters import (
    INTERNET,
    NAT,
    PUBLIC,
    att,
    kept,
    of_footprint,
    only_if,
    ref,
    ref_number,
)

DOMAIN, NAME_SECONDS = "extract.internal", 10
"""The private zone of names, and for how long an answer of it holds."""
_ANYWHERE = "0.0.0.0/0"


def define_network(stack: cdk.Stack) -> None:
    """The VPC with subnets, routes, security groups and the flow log."""
    vpc = ec2.CfnVPC(
        stack,
        "Vpc",
        cidr_block=ref("VpcCidr"),
        enable_dns_hostnames=True,
        enable_dns_support=True,
        tags=[_name("")],
    )
    kept(vpc)  # with its subnets, because the database stays in them
    for index, zone in enumerate("AB"):
        kept(_subnet(stack, f"Subnet{zone}", index, index))
    ec2.CfnRouteTable(stack, "Routes", vpc_id=ref("Vpc"), tags=[_name("-private")])
    for zone in "AB":
        _associate(stack, f"Subnet{zone}", "Routes")
    _internet(stack)
    _nat(stack)
    define_groups(stack)
    _flow_log(stack)


def _name(suffix: str) -> cdk.CfnTag:
    return cdk.CfnTag(key="Name", value=f"{cdk.Aws.STACK_NAME}{suffix}")


def _subnet(stack: cdk.Stack, name: str, block: int, zone: int) -> ec2.CfnSubnet:
    # Each task takes an address: two /24 are room for about 480 at one time.
    blocks = cdk.Fn.cidr(ref("VpcCidr"), 4, "8")
    return ec2.CfnSubnet(
        stack,
        name,
        vpc_id=ref("Vpc"),
        availability_zone=cdk.Fn.select(zone, cdk.Fn.get_azs()),
        cidr_block=cdk.Fn.select(block, blocks),
        map_public_ip_on_launch=False,
        tags=[_name(f"-{name}")],
    )


def _associate(stack: cdk.Stack, subnet: str, table: str) -> ec2.CfnSubnetRouteTableAssociation:
    return ec2.CfnSubnetRouteTableAssociation(
        stack, f"{subnet}Routes", route_table_id=ref(table), subnet_id=ref(subnet)
    )


def task_subnets(only: str | None = None) -> tuple[str, str]:
    """The subnets of all tasks, those of runs too; `only` is as in `of_footprint`."""
    first = of_footprint(only, ref("PublicSubnet"), ref("SubnetA"))
    second = of_footprint(only, ref("PublicSubnetB"), ref("SubnetB"))
    return cdk.Token.as_string(first), cdk.Token.as_string(second)


def public_address(only: str | None = None) -> str:
    """Whether tasks get one: `ENABLED` or `DISABLED`."""
    return cdk.Token.as_string(of_footprint(only, "ENABLED", "DISABLED"))


def _internet(stack: cdk.Stack) -> None:
    """Public subnets: one for a NAT gateway, and one in each zone for tasks that need none."""
    internet = ec2.CfnInternetGateway(stack, "Internet")
    attached = ec2.CfnVPCGatewayAttachment(
        stack, "InternetAttached", vpc_id=ref("Vpc"), internet_gateway_id=ref("Internet")
    )
    subnet = _subnet(stack, "PublicSubnet", 2, 0)
    table = ec2.CfnRouteTable(stack, "PublicRoutes", vpc_id=ref("Vpc"), tags=[_name("-public")])
    associated = _associate(stack, "PublicSubnet", "PublicRoutes")
    out = ec2.CfnRoute(
        stack, "PublicOut", route_table_id=ref("PublicRoutes"),
        destination_cidr_block=_ANYWHERE, gateway_id=ref("Internet"),
    )  # fmt: skip
    out.add_resource_dependency(attached)
    for each in (internet, attached, subnet, table, associated, out):
        only_if(each, INTERNET)
    second = _subnet(stack, "PublicSubnetB", 3, 1)
    for each in (second, _associate(stack, "PublicSubnetB", "PublicRoutes")):
        only_if(each, PUBLIC)


def _nat(stack: cdk.Stack) -> None:
    """One NAT gateway. If its zone fails, only traffic to the internet is affected."""
    attached = stack.node.find_child("InternetAttached")
    assert isinstance(attached, cdk.CfnResource)
    address = ec2.CfnEIP(stack, "NatAddress", domain="vpc")
    address.add_resource_dependency(attached)
    gateway = ec2.CfnNatGateway(
        stack, "NatGateway", subnet_id=ref("PublicSubnet"),
        allocation_id=att("NatAddress", "AllocationId"),
    )  # fmt: skip
    route = ec2.CfnRoute(
        stack, "PrivateOut", route_table_id=ref("Routes"),
        destination_cidr_block=_ANYWHERE, nat_gateway_id=ref("NatGateway"),
    )  # fmt: skip
    for each in (address, gateway, route):
        only_if(each, NAT)


def _flow_log(stack: cdk.Stack) -> None:
    """Log only refused connections: they explain failures, and are few.

    In a public subnet scanners are refused all day, which makes some megabytes a month.
    """
    logs.CfnLogGroup(
        stack,
        "FlowLogs",
        kms_key_id=att("Key", "Arn"),
        retention_in_days=ref_number("LogDays"),
    )
    iam.CfnRole(
        stack,
        "FlowRole",
        assume_role_policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
                }
            ],
        },
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="flow",
                policy_document=iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=[
                                "logs:CreateLogStream",
                                "logs:DescribeLogGroups",
                                "logs:DescribeLogStreams",
                                "logs:PutLogEvents",
                            ],
                            resources=[att("FlowLogs", "Arn")],
                        )
                    ]
                ),
            )
        ],
    )
    ec2.CfnFlowLog(
        stack,
        "FlowLog",
        resource_id=ref("Vpc"),
        resource_type="VPC",
        traffic_type="REJECT",
        log_group_name=ref("FlowLogs"),
        deliver_logs_permission_arn=att("FlowRole", "Arn"),
    )

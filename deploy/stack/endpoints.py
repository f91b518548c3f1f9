"""The endpoints of AWS services, and Snowflake's through PrivateLink."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53

from deploy.stack.groups import HTTP
from deploy.stack.parameters import (
    GLUE_ENDPOINT,
    PRIVATE_LINK,
    PUBLIC,
    STANDARD,
    att,
    destination_roles,
    either,
    only_if,
    ref,
)

_SERVICES = ("ecr.api", "ecr.dkr", "ecs", "logs", "secretsmanager", "sns", "sts")
_GLUE = "glue"
_PRIVATELINK_DOMAIN = "privatelink.snowflakecomputing.com"


def define_endpoints(stack: cdk.Stack) -> None:
    """S3's gateway costs nothing, and the small footprint has only that."""
    own = [arn for name in ("Manifest", "Data", "Logs") for arn in _both(att(name, "Arn"))]
    ec2.CfnVPCEndpoint(
        stack,
        "S3Endpoint",
        vpc_id=ref("Vpc"),
        service_name=f"com.amazonaws.{cdk.Aws.REGION}.s3",
        route_table_ids=[
            ref("Routes"),
            cdk.Token.as_string(either(PUBLIC, ref("PublicRoutes"))),
        ],
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    sid="OwnBuckets",
                    principals=[iam.AnyPrincipal()],
                    actions=["s3:*"],
                    resources=own,
                ),
                # Destinations, as the roles that runs assume for them; no ARN is empty.
                iam.PolicyStatement(
                    sid="Destinations",
                    principals=[iam.AnyPrincipal()],
                    actions=["s3:*"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:PrincipalArn": destination_roles()}},
                ),
                # Image layers and Snowflake's results are in buckets of AWS and of Snowflake, whose
                # names are theirs to change; nothing can be written anywhere but here.
                iam.PolicyStatement(
                    sid="DownloadsFromOthers",
                    principals=[iam.AnyPrincipal()],
                    actions=["s3:GetObject"],
                    resources=["*"],
                ),
            ]
        ),
    )
    for service in (*_SERVICES, _GLUE):
        name = "".join(part.capitalize() for part in service.split("."))
        endpoint = ec2.CfnVPCEndpoint(
            stack,
            f"{name}Endpoint",
            vpc_id=ref("Vpc"),
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{cdk.Aws.REGION}.{service}",
            private_dns_enabled=True,
            subnet_ids=[ref("SubnetA"), ref("SubnetB")],
            security_group_ids=[att("EndpointGroup", "GroupId")],
        )
        only_if(endpoint, GLUE_ENDPOINT if service == _GLUE else STANDARD)
    _private_link(stack)


def _both(arn: str) -> list[str]:
    return [arn, f"{arn}/*"]


def _private_link(stack: cdk.Stack) -> None:
    endpoint = ec2.CfnVPCEndpoint(
        stack,
        "SnowflakeEndpoint",
        vpc_id=ref("Vpc"),
        vpc_endpoint_type="Interface",
        service_name=ref("PrivateLinkService"),
        subnet_ids=[ref("SubnetA"), ref("SubnetB")],
        security_group_ids=[att("EndpointGroup", "GroupId")],
    )
    zone = route53.CfnHostedZone(
        stack,
        "SnowflakeZone",
        name=_PRIVATELINK_DOMAIN,
        vpcs=[route53.CfnHostedZone.VPCProperty(vpc_id=ref("Vpc"), vpc_region=cdk.Aws.REGION)],
    )
    first = cdk.Fn.select(0, cdk.Token.as_list(cdk.Fn.get_att("SnowflakeEndpoint", "DnsEntries")))
    record = route53.CfnRecordSet(
        stack,
        "SnowflakeNames",
        hosted_zone_id=ref("SnowflakeZone"),
        name=f"*.{_PRIVATELINK_DOMAIN}",
        type="CNAME",
        ttl="60",
        resource_records=[cdk.Fn.select(1, cdk.Fn.split(":", first))],
    )
    for each in (endpoint, zone, record):
        only_if(each, PRIVATE_LINK)
    for client in ("ServiceGroup", "RunGroup"):
        door = ec2.CfnSecurityGroupIngress(
            stack, f"{client}ToOcsp", group_id=att("EndpointGroup", "GroupId"), ip_protocol="tcp",
            from_port=HTTP, to_port=HTTP, source_security_group_id=att(client, "GroupId"),
            description="OCSP through PrivateLink",
        )  # fmt: skip
        only_if(door, PRIVATE_LINK)

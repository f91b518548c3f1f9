"""moto's CloudFormation, completed: resources that it does not create, or not fully, are created
through the AWS API.

Each property goes into the request of the service that has it: one that the service does not know,
or a value that it would not take, fails the deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

from moto.cloudformation import parsing

from extract_project_tests.support.cloudformation.made import Client, Made, Make, Properties
from extract_project_tests.support.cloudformation.makers import MAKERS

UNKNOWN = {
    "AWS::CloudWatch::Alarm": "no model in moto's CloudFormation",
    "AWS::EC2::PrefixList": "no model",
    "AWS::EC2::SecurityGroupEgress": "no model; moto knows ingress",
    "AWS::IAM::RolePolicy": "no model; moto knows managed and inline policies",
    "AWS::S3::BucketPolicy": "no model",
    "AWS::SNS::Subscription": "no model; moto knows subscriptions inside a topic",
    "AWS::SecretsManager::Secret": "no model",
    "AWS::ServiceDiscovery::Instance": "no model",
    "AWS::ServiceDiscovery::PrivateDnsNamespace": "no model",
    "AWS::ServiceDiscovery::Service": "no model",
}
"""Types that moto's CloudFormation does not know."""

BY_HALF = {
    "AWS::EC2::SubnetRouteTableAssociation": "associates nothing",
    "AWS::EC2::VPC": "names of hosts stay off, without which no task gets an interface",
    "AWS::EC2::VPCEndpoint": "policy is dropped; has no attribute that a name could point to",
    "AWS::ECR::Repository": "makes up a name with capitals, and refuses it; drops the lifecycle",
    "AWS::ECS::Service": "network, registries, circuit breaker and percentages are dropped",
    "AWS::ECS::TaskDefinition": "size, roles, disk and platform are dropped; updates break names",
    "AWS::KMS::Key": "describing one fails; rotation is dropped",
    "AWS::Logs::LogGroup": "the key is dropped",
    "AWS::RDS::DBInstance": "backup, protection, growth and log exports are dropped",
    "AWS::RDS::DBParameterGroup": "nothing can refer to one",
    "AWS::RDS::DBSubnetGroup": "nothing can refer to one",
    "AWS::S3::Bucket": "versioning, lifecycle, access block, ownership and events are dropped",
}
"""Types that it creates without properties that these tests check."""


@dataclass(frozen=True)
class _Kind:
    """A type of resource, with the methods that moto calls on its models."""

    client: Client
    make: Make

    def has_cfn_attr(self, attr: str) -> bool:
        """Asked about outputs alone; one that is not there fails as it is read."""
        return True

    def create_from_cloudformation_json(
        self, name: str, resource: Properties, account_id: str, region_name: str, **_: Any
    ) -> Made:
        return self.make(self.client, name, resource.get("Properties", {}))

    def update_from_cloudformation_json(
        self,
        original_resource: Made,
        new_resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
    ) -> Made:
        properties = cloudformation_json["Properties"]
        if original_resource.change:
            original_resource.change(properties)
            return original_resource
        made = self.make(self.client, new_resource_name, properties)
        if cloudformation_json.get("UpdateReplacePolicy") != "Retain":
            original_resource.delete(account_id, region_name)
        return made


@contextmanager
def whole_cloudformation(client: Client) -> Iterator[None]:
    """Within the block, moto's CloudFormation creates every type of the templates."""
    known = dict(parsing.get_model_map())
    ours = {kind: _Kind(cache(client), make) for kind, make in MAKERS.items()}
    with mock.patch.object(parsing, "get_model_map", return_value={**known, **ours}):
        yield

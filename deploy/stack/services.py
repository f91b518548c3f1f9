"""The services: code server, webserver, and exactly one daemon.

In the small footprint the daemon's service runs all three, in one task. It is the same service, so
that a change of the footprint stops the old daemon before it starts the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_servicediscovery as discovery

from deploy.stack.groups import DATABASE_PORT, HTTPS
from deploy.stack.network import DOMAIN, NAME_SECONDS, public_address, task_subnets
from deploy.stack.parameters import (
    RUNNING,
    SERVICES,
    SMALL,
    STANDARD,
    att,
    either,
    excused,
    only_if,
    ref,
)

_ENDPOINTS = ("EcrApiEndpoint", "EcrDkrEndpoint", "LogsEndpoint", "SecretsmanagerEndpoint")
_WAY_OUT = ("PublicOut", "PublicSubnetRoutes", "PublicSubnetBRoutes")


def define_services(stack: cdk.Stack) -> None:
    """Define the services, which start in the order in which they need each other."""
    cluster = ecs.CfnCluster(stack, "Cluster")
    excused(cluster, {"CKV_AWS_65": "billed for each task family; the alarms do not need it"})
    names = discovery.CfnPrivateDnsNamespace(stack, "Names", name=DOMAIN, vpc=ref("Vpc"))
    only_if(names, SERVICES)
    only_if(_name(stack, "Code"), STANDARD)
    only_if(_name(stack, "Webserver"), SERVICES)
    code, webserver = (
        _service(
            stack,
            name,
            ref(f"{name}Task"),
            [_registry(name)],
            subnets=task_subnets(STANDARD),
            address=public_address(STANDARD),
        )
        for name in ("Code", "Webserver")
    )
    for each in (code, webserver):
        only_if(each, STANDARD)
    # Two daemons would launch every schedule twice: the old one stops before the new one starts.
    daemon = _service(
        stack,
        "Daemon",
        cdk.Token.as_string(either(SMALL, ref("SmallTask"), ref("DaemonTask"))),
        either(SMALL, [{"RegistryArn": att("WebserverName", "Arn")}]),
        subnets=task_subnets(),
        address=public_address(),
        least=0,
        most=100,
    )
    only_if(daemon, SERVICES)
    # A task that starts before it can reach these fails, and the deployment with it.
    for each in (code, webserver, daemon):
        _depend(each, "S3Endpoint", f"ServiceGroupToDatabaseGroup{DATABASE_PORT}Out")
    for each in (code, webserver):
        _depend(each, *_ENDPOINTS)
    webserver.add_resource_dependency(code)
    # Only the webserver creates the tables: two processes doing so at once would conflict.
    # DependsOn takes no condition; what metadata refer to is waited for as well.
    standard = [either(STANDARD, ref(name)) for name in (*_ENDPOINTS, "WebserverService")]
    small = [either(SMALL, ref(name)) for name in _WAY_OUT]
    daemon.add_metadata("WaitsFor", [*standard, *small])


def define_location_service(stack: cdk.Stack) -> None:
    """The code server of a further location, at the address that webserver and daemon expect."""
    _name(stack, "Code", ref("Location"))
    service = _service(
        stack,
        "Code",
        ref("CodeTask"),
        [_registry("Code")],
        subnets=task_subnets(STANDARD),
        address=public_address(STANDARD),
        group="CodeGroup",
    )
    _depend(service, f"CodeGroupToDatabaseGroup{DATABASE_PORT}Out")
    _depend(service, f"CodeGroupToEndpointGroup{HTTPS}In")


def _name(stack: cdk.Stack, name: str, host: str = "") -> discovery.CfnService:
    """A name in the private zone; default: that of the process."""
    service = discovery.CfnService
    return service(
        stack,
        f"{name}Name",
        name=host or name.lower(),
        namespace_id=ref("Names"),
        dns_config=service.DnsConfigProperty(
            dns_records=[service.DnsRecordProperty(type="A", ttl=NAME_SECONDS)]
        ),
        # The only number that AWS takes; an empty configuration may count as none.
        health_check_custom_config=service.HealthCheckCustomConfigProperty(failure_threshold=1),
    )


def _registry(name: str) -> ecs.CfnService.ServiceRegistryProperty:
    return ecs.CfnService.ServiceRegistryProperty(registry_arn=att(f"{name}Name", "Arn"))


def _service(
    stack: cdk.Stack,
    name: str,
    task: str,
    registries: Any,
    *,
    subnets: Sequence[str],
    address: str,
    least: int = 100,
    most: int = 200,
    group: str = "ServiceGroup",
) -> ecs.CfnService:
    return ecs.CfnService(
        stack,
        f"{name}Service",
        cluster=ref("Cluster"),
        task_definition=task,
        launch_type="FARGATE",
        platform_version="1.4.0",
        desired_count=cdk.Token.as_number(either(RUNNING, 1, 0)),
        deployment_configuration=ecs.CfnService.DeploymentConfigurationProperty(
            minimum_healthy_percent=least,
            maximum_percent=most,
            deployment_circuit_breaker=ecs.CfnService.DeploymentCircuitBreakerProperty(
                enable=True, rollback=True
            ),
        ),
        network_configuration=ecs.CfnService.NetworkConfigurationProperty(
            awsvpc_configuration=ecs.CfnService.AwsVpcConfigurationProperty(
                assign_public_ip=address,
                subnets=list(subnets),
                security_groups=[att(group, "GroupId")],
            )
        ),
        service_registries=registries,
        propagate_tags="TASK_DEFINITION",
    )


def _depend(service: ecs.CfnService, *names: str) -> None:
    for name in names:
        found = service.stack.node.find_child(name)
        assert isinstance(found, cdk.CfnResource)
        service.add_resource_dependency(found)

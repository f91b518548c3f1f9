"""The services: code server, webserver, and exactly one daemon."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_servicediscovery as discovery

from deploy.stack.network import DATABASE_PORT
from deploy.stack.parameters import RUNNING, att, either, excused, ref
from deploy.stack.tasks import DOMAIN

_NAME_SECONDS = 10


def define_services(stack: cdk.Stack) -> None:
    """Define the services, which start in the order in which they need each other."""
    cluster = ecs.CfnCluster(stack, "Cluster")
    excused(cluster, {"CKV_AWS_65": "billed for each task family; the alarms do not need it"})
    discovery.CfnPrivateDnsNamespace(stack, "Names", name=DOMAIN, vpc=ref("Vpc"))
    code = _service(stack, "Code", named=True)
    webserver = _service(stack, "Webserver", named=True)
    # Only the webserver creates the tables: two processes doing so at once would conflict.
    daemon = _service(stack, "Daemon", named=False)
    webserver.add_resource_dependency(code)
    daemon.add_resource_dependency(webserver)


def _service(stack: cdk.Stack, name: str, *, named: bool) -> ecs.CfnService:
    if named:
        discovery.CfnService(
            stack,
            f"{name}Name",
            name=name.lower(),
            namespace_id=ref("Names"),
            dns_config=discovery.CfnService.DnsConfigProperty(
                dns_records=[discovery.CfnService.DnsRecordProperty(type="A", ttl=_NAME_SECONDS)]
            ),
            health_check_custom_config=discovery.CfnService.HealthCheckCustomConfigProperty(),
        )
    # Two daemons would launch every schedule twice: the old one stops before the new one starts.
    least, most = (100, 200) if named else (0, 100)
    service = ecs.CfnService(
        stack,
        f"{name}Service",
        cluster=ref("Cluster"),
        task_definition=ref(f"{name}Task"),
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
                assign_public_ip="DISABLED",
                subnets=[ref("SubnetA"), ref("SubnetB")],
                security_groups=[att("ServiceGroup", "GroupId")],
            )
        ),
        service_registries=(
            [ecs.CfnService.ServiceRegistryProperty(registry_arn=att(f"{name}Name", "Arn"))]
            if named
            else None
        ),
        propagate_tags="TASK_DEFINITION",
    )
    # A task that starts before it can reach these fails, and the deployment with it.
    needed = ["EcrApiEndpoint", "EcrDkrEndpoint", "LogsEndpoint", "SecretsmanagerEndpoint",
              "S3Endpoint", f"ServiceGroupToDatabaseGroup{DATABASE_PORT}Out"]  # fmt: skip
    for each in needed:
        found = stack.node.find_child(each)
        assert isinstance(found, cdk.CfnResource)
        service.add_resource_dependency(found)
    return service

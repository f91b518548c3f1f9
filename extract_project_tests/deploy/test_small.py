"""The small footprint: one task for all services, in a public subnet that nobody gets into."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from extract_project_tests.support.cloudformation.deployable import deployable, used
from extract_project_tests.support.cloudformation.template import Evaluation, of_type, template

DIGEST = "sha256:" + "a" * 64
WAREHOUSES = {"SnowflakeAccount": "acme", "SnowflakeUser": "EXTRACTS", "PostgresHost": "db"}
SMALL = Evaluation(Footprint="small", ImageDigest=DIGEST, **WAREHOUSES)
STANDARD = Evaluation(ImageDigest=DIGEST, **WAREHOUSES)


def resources(**parameters: str) -> dict[str, Any]:
    found = deployable(ImageDigest=DIGEST, **WAREHOUSES, **parameters)["Resources"]
    return dict(found)


def test_what_is_kept_is_the_same_in_both_but_for_the_size_of_the_database() -> None:
    """So a change of the footprint replaces none of it: history stays."""
    standard, small = resources(), resources(Footprint="small")
    kept = {name for name, each in standard.items() if each.get("DeletionPolicy") == "Retain"}
    assert {"Manifest", "Data", "Key", "Database", "Images", "DatabaseSecret"} < kept
    assert kept <= small.keys()
    changed = {
        f"{name}.{key}"
        for name in kept
        for key, value in small[name]["Properties"].items()
        if value != standard[name]["Properties"].get(key)
    }
    assert changed == {"Database.DBInstanceClass", "Database.MultiAZ"}
    database = small["Database"]["Properties"]
    assert (database["DBInstanceClass"], database["MultiAZ"]) == ("db.t4g.micro", False)


def test_a_chosen_class_is_kept_and_one_zone_is_not_a_choice() -> None:
    found = resources(Footprint="small", DbClass="db.t4g.large", DbMultiAz="true")["Database"]
    assert found["Properties"]["DBInstanceClass"] == "db.t4g.large"
    assert found["Properties"]["MultiAZ"] is False


def test_there_is_one_service_and_it_is_the_one_that_has_the_daemon() -> None:
    """Updated in place: a new service would start a second daemon before the old one is gone."""
    small = resources(Footprint="small")
    services = [name for name, each in small.items() if each["Type"] == "AWS::ECS::Service"]
    assert services == ["DaemonService"]
    service = small["DaemonService"]["Properties"]
    assert service["TaskDefinition"] == {"Ref": "SmallTask"}
    assert service["DesiredCount"] == 1
    deployment = service["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 100)
    registry = {"RegistryArn": {"Fn::GetAtt": ["WebserverName", "Arn"]}}
    assert service["ServiceRegistries"] == [registry], "the UI has the same name as in standard"
    assert "DaemonNotRunning" in small


@pytest.mark.parametrize(
    ("process", "differing"),
    [("Code", {"EXTRACT_METRICS", "EXTRACT_MANIFEST_SECONDS"}),
     ("Webserver", {"EXTRACT_CODE_SERVER_HOST", "DAGSTER_YAML"}),
     ("Daemon", {"EXTRACT_CODE_SERVER_HOST", "DAGSTER_YAML"})],
)  # fmt: skip
def test_a_process_is_as_in_standard(process: str, differing: set[str]) -> None:
    """But for its neighbours, where runs are launched, and what is billed by use."""
    shared, own = SMALL.container(process, task="Small"), STANDARD.container(process)
    others = {key for key in shared.keys() | own.keys() if shared.get(key) != own.get(key)}
    assert others <= {"Environment", "MountPoints", "RestartPolicy", "DependsOn", "HealthCheck"}
    here, there = SMALL.environment(process, task="Small"), STANDARD.environment(process)
    assert {each for each in here.keys() | there.keys() if here.get(each) != there.get(each)} == (
        differing
    )
    assert here.get("EXTRACT_CODE_SERVER_HOST", "127.0.0.1") == "127.0.0.1"
    volumes = {each["ContainerPath"]: each["SourceVolume"] for each in shared["MountPoints"]}
    prefix = process.lower()
    assert volumes == {"/opt/dagster": f"{prefix}-home", "/tmp": f"{prefix}-tmp"}


def test_a_process_that_dies_is_started_again_and_one_that_keeps_dying_ends_the_task() -> None:
    for container in SMALL.containers("Small").values():
        assert container["Essential"] is True
        assert container["RestartPolicy"] == {"Enabled": True, "RestartAttemptPeriod": 60}
        assert container["HealthCheck"]["Command"][0] == "CMD"


def test_only_one_process_makes_tables_and_no_daemon_runs_before_it() -> None:
    after = {
        name: [(each["ContainerName"], each["Condition"]) for each in container["DependsOn"]]
        for name, container in SMALL.containers("Small").items()
        if "DependsOn" in container
    }
    assert after == {"Webserver": [("code", "HEALTHY")], "Daemon": [("webserver", "HEALTHY")]}


def test_only_the_code_server_has_the_secrets_of_warehouses() -> None:
    secrets = {
        name: {each["Name"] for each in container["Secrets"]}
        for name, container in SMALL.containers("Small").items()
    }
    assert secrets["Webserver"] == secrets["Daemon"] == {"DAGSTER_POSTGRES_PASSWORD"}
    assert len(secrets["Code"]) == 3


def test_the_shared_task_has_the_roles_of_the_code_server() -> None:
    task = of_type("AWS::ECS::TaskDefinition")["SmallTask"]
    assert task["TaskRoleArn"] == {"Fn::GetAtt": ["CodeRole", "Arn"]}
    assert task["ExecutionRoleArn"] == {"Fn::GetAtt": ["CodeExecutionRole", "Arn"]}


def test_tasks_have_public_addresses_and_a_way_out_and_runs_too() -> None:
    small = resources(Footprint="small")
    network = small["DaemonService"]["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "ENABLED"
    assert network["Subnets"] == [{"Ref": "PublicSubnet"}, {"Ref": "PublicSubnetB"}]
    written = yaml.safe_load(SMALL.environment("Daemon", task="Small")["DAGSTER_YAML"])
    launched = written["run_launcher"]["config"]["run_task_kwargs"]["networkConfiguration"]
    assert launched["awsvpcConfiguration"] == {
        "subnets": ["PublicSubnet", "PublicSubnetB"],
        "securityGroups": ["RunGroup"],
        "assignPublicIp": "ENABLED",
    }
    assert small["PublicOut"]["Properties"]["GatewayId"] == {"Ref": "Internet"}
    public = {"Ref": "PublicRoutes"}
    associated = [
        each["Properties"]["SubnetId"]["Ref"]
        for each in small.values()
        if each["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
        and each["Properties"]["RouteTableId"] == public
    ]
    assert sorted(associated) == ["PublicSubnet", "PublicSubnetB"]
    assert public in small["S3Endpoint"]["Properties"]["RouteTableIds"]
    needed = used(small["DaemonService"])
    assert {"PublicOut", "PublicSubnetRoutes", "PublicSubnetBRoutes"} <= needed


def test_nothing_is_paid_by_the_hour_but_the_task_and_the_database() -> None:
    small = resources(Footprint="small", Nat="true", GlueDatabase="extracts")
    endpoints = [name for name, each in small.items() if each["Type"] == "AWS::EC2::VPCEndpoint"]
    assert endpoints == ["S3Endpoint"]
    assert "NatGateway" not in small
    assert "NatAddress" not in small


def test_nobody_gets_in_from_the_internet() -> None:
    small = resources(Footprint="small")
    for name, each in small.items():
        if each["Type"] == "AWS::EC2::SecurityGroup":
            assert "SecurityGroupIngress" not in each["Properties"], name
        if each["Type"] == "AWS::EC2::SecurityGroupIngress":
            assert "SourceSecurityGroupId" in each["Properties"], name
            assert not {"CidrIp", "CidrIpv6"} & each["Properties"].keys(), name
    assert {n for n in resources(Footprint="small", UiCidr="10.1.0.0/16") if n == "UiDoor"}


@pytest.mark.parametrize(
    "cidr",
    ["", "10.1.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.4.0/24", "100.64.0.0/10",
     "10.9.8.7/32"],
)  # fmt: skip
def test_the_ui_opens_to_private_ranges(cidr: str) -> None:
    assert re.fullmatch(template()["Parameters"]["UiCidr"]["AllowedPattern"], cidr)


@pytest.mark.parametrize(
    "cidr",
    ["0.0.0.0/0", "10.0.0.0/0", "10.0.0.0/7", "172.16.0.0/8", "172.32.0.0/16", "192.168.0.0/8",
     "100.64.0.0/8", "203.0.113.7/32", "10.1.0.0", "10.1.0.0/16,0.0.0.0/0"],
)  # fmt: skip
def test_the_ui_opens_to_nobody_else(cidr: str) -> None:
    """Tasks of the small footprint have public addresses, and the UI has no sign-in."""
    assert not re.fullmatch(template()["Parameters"]["UiCidr"]["AllowedPattern"], cidr)


def test_what_is_billed_by_use_is_used_less() -> None:
    small, standard = SMALL.environment("Code", task="Small"), STANDARD.environment("Code")
    assert (small["EXTRACT_METRICS"], small["EXTRACT_MANIFEST_SECONDS"]) == ("emf-alarms", "60")
    assert (standard["EXTRACT_METRICS"], standard["EXTRACT_MANIFEST_SECONDS"]) == ("emf", "2.5")
    assert "Dashboard" not in resources(Footprint="small")


def test_alarms_logs_and_keys_are_those_of_standard() -> None:
    standard, small = resources(), resources(Footprint="small")
    kinds = ("AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup", "AWS::Events::Rule", "AWS::KMS::Key")
    absent = {name for name, each in standard.items() if each["Type"] in kinds} - small.keys()
    assert absent == {"CodeNotRunning", "WebserverNotRunning"}, "the daemon's service is all three"
    assert small["RunTask"]["Properties"]["TaskRoleArn"] == {"Fn::GetAtt": ["RunRole", "Arn"]}


@pytest.mark.parametrize(("architecture", "platform"), [("ARM64", "arm64"), ("X86_64", "amd64")])
def test_the_image_is_built_for_the_processor_that_it_runs_on(
    architecture: str, platform: str
) -> None:
    parameters = {"Footprint": "small", "CpuArchitecture": architecture, **WAREHOUSES}
    command = Evaluation(**parameters).of(template()["Outputs"]["PushImageNext"]["Value"])
    assert f"--platform linux/{platform} " in command

"""The cost page is what the script prints, and the script knows what the template has."""

from __future__ import annotations

import pytest

from deploy.cost import FOOTPRINTS, LOCATION, Prices, Shape, always_on, month, runs
from deploy.cost_page import page
from extract_project.prices import FargatePrices
from extract_project.telemetry.measures import ALARMED
from extract_project_tests.support.cloudformation.deployable import deployable
from extract_project_tests.support.cloudformation.template import LOCATION as LOCATION_TEMPLATE
from extract_project_tests.support.cloudformation.template import ROOT, Evaluation, template

PARAMETERS = {
    "standard": {"SnowflakeAccount": "acme", "SnowflakeUser": "EXTRACTS"},
    "small": {
        "SnowflakeAccount": "acme",
        "SnowflakeUser": "EXTRACTS",
        "Footprint": "small",
        "CpuArchitecture": "ARM64",
    },
    "none": {
        "SnowflakeAccount": "acme",
        "SnowflakeUser": "EXTRACTS",
        "Footprint": "none",
        "CpuArchitecture": "ARM64",
    },
}


def test_the_page_is_what_the_script_prints() -> None:
    assert (ROOT / "docs" / "cost.md").read_text() == page(Prices(), FOOTPRINTS)


@pytest.mark.parametrize("footprint", PARAMETERS)
def test_the_sizes_are_those_of_the_template(footprint: str) -> None:
    shape = FOOTPRINTS[footprint]
    resources = deployable(ImageDigest="sha256:" + "a" * 64, **PARAMETERS[footprint])["Resources"]

    def of(kind: str) -> dict[str, dict[str, object]]:
        return {n: each["Properties"] for n, each in resources.items() if each["Type"] == kind}

    services = of("AWS::ECS::Service").values()
    assert len(services) == shape.tasks
    address = "ENABLED" if shape.public_addresses else "DISABLED"
    for service in services:
        assert service["DesiredCount"] == 1
        assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == address  # type: ignore[index]
        task = of("AWS::ECS::TaskDefinition")[service["TaskDefinition"]["Ref"]]  # type: ignore[index]
        assert int(str(task["Cpu"])) / 1024 == shape.task_vcpu
        assert int(str(task["Memory"])) / 1024 == shape.task_gb
        processor = {"CpuArchitecture": "ARM64" if shape.arm else "X86_64"}
        assert processor.items() <= task["RuntimePlatform"].items()  # type: ignore[attr-defined]
    endpoints = of("AWS::EC2::VPCEndpoint").values()
    interfaces = [each for each in endpoints if each.get("VpcEndpointType") == "Interface"]
    assert len(interfaces) == shape.endpoints
    assert "AWS::EC2::NatGateway" not in {each["Type"] for each in resources.values()}
    databases = of("AWS::RDS::DBInstance").values()
    assert len(databases) == bool(shape.database)
    for database in databases:
        assert database["DBInstanceClass"] == shape.database
        assert database["MultiAZ"] is shape.standby
        assert int(str(database["AllocatedStorage"])) == shape.database_gb
    assert len(of("AWS::CloudWatch::Alarm")) == shape.alarms
    assert len(of("AWS::SecretsManager::Secret")) == shape.secrets
    assert len(of("AWS::ServiceDiscovery::PrivateDnsNamespace")) == shape.names


def test_a_further_location_adds_what_its_template_has() -> None:
    location = {"Stack": "extracts", "Location": "crm", "ManifestPrefix": "crm-sql"}
    digest = "sha256:" + "a" * 64
    found = deployable(LOCATION_TEMPLATE, ImageDigest=digest, PostgresHost="db", **location)
    kinds = [each["Type"] for each in found["Resources"].values()]
    assert kinds.count("AWS::ECS::Service") == LOCATION.tasks
    assert kinds.count("AWS::CloudWatch::Alarm") == LOCATION.alarms
    assert kinds.count("AWS::SecretsManager::Secret") == LOCATION.secrets
    code = found["Resources"]["CodeTask"]["Properties"]
    assert (int(code["Cpu"]) / 1024, int(code["Memory"]) / 1024) == (
        LOCATION.task_vcpu,
        LOCATION.task_gb,
    )
    paid = {"AWS::EC2::VPCEndpoint", "AWS::RDS::DBInstance", "AWS::KMS::Key"}
    assert not paid & {*kinds}


def test_runs_are_of_the_size_that_a_header_without_one_gets() -> None:
    parameters = template()["Parameters"]
    for shape in FOOTPRINTS.values():
        assert parameters["RunCpu"]["Default"] / 1024 == shape.run_vcpu
        assert parameters["RunMemory"]["Default"] / 1024 == shape.run_gb
        assert parameters["RunDisk"]["Default"] - 20 == shape.run_extra_disk_gb


def test_the_small_footprint_pays_for_what_alarms_read_and_looks_less_often() -> None:
    assert FOOTPRINTS["small"].metrics == len(ALARMED)
    for footprint, parameters in PARAMETERS.items():
        if not FOOTPRINTS[footprint].tasks:
            continue
        environment = Evaluation(**parameters).environment("Run")
        seconds = float(environment["EXTRACT_MANIFEST_SECONDS"])
        assert seconds == FOOTPRINTS[footprint].sensor_seconds


def test_a_month_by_hand() -> None:
    """5,000 tasks a day of one minute, with half a vCPU and one GB, at two round prices."""
    fargate = FargatePrices(vcpu_hour=0.06, gb_hour=0.03, disk_gb_hour=0)
    prices = Prices(fargate, log_gb=0, list_or_put_request=0)
    assert round(runs(prices, Shape(), 5_000, 1), 2) == 152.0
    assert round(sum(always_on(Prices(), Shape()).values())) == 238


def test_a_small_month_of_twenty_extracts_a_day_is_forty_dollars_at_most() -> None:
    assert month(Prices(), FOOTPRINTS["small"], 20) <= 40


def test_without_a_service_twenty_extracts_a_day_are_a_few_dollars() -> None:
    """By hand: 1.60 that stays, and 608 tasks of three minutes at 0.0014."""
    none, prices = FOOTPRINTS["none"], Prices()
    assert sum(always_on(prices, none).values()) == pytest.approx(1 + 0.4 + 0.1 + 0.1)
    task = 0.05 * (0.5 * 0.03238 + 0.00356 + 0.000111 + 0.005)
    more = 0.0001 * 0.5 + 15 * 0.000005 + 0.000001
    assert month(prices, none, 20) == pytest.approx(1.6 + 608 * (task + more))

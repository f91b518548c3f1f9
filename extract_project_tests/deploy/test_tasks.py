"""What runs, with what in its environment, and as whom."""

from __future__ import annotations

import json
import os
import re

import boto3
import pytest
import yaml

from extract_project.settings import load_settings
from extract_project.warehouses import warehouse_fields
from extract_project_tests.support.cloudformation.deployable import deployable, used
from extract_project_tests.support.cloudformation.template import (
    ROOT,
    TEMPLATE,
    Evaluation,
    of_type,
    template,
)

PROCESSES = ("Code", "Webserver", "Daemon", "Run")
SERVICES = ("Code", "Webserver", "Daemon")
DIGEST = "sha256:" + "a" * 64
PARAMETERS = [
    {"SnowflakeAccount": "acme-prod"},
    {"SnowflakeAccount": "acme-prod", "SnowflakeUser": "EXTRACTS"},
    {"PostgresHost": "db.example.com"},
    {"SnowflakeAccount": "acme-prod", "PostgresHost": "db.example.com"},
]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("EXTRACT_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("process", ["Code", "Run"])
def test_settings_are_complete(
    process: str, parameters: dict[str, str], bare: pytest.MonkeyPatch
) -> None:
    environment = Evaluation(ImageDigest=DIGEST, **parameters).environment(process)
    # What Ref and GetAtt give is known to AWS only; a topic is checked for being an ARN.
    environment["EXTRACT_ALERTS__SNS_TOPIC"] = "arn:aws:sns:eu-central-1:123456789012:alerts"
    for name, value in environment.items():
        bare.setenv(name, value)
    loaded = load_settings()
    assert loaded.manifest.uri == "s3://Manifest/sql"
    assert loaded.data.uri == "s3://Data/extracts"
    assert loaded.default_warehouse in loaded.warehouses
    assert len(loaded.warehouses) == len({key[:4] for key in parameters})
    # What was chosen has arrived, and nothing in its place.
    given = {*parameters.values(), "EXTRACT" if "SnowflakeAccount" in parameters else "extract"}
    assert given <= set(environment.values())


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("process", PROCESSES)
def test_every_variable_is_one_that_somebody_reads(
    process: str, parameters: dict[str, str]
) -> None:
    known = set(re.findall(r"EXTRACT_[A-Z_]+", (ROOT / "docs/settings.md").read_text()))
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    known.add(workspace["load_from"][0]["grpc_server"]["host"]["env"])
    environment = Evaluation(**parameters).environment(process)
    for name in environment:
        warehouse = re.fullmatch(r"EXTRACT_WAREHOUSES__([A-Z]+)__([A-Z_]+)", name)
        if warehouse:
            assert warehouse[2] in warehouse_fields(warehouse[1].lower())
        elif name.startswith("EXTRACT_"):
            assert name in known
        else:
            assert name.startswith(("DAGSTER_", "AWS_")) or name == "HOME"


def test_signing_in_to_snowflake_needs_no_secret_unless_a_user_has_a_key() -> None:
    role = Evaluation(SnowflakeAccount="acme").environment("Run")
    assert role["EXTRACT_WAREHOUSES__SNOWFLAKE__WORKLOAD_IDENTITY_PROVIDER"] == "AWS"
    assert not [name for name, value in role.items() if "WarehouseSecret" in value]
    key = Evaluation(SnowflakeAccount="acme", SnowflakeUser="X").environment("Run")
    assert key["EXTRACT_WAREHOUSES__SNOWFLAKE__PRIVATE_KEY"] == (
        "WarehouseSecret:snowflake_private_key::"
    )


LAKE = {"type": "databricks", "host": "acme.databricks.example", "warehouse_id": "1", "token": "t"}


@pytest.mark.parametrize(
    ("parameters", "names", "default"),
    [
        ({"DefaultWarehouse": "lake"}, {"lake"}, "lake"),
        ({"SnowflakeAccount": "acme"}, {"lake", "snowflake"}, "snowflake"),
        ({"PostgresHost": "db", "DefaultWarehouse": "lake"}, {"lake", "postgres"}, "lake"),
    ],
)
@pytest.mark.parametrize("process", ["Code", "Run"])
def test_a_warehouse_of_any_type_is_in_the_secret(
    process: str,
    parameters: dict[str, str],
    names: set[str],
    default: str,
    bare: pytest.MonkeyPatch,
) -> None:
    evaluated = Evaluation(ImageDigest=DIGEST, OtherWarehouses="true", **parameters)
    environment = evaluated.environment(process)
    assert environment["EXTRACT_WAREHOUSES"] == "WarehouseSecret:warehouses::"
    environment["EXTRACT_WAREHOUSES"] = json.dumps({"lake": LAKE})
    environment["EXTRACT_ALERTS__SNS_TOPIC"] = "arn:aws:sns:eu-central-1:123456789012:alerts"
    for name, value in environment.items():
        bare.setenv(name, value)
    loaded = load_settings()
    assert set(loaded.warehouses) == names
    assert loaded.default_warehouse == default
    assert loaded.warehouses["lake"].type == "databricks"


def test_a_warehouse_behind_another_port_is_reached() -> None:
    def ports(group: str, **parameters: str) -> set[object]:
        evaluated = Evaluation(OtherWarehouses="true", DefaultWarehouse="shop", **parameters)
        rules = evaluated.of(of_type("AWS::EC2::SecurityGroup")[group])["SecurityGroupEgress"]
        return {each["FromPort"] for each in rules}

    for group in ("RunGroup", "ServiceGroup"):
        assert "3306" not in map(str, ports(group))
        assert "3306" in map(str, ports(group, WarehousePort="3306"))


@pytest.mark.parametrize("process", PROCESSES)
def test_secrets_come_from_secrets_manager(process: str) -> None:
    everything = Evaluation(SnowflakeAccount="a", SnowflakeUser="u", PostgresHost="h")
    plain = everything.container(process)["Environment"]
    assert not [each for each in plain if re.search("PASSWORD|PRIVATE_KEY|TOKEN", each["Name"])]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_container_is_not_root_and_writes_to_volumes_only(process: str) -> None:
    container = Evaluation(SnowflakeAccount="a").container(process)
    assert container["User"] == "10001:10001"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
    assert container["StopTimeout"] == 120
    volumes = {each["ContainerPath"]: each["SourceVolume"] for each in container["MountPoints"]}
    assert volumes == {"/opt/dagster": "home", "/tmp": "tmp"}
    task = of_type("AWS::ECS::TaskDefinition")[f"{process}Task"]
    assert task["Volumes"] == [{"Name": "home"}, {"Name": "tmp"}]


def test_the_image_owns_the_volumes() -> None:
    """Fargate makes an empty volume root's, unless the image declares it."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'VOLUME ["/opt/dagster", "/tmp"]' in dockerfile
    assert "USER 10001:10001" in dockerfile
    assert "\nENTRYPOINT" not in dockerfile


def test_links_to_logs_are_signed_as_kms_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In older regions the SDK signs links in a way that S3 refuses for objects under KMS keys."""
    dockerfile, dockerignore = ((ROOT / f).read_text() for f in ("Dockerfile", ".dockerignore"))
    assert "AWS_CONFIG_FILE=/opt/extract/aws.cfg" in dockerfile
    assert "COPY deploy/aws.cfg /opt/extract/aws.cfg" in dockerfile
    assert "!deploy/aws.cfg" in dockerignore

    def link() -> str:
        client = boto3.session.Session("id", "secret", region_name="eu-west-1").client("s3")
        return client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})

    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    assert "X-Amz-Algorithm=AWS4" not in link(), "then the file is not needed any more"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(ROOT / "deploy" / "aws.cfg"))
    assert "X-Amz-Algorithm=AWS4" in link()


@pytest.mark.parametrize("process", SERVICES)
def test_a_service_has_a_health_check(process: str) -> None:
    health = Evaluation(SnowflakeAccount="a").container(process)["HealthCheck"]
    assert health["Command"][0] == "CMD"
    assert health["StartPeriod"] >= 120


@pytest.mark.parametrize("process", ["Webserver", "Daemon"])
def test_dagster_is_process_1(process: str) -> None:
    shell, option, script = Evaluation(SnowflakeAccount="a").container(process)["Command"]
    assert (shell, option) == ("sh", "-c")
    assert " && exec dagster-" in script


def test_there_are_never_two_daemons() -> None:
    daemon = of_type("AWS::ECS::Service")["DaemonService"]
    deployment = daemon["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (0, 100)
    assert daemon["DesiredCount"] == {"Fn::If": ["IsRunning", 1, 0]}
    assert of_type("AWS::ApplicationAutoScaling::ScalableTarget") == {}


def test_nothing_runs_before_there_is_an_image() -> None:
    assert not Evaluation().holds("IsRunning")
    assert Evaluation(ImageDigest=DIGEST).holds("IsRunning")
    stopped = Evaluation(ImageDigest=DIGEST, Running="false", SnowflakeAccount="a")
    assert not stopped.holds("IsRunning")
    # A migration is run while nothing else runs, and needs the image.
    assert stopped.container("Daemon")["Image"].endswith(DIGEST)
    image = Evaluation(ImageDigest=DIGEST, SnowflakeAccount="a").container("Run")["Image"]
    assert image == f"Images.RepositoryUri@{DIGEST}"


def test_services_start_one_after_another() -> None:
    resources = template()["Resources"]
    assert "CodeService" in resources["WebserverService"]["DependsOn"]
    assert "WebserverService" in used(deployable(**PARAMETERS[0])["Resources"]["DaemonService"])


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_private_and_roll_back(service: str) -> None:
    properties = of_type("AWS::ECS::Service")[f"{service}Service"]
    network = Evaluation().of(properties["NetworkConfiguration"]["AwsvpcConfiguration"])
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["Subnets"] == ["SubnetA", "SubnetB"]
    breaker = properties["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
    assert breaker == {"Enable": True, "Rollback": True}
    assert f"{service}NotRunning" in of_type("AWS::CloudWatch::Alarm")


def test_every_alarm_is_told_to_somebody() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert {"RunsDied", "DatabaseStorage", "DatabaseCpu"} < alarms.keys()
    assert all(each["AlarmActions"] == [{"Ref": "Alerts"}] for each in alarms.values())


def test_logs_are_encrypted_and_go_some_day() -> None:
    for group in of_type("AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] == {"Ref": "LogDays"}
        assert group["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}


def test_every_parameter_but_the_warehouse_has_a_default_that_works() -> None:
    assert all("Default" in each for each in template()["Parameters"].values())
    assert not Evaluation().holds("HasNat")
    rule = template()["Rules"]["SomeWarehouse"]
    assert len(rule["Assertions"]) == 1


def test_the_template_is_self_contained_and_within_the_limit_of_a_bucket() -> None:
    """Over the 51,200 bytes that a request takes: docs/deploy.md says why, and what to do."""
    text = TEMPLATE.read_text()
    assert 51_200 < len(text.encode()) < 150_000
    assert "--s3-bucket" in (ROOT / "docs" / "deploy.md").read_text()
    kinds = {each["Type"] for each in template()["Resources"].values()}
    assert not {kind for kind in kinds if "Lambda" in kind or kind.startswith("Custom::")}
    assert "AssetParameters" not in text
    assert "/cdk-bootstrap/" not in text

"""The committed template deployed onto moto, and what it made asked through the AWS API."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation import parsing

from extract_project.layout import PAGES
from extract_project_tests.support.cloudformation.deployable import deployable, used
from extract_project_tests.support.cloudformation.deployed import (
    SECRETS,
    STACK,
    Deployed,
    Launching,
    deployed,
    launcher_of,
    launching_of,
    written_launcher,
)
from extract_project_tests.support.cloudformation.double import BY_HALF, UNKNOWN
from extract_project_tests.support.cloudformation.makers import MAKERS
from extract_project_tests.support.cloudformation.template import LOCATION, ROOT, TEMPLATE, template
from extract_project_tests.support.commands import PROGRAM, call
from extract_project_tests.support.scheduler import schedules, tick
from extract_project_tests.support.waiting import await_value

OLD, NEW = ("sha256:" + digit * 64 for digit in "ab")
KEY_PAIR = {"SnowflakeAccount": "acme", "SnowflakeUser": "EXTRACTS"}
ROLE = {"SnowflakeAccount": "acme"}
POSTGRES = {"PostgresHost": "db.example.com"}
NONE = {
    "PostgresHost": "127.0.0.1",
    "PostgresPort": "1",
    "Footprint": "none",
    "ImageDigest": OLD,
}
SMALL = {**KEY_PAIR, "Footprint": "small", "CpuArchitecture": "ARM64", "ImageDigest": OLD}
EVERYTHING = {
    **KEY_PAIR,
    **POSTGRES,
    "ImageDigest": OLD,
    "Nat": "true",
    "PrivateLinkService": "com.amazonaws.vpce.us-east-1.vpce-svc-1",
    "UiCidr": "10.1.0.0/16",
    "AlarmEmail": "oncall@example.com",
    "Destinations": '{"crm": {"url": "s3://acme-crm/inbound"}}',
    "DestinationRoles": "arn:aws:iam::210987654321:role/extracts-from-data",
    "GlueDatabase": "extracts",
    "SnowflakeIntegration": "EXTRACTS",
    "SnowflakeIntegrationUser": "arn:aws:iam::210987654321:user/snowflake",
    "SnowflakeIntegrationId": "ACME_SFCRole=1_x",
    "RedshiftRole": "true",
    "FurtherLocations": "crm",
}
IN_SMALL = {**EVERYTHING, "Footprint": "small", "FurtherLocations": ""}
NAMELESS = {"AWS::EC2::SecurityGroupIngress"}
"""moto gives no id of it."""
SETTINGS = (
    "from extract_project.settings import load_settings; s = load_settings();"
    "print(s.data.uri, s.warehouses['postgres'].password.get_secret_value(),"
    "s.warehouses['snowflake'].private_key.get_secret_value(),"
    "s.destinations['crm'].url, s.glue_database, sep='\\n')"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("ecs"), **EVERYTHING) as made:
        made.fill_secret()
        yield made


def test_what_is_made_by_hand_is_what_moto_does_not_make() -> None:
    """A type that moto has learned comes off the list."""
    known = parsing.get_model_map().keys()
    needed = {
        each["Type"]
        for path in (TEMPLATE, LOCATION)
        for each in template(path)["Resources"].values()
    }
    assert needed - known == UNKNOWN.keys()
    assert known & needed >= BY_HALF.keys()
    assert MAKERS.keys() == UNKNOWN.keys() | BY_HALF.keys()


def test_what_stays_does_not_stand_on_what_goes() -> None:
    """CloudFormation cannot delete a subnet group of a database that it is told to keep."""
    resources = deployable(**EVERYTHING)["Resources"]
    kept = {name for name, each in resources.items() if each.get("DeletionPolicy") == "Retain"}
    assert {"Manifest", "Data", "Key", "Database", "Images"} < kept
    assert {name for each in kept for name in used(resources[each])} <= kept


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "absent"),
    [
        (KEY_PAIR, {"NatGateway", "AlertMail", "UiDoor"}),
        ({**ROLE, "Nat": "true"}, {"WarehouseSecret"}),
        ({**POSTGRES, "ImageDigest": OLD}, {"NatGateway"}),
        (SMALL, {"NatGateway", "LogsEndpoint", "CodeService", "WebserverService"}),
    ],
    ids=["key pair, no image", "workload identity and NAT", "postgres only", "small"],
)
def test_a_deployment_is_complete(
    tmp_path: Path, parameters: dict[str, str], absent: set[str]
) -> None:
    with deployed(tmp_path, **parameters) as made:
        _require_complete(made, parameters)
        assert not absent & made.ids.keys()
        services = [each for name, each in made.ids.items() if name.endswith("Service")]
        reply = made.client("ecs").describe_services(
            cluster=made.ids["Cluster"], services=services
        )["services"]
        count = 1 if "ImageDigest" in parameters else 0
        number = 1 if "Footprint" in parameters else 3
        assert [each["desiredCount"] for each in reply] == [count] * number


def _require_complete(made: Deployed, parameters: Mapping[str, str]) -> None:
    assert made.described["StackStatus"] == "CREATE_COMPLETE"
    wanted = deployable(**parameters)
    assert made.ids.keys() == wanted["Resources"].keys()
    nameless = {name for name, each in made.ids.items() if not each}
    assert {wanted["Resources"][name]["Type"] for name in nameless} <= NAMELESS
    assert made.outputs.keys() == wanted["Outputs"].keys()
    assert not re.search(r"\$\{|None|<moto|!Ref", " ".join(made.outputs.values()))


@pytest.mark.slow
def test_without_a_service_a_schedule_starts_a_run_that_tells_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outputs have the settings; the warehouse is one that does not answer."""
    text = "/*---\n{schedule: daily at 06:00, retries: {max: 0}}\n---*/\nselect 1 as n"
    with deployed(tmp_path, **NONE) as made:
        _require_complete(made, NONE)
        kinds = {each["Type"] for each in deployable(**NONE)["Resources"].values()}
        assert not kinds & {"AWS::ECS::Service", "AWS::RDS::DBInstance", "AWS::EC2::NatGateway"}
        made.fill_secret()
        environment = made.environment("Run")
        assert not {each for each in environment if each.startswith("DAGSTER_")}
        *words, program, command = shlex.split(made.outputs["SchedulesNext"])
        assert program == "extract"
        settings = dict(word.split("=", 1) for word in words)
        inherited = {name: each for name, each in environment.items() if name.startswith("EXTRACT")}
        password = {"EXTRACT_WAREHOUSES__POSTGRES__PASSWORD": "secret"}
        for name, value in {**inherited, **settings, **password, **made.ecs.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}")
        key = f"{environment['EXTRACT_MANIFEST'].rpartition('/')[2]}/a/b.sql"
        for bucket in ("Manifest", "Data"):  # moto reads no conditions of policies
            made.client("s3").delete_bucket_policy(Bucket=made.ids[bucket])
        made.client("s3").put_object(Bucket=made.ids["Manifest"], Key=key, Body=text.encode())
        told = made.client("sqs").create_queue(QueueName="told")["QueueUrl"]
        queue = "arn:aws:sqs:us-east-1:123456789012:told"
        made.client("sns").subscribe(TopicArn=made.ids["Alerts"], Protocol="sqs", Endpoint=queue)
        assert call(command, "--yes").exit_code == 0
        (schedule,) = schedules(made.ecs, STACK).values()
        assert schedule["ScheduleExpression"] == "cron(0 6 * * ? *)"
        arn = tick(made.ecs, schedule, datetime(2026, 1, 5, 6, tzinfo=UTC))
        ended = await_value(
            "the task", lambda: (t := made.ecs.task(arn))["lastStatus"] == "STOPPED" and t
        )
        log = (made.ecs.directory / f"{arn.rpartition('/')[2]}.log").read_text()
        assert ended["containers"][0]["exitCode"] == 1, log
        (message,) = made.client("sqs").receive_message(QueueUrl=told)["Messages"]
        assert "extract materialize a/b" in json.loads(message["Body"])["Message"]


def test_everything_at_once_is_complete(stack: Deployed) -> None:
    _require_complete(stack, EVERYTHING)
    elsewhere = {
        name
        for name, each in template()["Resources"].items()
        if each.get("Condition") in ("IsSmall", "IsNone", "IsPublic")
    }
    assert stack.ids.keys() | elsewhere == template()["Resources"].keys()


@pytest.mark.parametrize("name", ["Manifest", "Data", "Logs"])
def test_a_bucket_is_as_s3_tells_it(stack: Deployed, name: str) -> None:
    s3, bucket = stack.client("s3"), stack.ids[name]
    key = stack.client("kms").describe_key(KeyId=stack.ids["Key"])["KeyMetadata"]["Arn"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": key,
    }
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    told = {each["ID"]: each for each in rules}
    aborting = told.pop("abort-incomplete-uploads")
    assert aborting["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    pages = [told.pop(each) for each in list(told) if each.startswith("old-pages-")]
    assert all(each["NoncurrentVersionExpiration"]["NoncurrentDays"] == 1 for each in pages)
    assert len(pages) == (len(PAGES) if name == "Data" else 0)
    if name == "Logs":
        assert [each["Expiration"] for each in told.values()] == [{"Days": 365}]
    else:
        assert told.keys() == {"old-versions"} | (
            {"old-unloaded-parts"} if name == "Data" else set()
        )
        for each in told.values():
            assert "Expiration" not in each
            # How many stay beyond that is taken, and not told, by moto.
            assert each["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    arn = f"arn:aws:s3:::{bucket}"
    assert all(each["Resource"] == [arn, f"{arn}/*"] for each in policy["Statement"])


def test_the_database_is_as_rds_tells_it(stack: Deployed) -> None:
    (found,) = stack.client("rds").describe_db_instances()["DBInstances"]
    assert (found["DeletionProtection"], found["StorageEncrypted"]) == (True, True)
    assert (found["BackupRetentionPeriod"], found["MultiAZ"]) == (14, True)
    assert found["PubliclyAccessible"] is False
    subnets = [each["SubnetIdentifier"] for each in found["DBSubnetGroup"]["Subnets"]]
    assert set(subnets) == {stack.ids["SubnetA"], stack.ids["SubnetB"]}
    for process in ("Code", "Webserver", "Daemon", "Run"):
        host = stack.environment(process)["DAGSTER_POSTGRES_HOST"]
        assert host == found["Endpoint"]["Address"]


def test_subnets_are_apart_and_in_the_vpc(stack: Deployed) -> None:
    wanted = [stack.ids[name] for name in ("SubnetA", "SubnetB", "PublicSubnet")]
    found = stack.client("ec2").describe_subnets(SubnetIds=wanted)["Subnets"]
    blocks = {each["SubnetId"]: each["CidrBlock"] for each in found}
    assert [blocks[each] for each in wanted] == ["10.42.0.0/24", "10.42.1.0/24", "10.42.2.0/24"]
    zones = {each["SubnetId"]: each["AvailabilityZone"] for each in found}
    assert zones[stack.ids["SubnetA"]] != zones[stack.ids["SubnetB"]]


@pytest.mark.parametrize(
    ("process", "cpu", "memory"),
    [("Code", "512", "2048"), ("Webserver", "512", "2048"), ("Daemon", "512", "2048"),
     ("Run", "512", "1024")],
)  # fmt: skip
def test_a_task_is_as_ecs_tells_it(stack: Deployed, process: str, cpu: str, memory: str) -> None:
    task, (container,) = stack.task(process), stack.task(process)["containerDefinitions"]
    assert (task["cpu"], task["memory"]) == (cpu, memory)
    assert task["requiresCompatibilities"] == ["FARGATE"]
    repository, digest = container["image"].split("@")
    assert digest == OLD
    uris = [each["repositoryUri"] for each in
            stack.client("ecr").describe_repositories()["repositories"]]  # fmt: skip
    assert [repository] == uris
    roles = {each["Arn"] for each in stack.client("iam").list_roles()["Roles"]}
    assert {task["taskRoleArn"], task["executionRoleArn"]} <= roles
    options = container["logConfiguration"]["options"]
    groups = stack.client("logs").describe_log_groups()["logGroups"]
    (group,) = [each for each in groups if each["logGroupName"] == options["awslogs-group"]]
    assert (group["retentionInDays"], "kmsKeyId" in group) == (365, True)


def test_what_runs_reads_its_settings_and_secrets(stack: Deployed) -> None:
    """The run task with another command, as docs/deploy.md runs the doctor."""
    network = written_launcher(stack)["config"]["run_task_kwargs"]["networkConfiguration"]
    override = {"name": "run", "command": [sys.executable, "-c", SETTINGS]}
    reply = stack.client("ecs").run_task(
        cluster=stack.ids["Cluster"],
        taskDefinition="extracts-run",
        launchType="FARGATE",
        networkConfiguration=network,
        overrides={"containerOverrides": [override]},
    )
    (task,) = reply["tasks"]
    id = task["taskArn"].rpartition("/")[2]

    def ended() -> bool:
        found = stack.client("ecs").describe_tasks(
            cluster=stack.ids["Cluster"], tasks=[task["taskArn"]]
        )
        return bool(found["tasks"][0]["lastStatus"] == "STOPPED")

    await_value("the task to end", ended)
    # Its output is where the template has it go.
    events = stack.client("logs").get_log_events(
        logGroupName=stack.ids["RunLogs"], logStreamName=f"run/run/{id}"
    )["events"]
    assert [each["message"] for each in events] == [
        f"s3://{stack.ids['Data']}/extracts",
        SECRETS["postgres_password"],
        SECRETS["snowflake_private_key"],
        "s3://acme-crm/inbound",
        "extracts",
    ]


def test_the_command_that_pushes_sql_works(stack: Deployed, tmp_path: Path) -> None:
    """As printed, in a shell; from a directory with SQL files in it."""
    (tmp_path / "sql_manifest" / "sales").mkdir(parents=True)
    (tmp_path / "sql_manifest" / "sales" / "orders.sql").write_text("select 1 as i")
    code = stack.environment("Code").items()
    warehouses = {name: value for name, value in code if name.startswith("EXTRACT_WAREHOUSE")}
    warehouses["EXTRACT_WAREHOUSES__POSTGRES__PASSWORD"] = "not asked"
    warehouses["EXTRACT_WAREHOUSES__SNOWFLAKE__PRIVATE_KEY"] = "not asked"
    # moto takes the statements that deny what is not TLS, and leaves their conditions out.
    stack.client("s3").delete_bucket_policy(Bucket=stack.ids["Manifest"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", stack.outputs["PushSqlNext"]],
        cwd=tmp_path,
        env={"PATH": path, "PYTHONPATH": str(ROOT), **warehouses, **stack.ecs.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    objects = stack.client("s3").list_objects_v2(Bucket=stack.ids["Manifest"])["Contents"]
    assert [each["Key"] for each in objects] == ["sql/sales/orders.sql"]


def test_the_command_that_starts_has_a_bucket_for_the_template(stack: Deployed) -> None:
    """Over 51,200 bytes, `aws cloudformation deploy` refuses to go without."""
    words = shlex.split(stack.outputs["StartNext"])
    assert words[words.index("--s3-bucket") + 1] == stack.ids["Logs"]
    assert words[words.index("--stack-name") + 1] == STACK


@pytest.fixture
def launching(stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launching]:
    with launching_of(stack, monkeypatch) as made:
        yield made


def test_the_deployed_launcher_launches(stack: Deployed, launching: Launching) -> None:
    run = launching.launch()
    (task,) = stack.client("ecs").describe_tasks(
        cluster=stack.ids["Cluster"], tasks=[run.tags["ecs/task_arn"]]
    )["tasks"]
    assert task["taskDefinitionArn"] == stack.ids["RunTask"]
    assert (task["cpu"], task["memory"]) == ("512", "3072")
    (override,) = task["overrides"]["containerOverrides"]
    assert override["command"][:3] == ["dagster", "api", "execute_run"]
    details = {e["name"]: e["value"] for a in task["attachments"] for e in a["details"]}
    assert details["subnetId"] in (stack.ids["SubnetA"], stack.ids["SubnetB"])


def test_another_image_changes_tasks_and_services_only(
    stack: Deployed, launching: Launching
) -> None:
    before = stack.ids
    stack.update(**{**EVERYTHING, "ImageDigest": NEW})
    after = stack.ids
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"CodeTask", "WebserverTask", "DaemonTask", "RunTask"}
    for process in ("Code", "Webserver", "Daemon"):
        (service,) = stack.client("ecs").describe_services(
            cluster=after["Cluster"], services=[after[f"{process}Service"]]
        )["services"]
        assert service["taskDefinition"] == after[f"{process}Task"]
        (container,) = stack.task(process)["containerDefinitions"]
        assert container["image"].endswith(NEW)
    assert launcher_of(stack).task_definition == after["RunTask"]
    # A run of several that began before the update still starts its tasks, with its image.
    old = stack.client("ecs").describe_task_definition(taskDefinition=before["RunTask"])
    assert old["taskDefinition"]["status"] == "ACTIVE"
    run = launching.launch()
    (task,) = stack.client("ecs").describe_tasks(
        cluster=after["Cluster"], tasks=[run.tags["ecs/task_arn"]]
    )["tasks"]
    assert task["taskDefinitionArn"] == before["RunTask"]


def test_deleting_the_stack_keeps_what_cannot_be_made_again(tmp_path: Path) -> None:
    with deployed(tmp_path, **KEY_PAIR) as made:
        kept = made.ids
        made.client("cloudformation").delete_stack(StackName=STACK)
        (summary,) = made.client("cloudformation").list_stacks()["StackSummaries"]
        assert summary["StackStatus"] == "DELETE_COMPLETE"
        s3 = made.client("s3")
        buckets = {each["Name"] for each in s3.list_buckets()["Buckets"]}
        assert buckets == {kept[name] for name in ("Manifest", "Data", "Logs")}
        for name in ("Manifest", "Data"):
            policy = json.loads(s3.get_bucket_policy(Bucket=kept[name])["Policy"])
            assert "HistoryStays" in [each["Sid"] for each in policy["Statement"]]
        assert len(made.client("rds").describe_db_instances()["DBInstances"]) == 1
        names = made.client("secretsmanager").list_secrets()["SecretList"]
        assert {each["ARN"] for each in names} == {kept["DatabaseSecret"], kept["WarehouseSecret"]}


@contextmanager
def _with_history(directory: Path, **parameters: str) -> Iterator[Deployed]:
    """A deployment, of which the same must be there in the end."""
    with deployed(directory, **parameters) as made:
        before, s3, rds = made.ids, made.client("s3"), made.client("rds")
        # moto takes the statements that deny what is not TLS, and leaves their conditions out.
        s3.delete_bucket_policy(Bucket=before["Data"])
        version = s3.put_object(Bucket=before["Data"], Key="extracts/a.parquet", Body=b"rows")
        (database,) = rds.describe_db_instances()["DBInstances"]
        yield made
        _require_history(made, before, version["VersionId"], database)


def test_from_standard_to_small_history_stays(tmp_path: Path) -> None:
    with _with_history(tmp_path, **EVERYTHING) as made:
        before = made.ids
        made.update(**IN_SMALL)
        (database,) = made.client("rds").describe_db_instances()["DBInstances"]
        assert (database["DBInstanceClass"], database["MultiAZ"]) == ("db.t4g.micro", False)
        (service,) = _services(made)
        assert service["serviceArn"] == before["DaemonService"], "another would be a second daemon"
        assert service["taskDefinition"] == made.ids["SmallTask"]
        (network,) = service["networkConfiguration"].values()
        assert network["assignPublicIp"] == "ENABLED"
        _require_way_out(made, network["subnets"])
        _require_closed(made, network["securityGroups"])
        containers = made.task("Small")["containerDefinitions"]
        assert [each["name"] for each in containers] == ["code", "webserver", "daemon"]
        assert _paid_endpoints(made) == {before["SnowflakeEndpoint"]}


def test_from_small_to_standard_history_stays(tmp_path: Path) -> None:
    """In a stack of its own: moto does not make again what an update has removed."""
    with _with_history(tmp_path, **IN_SMALL) as made:
        before = made.ids["DaemonService"]
        made.update(**EVERYTHING)
        (database,) = made.client("rds").describe_db_instances()["DBInstances"]
        assert (database["DBInstanceClass"], database["MultiAZ"]) == ("db.t4g.small", True)
        services = {each["serviceArn"]: each for each in _services(made)}
        assert len(services) == 3
        assert services[before]["taskDefinition"] == made.ids["DaemonTask"]
        addresses = {
            each["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"]
            for each in services.values()
        }
        assert addresses == {"DISABLED"}
        assert len(_paid_endpoints(made)) == 9


def _require_history(
    made: Deployed, before: Mapping[str, str], version: str, database: Mapping[str, Any]
) -> None:
    resources = template()["Resources"]
    kept = {name for name, each in resources.items() if each.get("DeletionPolicy") == "Retain"}
    after = made.ids
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    found = made.client("s3").get_object(
        Bucket=after["Data"], Key="extracts/a.parquet", VersionId=version
    )
    assert found["Body"].read() == b"rows"
    (now,) = made.client("rds").describe_db_instances()["DBInstances"]
    same = ("DBInstanceIdentifier", "InstanceCreateTime", "Endpoint", "DBSubnetGroup")
    assert {key: now[key] for key in same} == {key: database[key] for key in same}


def _services(made: Deployed) -> list[dict[str, Any]]:
    ecs, cluster = made.client("ecs"), made.ids["Cluster"]
    names = ecs.list_services(cluster=cluster)["serviceArns"]
    found = ecs.describe_services(cluster=cluster, services=names)["services"]
    return [dict(each) for each in found if each["status"] == "ACTIVE"]


def _require_way_out(made: Deployed, subnets: list[str]) -> None:
    for subnet in subnets:
        of = [{"Name": "association.subnet-id", "Values": [subnet]}]
        (table,) = made.client("ec2").describe_route_tables(Filters=of)["RouteTables"]
        targets = {each.get("DestinationCidrBlock"): each for each in table["Routes"]}
        assert targets["0.0.0.0/0"]["GatewayId"] == made.ids["Internet"]
        (gateway,) = made.client("ec2").describe_vpc_endpoints(
            VpcEndpointIds=[made.ids["S3Endpoint"]]
        )["VpcEndpoints"]
        assert table["RouteTableId"] in gateway["RouteTableIds"]


def _require_closed(made: Deployed, groups: list[str]) -> None:
    """Only who is in UiCidr gets in, to the UI."""
    for group in made.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]:
        ranges = [
            (each["FromPort"], each["ToPort"], range_["CidrIp"])
            for each in group["IpPermissions"]
            for range_ in each["IpRanges"]
        ]
        assert ranges == [(3000, 3000, EVERYTHING["UiCidr"])]


def _paid_endpoints(made: Deployed) -> set[str]:
    found = made.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    return {
        each["VpcEndpointId"]
        for each in found
        if each["VpcEndpointType"] == "Interface" and each["State"] != "deleted"
    }

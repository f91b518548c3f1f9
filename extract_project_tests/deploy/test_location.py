"""A further code location: what its template takes from the first stack, and what it may do."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from extract_project.settings import load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.cloudformation.deployable import deployable
from extract_project_tests.support.cloudformation.deployed import Deployed, deployed, launching_of
from extract_project_tests.support.cloudformation.template import (
    LOCATION,
    TEMPLATE,
    Evaluation,
    listed,
    of_type,
    template,
)
from extract_project_tests.support.commands import call

DIGEST = "sha256:" + "a" * 64
FIRST = {"SnowflakeAccount": "acme", "ImageDigest": DIGEST, "FurtherLocations": "hr,crm"}
CRM = {
    "Stack": "extracts",
    "Location": "crm",
    "ManifestPrefix": "crm-sql",
    "ImageDigest": DIGEST,
    "PostgresHost": "db.example.com",
    "UpstreamManifests": "s3://acme-sql/sql",
}
IMPORT = "Fn::ImportValue"


def imports(value: Any) -> set[str]:
    """The exports that a part of a template names."""
    if isinstance(value, list):
        return {name for each in value for name in imports(each)}
    if not isinstance(value, dict):
        return set()
    own = {value[IMPORT]["Fn::Sub"].removeprefix("${Stack}-")} if IMPORT in value else set()
    return own | {name for each in value.values() for name in imports(each)}


def exports() -> dict[str, dict[str, Any]]:
    """The outputs of the first stack for further ones, by the names of their exports."""
    return {
        each["Export"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): each
        for each in template()["Outputs"].values()
        if "Export" in each
    }


def statements(role: str) -> list[dict[str, Any]]:
    (own,) = of_type("AWS::IAM::Role", LOCATION)[role]["Policies"]
    evaluated = Evaluation(LOCATION, **CRM)
    found: list[dict[str, Any]] = evaluated.of(own["PolicyDocument"]["Statement"])
    return found


def test_each_import_is_an_export_and_each_export_is_imported() -> None:
    assert exports().keys() == imports(template(LOCATION))
    conditions = {each["Condition"] for each in exports().values()}
    assert conditions == {"HasFurtherLocations"}


def test_no_export_changes_in_the_life_of_the_first_stack() -> None:
    """CloudFormation refuses to change one that is in use: a database that is restored is another
    one, so its address is none."""
    names = [
        next(iter(each["Value"].values())) for each in exports().values()
    ]  # of Ref, or of Fn::GetAtt
    exported = {name[0] if isinstance(name, list) else name for name in names}
    assert "Database" not in exported
    assert not {name for name in exported if name.endswith(("Task", "Service"))}
    for process in ("Code", "Run"):
        host = Evaluation(LOCATION, **CRM).environment(process)["DAGSTER_POSTGRES_HOST"]
        zone = of_type("AWS::ServiceDiscovery::PrivateDnsNamespace")["Names"]["Name"]
        name = of_type("AWS::ServiceDiscovery::Service")["DatabaseName"]
        assert host == f"{name['Name']}.{zone}"
        assert name["DnsConfig"]["DnsRecords"] == [{"Type": "CNAME", "TTL": 10}]


@pytest.mark.parametrize(
    ("footprint", "further", "fits"),
    [("standard", "crm", True), ("small", "crm", False), ("none", "crm", False),
     ("small", "", True), ("none", "", True)],
)  # fmt: skip
def test_further_locations_need_the_standard_footprint(
    footprint: str, further: str, fits: bool
) -> None:
    (rule,) = template()["Rules"]["FurtherLocationsAreStandard"]["Assertions"]
    evaluated = Evaluation(Footprint=footprint, FurtherLocations=further)
    assert evaluated.holds(rule["Assert"]) is fits
    assert "Footprint=standard" in rule["AssertDescription"]


@pytest.mark.parametrize("process", ["Webserver", "Daemon"])
def test_webserver_and_daemon_load_each_location_at_its_name(process: str, tmp_path: Path) -> None:
    zone = of_type("AWS::ServiceDiscovery::PrivateDnsNamespace")["Names"]["Name"]
    (_, _, script) = Evaluation(**FIRST).container(process)["Command"]
    _, written, started = script.split(" && ")
    command, _, file = written.partition(" > ")
    words = shlex.split(command)
    assert words[0] == "extract"
    loads = yaml.safe_load(call(*words[1:]).stdout)["load_from"]
    servers = {each["grpc_server"]["location_name"]: each["grpc_server"] for each in loads}
    assert {name: each["host"] for name, each in servers.items()} == {
        name: f"{name}.{zone}" for name in ("hr", "crm")
    }
    for each in servers.values():
        (mapping,) = Evaluation(LOCATION, **CRM).container("Code")["PortMappings"]
        assert each["port"] == mapping["ContainerPort"]
    assert f"-w /opt/extract/workspace.yaml -w {file}" in started
    assert of_type("AWS::ServiceDiscovery::Service", LOCATION)["CodeName"]["Name"] == {
        "Ref": "Location"
    }


@pytest.mark.parametrize("name", ["crm", "crm-2", "a"])
def test_a_name_is_a_host_and_a_folder(name: str) -> None:
    first, further = (
        template(path)["Parameters"][parameter]["AllowedPattern"]
        for path, parameter in ((TEMPLATE, "FurtherLocations"), (LOCATION, "Location"))
    )
    assert re.fullmatch(further, name)
    assert re.fullmatch(first, f"{name},hr")


@pytest.mark.parametrize(
    "name", ["", "CRM", "crm_2", "2", "a.b", "a b", "catalog", "code", "database", "webserver"]
)
def test_other_names_are_refused(name: str) -> None:
    assert not re.fullmatch(template(LOCATION)["Parameters"]["Location"]["AllowedPattern"], name)
    pattern = template()["Parameters"]["FurtherLocations"]["AllowedPattern"]
    assert not re.fullmatch(pattern, f"hr,{name}")


def test_settings_are_those_of_the_location(monkeypatch: pytest.MonkeyPatch) -> None:
    for process in ("Code", "Run"):
        environment = Evaluation(LOCATION, **CRM).environment(process)
        environment["EXTRACT_ALERTS__SNS_TOPIC"] = "arn:aws:sns:eu-central-1:123456789012:alerts"
        for name, value in environment.items():
            # A bucket's name has no capitals; its name is that of its export here.
            monkeypatch.setenv(name, value.lower() if value.startswith("s3://") else value)
        loaded = load_settings()
        assert loaded.location == "crm"
        assert loaded.manifest.uri == "s3://extracts-manifest/crm-sql"
        assert loaded.data.uri == "s3://extracts-data/extracts-dataprefix"
        assert [each.uri for each in loaded.upstream_manifests] == ["s3://acme-sql/sql"]
        assert set(loaded.warehouses) == {"postgres"}


def test_a_run_may_write_what_it_writes_and_nothing_of_another_location(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objects of real runs, against the rights of their role."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    parts = "/*---\nsplit: {rows: 2}\n---*/\nselect i from range(4) t(i)"
    days = "/*---\npartitions: {type: daily, start: 2026-01-01}\n---*/\nselect :partition_key as d"
    site.put_sql("crm/orders", "select 1 as n")
    site.put_sql("crm/parts", parts)
    site.put_sql("crm/a/days", days)
    assert call("materialize", "crm/orders", "crm/parts").exit_code == 0
    assert call("materialize", "crm/a/days", "--partition", "2026-01-01").exit_code == 0
    keys = {each["Key"] for each in site.s3.list_objects_v2(Bucket=site.data.bucket)["Contents"]}
    assert any("/part-" in key for key in keys)
    written = {key for key in keys if ".extract/snapshots" not in key}
    (publishing,) = [each for each in statements("RunRole") if each["Sid"] == "Publish"]
    patterns = [
        each.replace("extracts-DataArn/extracts-DataPrefix", "extracts")
        for each in listed(publishing["Resource"])
    ]

    def allowed(key: str) -> bool:
        return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)

    assert [key for key in sorted(written) if not allowed(key)] == []
    tried = [folder.key(".extract-doctor/1") for folder in (site.data, site.state)]
    assert all(map(allowed, tried)), "extract doctor is run with these rights"
    of_others = ["extracts/hr/orders.parquet", "extracts/catalog/index.html",
                 "extracts/.extract/receipts/hr/orders.parquet/1.json", "extracts/orders.parquet",
                 "extracts/crm.parquet", "extracts/crm-2/orders.parquet"]  # fmt: skip
    assert [key for key in of_others if allowed(key)] == []


def test_other_manifests_need_no_right_but_to_the_snapshots() -> None:
    """Which are in the state that all locations share."""
    granted = {
        each["Sid"]: listed(each["Resource"])
        for each in statements("CodeRole")
        if "s3:GetObject" in listed(each["Action"])
    }
    assert granted.pop("State") == ["extracts-DataArn/extracts-DataPrefix/.extract/*"]
    assert granted.pop("ReadSql") == ["extracts-ManifestArn/crm-sql/*"]
    assert granted.keys() == {"ReadExtracts", "LogObjects"}
    state = f"{load_settings_state()}/"
    assert state == "s3://extracts-data/extracts-dataprefix/.extract/"


def load_settings_state() -> str:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Evaluation(LOCATION, **CRM).environment("Code").items():
            patch.setenv(name, value.lower() if value.startswith("s3://") else value)
        patch.setenv("EXTRACT_ALERTS__SNS_TOPIC", "arn:aws:sns:eu-central-1:123456789012:alerts")
        return load_settings().state_location.uri


def test_roles_are_those_of_the_first_stack() -> None:
    """But for the folder, what may be done is the same."""

    def rights(path: Path, role: str) -> set[tuple[str, str]]:
        (own,) = of_type("AWS::IAM::Role", path)[role]["Policies"]
        more = of_type("AWS::IAM::RolePolicy", path).values()
        added = [each for each in more if each["RoleName"] == {"Ref": role}]
        return {
            (each["Sid"], action)
            for policy in [own, *added]
            for each in policy["PolicyDocument"]["Statement"]
            for action in listed(each["Action"])
        }

    first, further = (of_type("AWS::IAM::Role", path) for path in (TEMPLATE, LOCATION))
    assert further.keys() < first.keys()
    assert further.keys() == {"CodeRole", "CodeExecutionRole", "RunRole", "RunExecutionRole",
                              "UnloadRole", "RedshiftUnloadRole"}  # fmt: skip
    for role in further:
        more = rights(LOCATION, role) - rights(TEMPLATE, role)
        assert more == ({("ReadState", "s3:GetObject")} if role == "RunRole" else set())


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployed, Deployed]]:
    with deployed(tmp_path_factory.mktemp("ecs"), **FIRST) as first:
        yield first, first.add("extracts-crm", LOCATION, **CRM)


def test_a_deployment_is_complete(stacks: tuple[Deployed, Deployed]) -> None:
    _, crm = stacks
    assert crm.described["StackStatus"] == "CREATE_COMPLETE"
    wanted = deployable(LOCATION, **CRM)
    assert crm.ids.keys() == wanted["Resources"].keys()
    assert crm.outputs.keys() == wanted["Outputs"].keys()
    assert not re.search(r"\$\{|None|<moto|!Ref|Fn::", " ".join(crm.outputs.values()))
    assert f"--stack-name {crm.name} " in crm.outputs["StartNext"]


def test_the_code_server_is_private_and_only_webserver_and_daemon_reach_it(
    stacks: tuple[Deployed, Deployed],
) -> None:
    first, crm = stacks
    (service,) = crm.client("ecs").describe_services(
        cluster=first.ids["Cluster"], services=[crm.ids["CodeService"]]
    )["services"]
    assert service["desiredCount"] == 1
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    assert network["subnets"] == [first.ids["SubnetA"], first.ids["SubnetB"]]
    assert network["securityGroups"] == [crm.ids["CodeGroup"]]
    groups = crm.client("ec2").describe_security_groups(GroupIds=network["securityGroups"])
    (group,) = groups["SecurityGroups"]
    (door,) = group["IpPermissions"]
    assert (door["FromPort"], door["ToPort"], door["IpRanges"]) == (4000, 4000, [])
    assert [each["GroupId"] for each in door["UserIdGroupPairs"]] == [first.ids["ServiceGroup"]]
    named = crm.client("servicediscovery").get_service(Id=crm.ids["CodeName"])["Service"]
    assert (named["Name"], named["NamespaceId"]) == ("crm", first.ids["Names"])
    assert service["serviceRegistries"] == [{"registryArn": named["Arn"]}]


def test_its_runs_are_launched_in_its_task_by_the_daemon(
    stacks: tuple[Deployed, Deployed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code server says which one that is, and the daemon's role has the right to start it."""
    first, crm = stacks
    context = json.loads(crm.environment("Code")["DAGSTER_CONTAINER_CONTEXT"])
    with launching_of(first, monkeypatch) as launching:
        first.ecs.faults.never_start()
        runs = [launching.launch(context), launching.launch()]
    tasks = first.client("ecs").describe_tasks(
        cluster=first.ids["Cluster"], tasks=[run.tags["ecs/task_arn"] for run in runs]
    )["tasks"]
    definitions = [each["taskDefinitionArn"] for each in tasks]
    assert definitions == [crm.ids["RunTask"], first.ids["RunTask"]]
    for each in tasks:
        details = {e["name"]: e["value"] for a in each["attachments"] for e in a["details"]}
        assert details["subnetId"] in (first.ids["SubnetA"], first.ids["SubnetB"])
    iam = first.client("iam")
    added = iam.get_role_policy(RoleName=first.ids["DaemonRole"], PolicyName=crm.name)
    of = {each["Sid"]: each["Resource"] for each in added["PolicyDocument"]["Statement"]}
    family, _, _ = crm.ids["RunTask"].rpartition(":")
    assert of.pop("Launch") == f"{family}:*"
    roles = [iam.get_role(RoleName=crm.ids[name])["Role"]["Arn"]
             for name in ("RunRole", "RunExecutionRole")]  # fmt: skip
    assert of.pop("GiveRolesToRuns") == roles
    assert of.keys() == {"LastWords"}
    (task,) = [crm.task("Run")]
    assert [task["taskRoleArn"], task["executionRoleArn"]] == roles

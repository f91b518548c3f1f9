"""Who may do what: every action of every role, written down a second time."""

from __future__ import annotations

from typing import Any

import pytest

from extract_project_tests.support.cloudformation.template import listed, of_type, template

READ_SQL = ("s3:GetObject",)
USE_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
LOG_OBJECTS = ("s3:GetObject", "s3:PutObject")
WATCH = {"WatchAndStop": ("ecs:DescribeTasks", "ecs:StopTask"),
         "FindRunTask": ("ecs:DescribeTaskDefinition",),
         "FindTasks": ("ecs:ListTasks",)}  # fmt: skip
LAUNCH = {
    "Launch": ("ecs:RunTask",),
    "TagWhatIsLaunched": ("ecs:TagResource",),
    "GiveRolesToRuns": ("iam:PassRole",),
    "LastWords": ("logs:GetLogEvents",),
}
LOGS = {"LogObjects": LOG_OBJECTS, "ListLogs": ("s3:ListBucket",)}
SQL = {"ReadSql": READ_SQL, "ListSql": ("s3:ListBucket",)}
START = {
    "SignInToEcr": ("ecr:GetAuthorizationToken",),
    "PullImage": (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ),
    "Log": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "Secrets": ("secretsmanager:GetSecretValue",),
    "DecryptSecrets": ("kms:Decrypt",),
}
ROLES: dict[str, dict[str, tuple[str, ...]]] = {
    "WebserverRole": {**WATCH, **LOGS, "UseKey": USE_KEY},
    "DaemonRole": {**LAUNCH, **WATCH, **LOGS, "UseKey": USE_KEY},
    "CodeRole": {
        **SQL,
        "State": ("s3:GetObject", "s3:PutObject"),
        "ListData": ("s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"),
        "ReadExtracts": ("s3:GetObject", "s3:GetObjectVersion"),
        "KeepCatalog": ("s3:PutObject",),
        "KeepTables": ("glue:CreateTable", "glue:GetTables", "glue:UpdateTable"),
        "AssumeRoles": ("sts:AssumeRole",),
        **LOGS,
        "Alert": ("sns:Publish",),
        "UseKey": USE_KEY,
        **LAUNCH,  # in the small footprint only, where the daemon and the webserver share the role
        **WATCH,
    },
    "RunRole": {
        **SQL,
        "Publish": (
            "s3:AbortMultipartUpload",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:PutObject",
        ),
        "HideParts": ("s3:DeleteObject",),
        "ListData": (
            "s3:GetBucketVersioning",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ),
        "WriteLogs": ("s3:AbortMultipartUpload", "s3:PutObject"),
        "UseKey": USE_KEY,
        "Alert": ("sns:Publish",),  # without a service, where no sensor does it
        "UseKeyToAlert": USE_KEY,
        "AssumeRoles": ("sts:AssumeRole",),
        **LAUNCH,  # a run of several starts a task for each
        **WATCH,
    },
    "CoreExecutionRole": START,
    "CodeExecutionRole": START,
    "RunExecutionRole": START,
}
OTHERS = {"FlowRole", "ScheduleRole", "UnloadRole", "RedshiftUnloadRole"}
"""Roles of services, and of Snowflake."""
HIDES = {"RunRole": {"s3:DeleteObject"}}
"""A delete marker on a part that is no longer named; the bucket's policy keeps all versions."""
WITHOUT_RESOURCE = {
    "ecs:DescribeTaskDefinition": "AWS knows no resource for it",
    "ecs:ListTasks": "AWS knows no resource for it; the cluster is a condition",
    "ecr:GetAuthorizationToken": "AWS knows no resource for it",
}


def statements(role: str) -> list[dict[str, Any]]:
    (own,) = of_type("AWS::IAM::Role")[role]["Policies"]
    more = of_type("AWS::IAM::RolePolicy").values()
    policies = [own, *(each for each in more if each["RoleName"] == {"Ref": role})]
    return [one for each in policies for one in each["PolicyDocument"]["Statement"]]


def test_these_are_all_roles_of_tasks() -> None:
    assert of_type("AWS::IAM::Role").keys() - OTHERS == ROLES.keys()
    assert not any("ManagedPolicyArns" in role for role in of_type("AWS::IAM::Role").values())
    assert of_type("AWS::IAM::Policy") == {}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_exactly_this(role: str) -> None:
    found = {each["Sid"]: tuple(listed(each["Action"])) for each in statements(role)}
    assert found == ROLES[role]
    assert {each["Effect"] for each in statements(role)} == {"Allow"}


@pytest.mark.parametrize("role", ROLES)
def test_a_wildcard_resource_has_a_reason(role: str) -> None:
    for each in statements(role):
        if "*" in listed(each["Resource"]):
            assert set(listed(each["Action"])) <= WITHOUT_RESOURCE.keys()


@pytest.mark.parametrize("role", ROLES)
def test_no_role_deletes_or_widens_itself(role: str) -> None:
    actions = {action for each in statements(role) for action in listed(each["Action"])}
    deleting = {action for action in actions if "*" in action or "Delete" in action}
    assert deleting == HIDES.get(role, set())
    assert not actions & {"s3:PutBucketPolicy", "iam:PutRolePolicy", "ecs:RegisterTaskDefinition"}


@pytest.mark.parametrize("role", ["CodeRole", "RunRole"])
def test_only_the_roles_of_destinations_are_assumed(role: str) -> None:
    assert resource(role, "AssumeRoles") == {"Fn::Split": [",", {"Ref": "DestinationRoles"}]}
    of = {each["RoleName"]["Ref"]: each for each in of_type("AWS::IAM::RolePolicy").values()
          if each["PolicyName"] == "destinations"}  # fmt: skip
    assert of.keys() == {"CodeRole", "RunRole"}


def resource(role: str, sid: str) -> Any:
    (found,) = [each["Resource"] for each in statements(role) if each["Sid"] == sid]
    return found


def condition(role: str, sid: str) -> Any:
    (found,) = [each["Condition"] for each in statements(role) if each["Sid"] == sid]
    return found


def test_a_run_reads_sql_and_writes_extracts_and_nothing_else() -> None:
    assert resource("RunRole", "ReadSql") == {"Fn::Sub": "${Manifest.Arn}/${ManifestPrefix}/*"}
    assert resource("RunRole", "Publish") == {"Fn::Sub": "${Data.Arn}/${DataPrefix}/*"}
    assert resource("RunRole", "HideParts") == [
        {"Fn::Sub": f"${{Data.Arn}}/${{DataPrefix}}/{each}"} for each in ("*/part-*", "_parts/*")
    ]
    assert resource("RunRole", "WriteLogs") == {"Fn::Sub": "${Logs.Arn}/dagster/*"}
    assert resource("RunRole", "UseKey") == {"Fn::GetAtt": ["Key", "Arn"]}
    assert condition("RunRole", "UseKey") == {
        "StringEquals": {"kms:ViaService": [{"Fn::Sub": "s3.${AWS::Region}.amazonaws.com"}]}
    }


def test_the_code_server_writes_state_and_catalogue_only() -> None:
    assert resource("CodeRole", "State") == {"Fn::Sub": "${Data.Arn}/${DataPrefix}/.extract/*"}
    assert resource("CodeRole", "KeepCatalog") == {"Fn::Sub": "${Data.Arn}/${DataPrefix}/catalog/*"}
    assert resource("CodeRole", "ReadExtracts") == {"Fn::Sub": "${Data.Arn}/${DataPrefix}/*"}


@pytest.mark.parametrize("role", [role for role in ROLES if "ListData" in ROLES[role]])
def test_an_absent_object_is_404_and_not_403(role: str) -> None:
    """A condition on the prefix would never hold for the request of one object."""
    for each in statements(role):
        if "s3:ListBucket" in listed(each["Action"]):
            assert "Condition" not in each


def test_the_code_server_starts_tasks_in_the_small_footprint_only() -> None:
    (policy,) = [
        name
        for name, each in of_type("AWS::IAM::RolePolicy").items()
        if each["RoleName"] == {"Ref": "CodeRole"} and each["PolicyName"] == "tasks"
    ]
    assert template()["Resources"][policy]["Condition"] == "IsSmall"
    (own,) = of_type("AWS::IAM::Role")["CodeRole"]["Policies"]
    actions = {a for each in own["PolicyDocument"]["Statement"] for a in listed(each["Action"])}
    assert not {action for action in actions if action.startswith(("ecs:", "iam:"))}


def test_the_shared_role_may_do_what_each_of_its_processes_may() -> None:
    def rights(role: str) -> set[str]:
        granted = [(a, each["Resource"], each.get("Condition")) for each in statements(role)
                   for a in listed(each["Action"]) if each["Sid"] != "UseKey"]  # fmt: skip
        return {repr(each) for each in granted}

    assert rights("WebserverRole") | rights("DaemonRole") <= rights("CodeRole")


@pytest.mark.parametrize("role", ["CodeRole", "DaemonRole", "RunRole"])
def test_who_starts_the_run_task_does_so_in_its_cluster_and_gives_it_these_roles(
    role: str,
) -> None:
    family = resource(role, "Launch")["Fn::Sub"]
    assert family.endswith(":task-definition/${AWS::StackName}-run:*")
    assert of_type("AWS::ECS::TaskDefinition")["RunTask"]["Family"] == {
        "Fn::Sub": "${AWS::StackName}-run"
    }
    cluster = {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": ["Cluster", "Arn"]}}}
    for sid in ("Launch", "WatchAndStop", "FindTasks"):
        assert condition(role, sid) == cluster
    assert resource(role, "GiveRolesToRuns") == [
        {"Fn::GetAtt": [given, "Arn"]} for given in ("RunRole", "RunExecutionRole")
    ]


def test_only_what_signs_in_to_warehouses_is_given_their_secret() -> None:
    warehouse = {"Fn::If": ["HasSecret", {"Ref": "WarehouseSecret"}, {"Ref": "AWS::NoValue"}]}
    database = {"Ref": "DatabaseSecret"}
    assert resource("CoreExecutionRole", "Secrets") == database
    assert resource("CodeExecutionRole", "Secrets") == [database, warehouse]
    (of_run, also) = resource("RunExecutionRole", "Secrets")
    assert of_run["Fn::If"][:2] == ["HasServices", database]
    assert of_run["Fn::If"][2]["Fn::Sub"].endswith(":secret:${AWS::StackName}-none")
    assert also == warehouse


def test_a_schedule_may_start_the_run_task_and_nothing_else() -> None:
    """Also without its revision, which is how schedules name it."""
    role = of_type("AWS::IAM::Role")["ScheduleRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    found = {each["Sid"]: listed(each["Action"]) for each in statements("ScheduleRole")}
    assert found == {"Launch": ["ecs:RunTask"], "GiveRolesToRuns": ["iam:PassRole"]}
    families = [each["Fn::Sub"] for each in resource("ScheduleRole", "Launch")]
    assert [each.partition("task-definition/")[2] for each in families] == [
        "${AWS::StackName}-run",
        "${AWS::StackName}-run:*",
    ]
    assert "ecs:cluster" in condition("ScheduleRole", "Launch")["ArnEquals"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_for_tasks_of_this_account(role: str) -> None:
    (trust,) = of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_readers_read_and_authors_write_sql() -> None:
    policies = of_type("AWS::IAM::ManagedPolicy")
    found = {
        name: sorted(
            {a for each in policy["PolicyDocument"]["Statement"] for a in listed(each["Action"])}
        )
        for name, policy in policies.items()
    }
    listing = ["s3:GetBucketVersioning", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket",
               "s3:ListBucketVersions"]  # fmt: skip
    assert found["ReaderPolicy"] == ["kms:Decrypt", *listing]
    assert found["AuthorPolicy"] == sorted([*USE_KEY, *listing, "s3:DeleteObject", "s3:PutObject"])


@pytest.mark.parametrize("role", ["UnloadRole", "RedshiftUnloadRole"])
def test_a_warehouse_writes_below_one_folder(role: str) -> None:
    found = {each["Sid"]: tuple(listed(each["Action"])) for each in statements(role)}
    assert found == {
        "Write": ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),
        "List": ("s3:GetBucketLocation", "s3:ListBucket"),
        "UseKey": USE_KEY,
    }
    assert resource(role, "Write") == {"Fn::Sub": "${Data.Arn}/${DataPrefix}/_parts/*"}


def test_nobody_can_be_snowflakes_role_before_its_user_is_known() -> None:
    role = of_type("AWS::IAM::Role")["UnloadRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    known, allowed, denied = trust["Effect"]["Fn::If"]
    assert (known, allowed, denied) == ("HasSnowflakeIntegrationUser", "Allow", "Deny")
    assert trust["Condition"] == {
        "StringEquals": {"sts:ExternalId": {"Ref": "SnowflakeIntegrationId"}}
    }


def test_only_redshift_can_be_its_role() -> None:
    role = of_type("AWS::IAM::Role")["RedshiftUnloadRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    services = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    assert trust["Principal"] == {"Service": services}

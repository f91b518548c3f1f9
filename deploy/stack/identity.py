"""The roles: one for each kind of process, with exactly the actions that its code calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from deploy.stack.parameters import (
    DESTINATIONS,
    GLUE,
    NONE,
    SECRET,
    SERVICES,
    SMALL,
    STANDARD,
    att,
    destination_roles,
    either,
    only_if,
    ref,
)

_TASK = f"arn:{cdk.Aws.PARTITION}:ecs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:"
LOGS_PREFIX = "dagster"


def run_family() -> str:
    return f"{cdk.Aws.STACK_NAME}-run"


def define_roles(stack: cdk.Stack) -> None:
    """Task roles by process; execution roles by the secrets that they may pass to a task."""
    webserver = _role(stack, "WebserverRole", [*_watch_and_stop(), *_log_bucket(), _key("s3")])
    only_if(webserver, STANDARD)
    _role(stack, "DaemonRole", [*_launch(), *_watch_and_stop(), *_log_bucket(), _key("s3")])
    _role(
        stack,
        "CodeRole",
        [*_manifest(), *_state(), *_catalog(), *_log_bucket(), _alert(), _key("s3", "sns")],
    )
    _role(stack, "RunRole", [*_manifest(), *_publish(), _write_logs(), _key("s3")])
    # A run of several extracts starts a task for each. A separate policy, because it names its own
    # role.
    iam.CfnRolePolicy(
        stack,
        "RunTasks",
        role_name=ref("RunRole"),
        policy_name="tasks",
        policy_document=iam.PolicyDocument(statements=[*_launch(), *_watch_and_stop()]),
    )
    # In the small footprint the containers of one task share its role: the code server's, so that
    # the users of warehouses that stand for this role stay the same, with what the others do.
    shared = iam.CfnRolePolicy(
        stack,
        "SmallTasks",
        role_name=ref("CodeRole"),
        policy_name="tasks",
        policy_document=iam.PolicyDocument(statements=[*_launch(), *_watch_and_stop()]),
    )
    only_if(shared, SMALL)
    # Without a service no sensor tells of failures: the run does.
    alerts = iam.CfnRolePolicy(
        stack,
        "RunAlerts",
        role_name=ref("RunRole"),
        policy_name="alerts",
        policy_document=iam.PolicyDocument(statements=[_alert(), _key("sns", sid="UseKeyToAlert")]),
    )
    only_if(alerts, NONE)
    schedules = _role(stack, "ScheduleRole", _start_scheduled(), "scheduler")
    only_if(schedules, NONE)
    for name in ("Code", "Run"):
        policy = iam.CfnRolePolicy(
            stack,
            f"{name}Destinations",
            role_name=ref(f"{name}Role"),
            policy_name="destinations",
            policy_document=iam.PolicyDocument(
                statements=[_allow("AssumeRoles", ["sts:AssumeRole"], destination_roles())]
            ),
        )
        only_if(policy, DESTINATIONS)
    glue = iam.CfnRolePolicy(
        stack,
        "GlueTables",
        role_name=ref("CodeRole"),
        policy_name="glue",
        policy_document=iam.PolicyDocument(statements=[_glue_tables()]),
    )
    only_if(glue, GLUE)
    database = ref("DatabaseSecret")
    for name, warehouse in (("Core", False), ("Code", True)):
        core = _role(stack, f"{name}ExecutionRole", _start("CoreLogs", database, warehouse))
        only_if(core, SERVICES)
    # Without services and secrets, the name of one that is not there: IAM takes no empty list.
    absent = f"arn:{cdk.Aws.PARTITION}:secretsmanager:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:secret:"
    of_run = cdk.Token.as_string(either(SERVICES, database, f"{absent}{cdk.Aws.STACK_NAME}-none"))
    _role(stack, "RunExecutionRole", _start("RunLogs", of_run, warehouse=True))
    _readers_and_authors(stack)


def _allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: dict[str, Any] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=list(resources), conditions=conditions
    )


def _role(
    stack: cdk.Stack,
    name: str,
    statements: Sequence[iam.PolicyStatement],
    service: str = "ecs-tasks",
) -> iam.CfnRole:
    """A role of a task, or of another service of AWS."""
    return iam.CfnRole(
        stack,
        name,
        assume_role_policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": f"{service}.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
                }
            ],
        },
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="own", policy_document=iam.PolicyDocument(statements=list(statements))
            )
        ],
    )


def manifest_objects() -> str:
    return f"{att('Manifest', 'Arn')}/{ref('ManifestPrefix')}/*"


def data_objects() -> str:
    return f"{att('Data', 'Arn')}/{ref('DataPrefix')}/*"


def _manifest() -> list[iam.PolicyStatement]:
    # ListBucket has no condition on the prefix: the request for one object has no prefix, and S3
    # would answer 403 instead of 404 for an object that is not there.
    return [
        _allow("ReadSql", ["s3:GetObject"], [manifest_objects()]),
        _allow("ListSql", ["s3:ListBucket"], [att("Manifest", "Arn")]),
    ]


def _state() -> list[iam.PolicyStatement]:
    objects = f"{att('Data', 'Arn')}/{ref('DataPrefix')}/.extract/*"
    bucket = ["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"]
    return [
        _allow("State", ["s3:GetObject", "s3:PutObject"], [objects]),
        _allow("ListData", bucket, [att("Data", "Arn")]),
    ]


def _catalog() -> list[iam.PolicyStatement]:
    """Read what is published, and write the page about it."""
    folder = f"{att('Data', 'Arn')}/{ref('DataPrefix')}/catalog/*"
    return [
        _allow("ReadExtracts", ["s3:GetObject", "s3:GetObjectVersion"], [data_objects()]),
        _allow("KeepCatalog", ["s3:PutObject"], [folder]),
    ]


def _glue_tables() -> iam.PolicyStatement:
    account = f"arn:{cdk.Aws.PARTITION}:glue:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    parts = ("catalog", f"database/{ref('GlueDatabase')}", f"table/{ref('GlueDatabase')}/*")
    actions = ["glue:CreateTable", "glue:GetTables", "glue:UpdateTable"]
    return _allow("KeepTables", actions, [f"{account}:{part}" for part in parts])


def _publish() -> list[iam.PolicyStatement]:
    objects = [
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
    ]
    bucket = [
        "s3:GetBucketVersioning",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ]
    return [
        _allow("Publish", objects, [data_objects()]),
        # Parts that are no longer named get delete markers; nothing else can be hidden.
        _allow("HideParts", ["s3:DeleteObject"], [f"{data_objects()}/part-*"]),
        _allow("ListData", bucket, [att("Data", "Arn")]),
    ]


def _write_logs() -> iam.PolicyStatement:
    objects = f"{att('Logs', 'Arn')}/{LOGS_PREFIX}/*"
    return _allow("WriteLogs", ["s3:AbortMultipartUpload", "s3:PutObject"], [objects])


def _log_bucket() -> list[iam.PolicyStatement]:
    """Read the logs of runs and ticks for the UI; daemon and code server write those of ticks."""
    objects = f"{att('Logs', 'Arn')}/{LOGS_PREFIX}/*"
    return [
        _allow("LogObjects", ["s3:GetObject", "s3:PutObject"], [objects]),
        _allow("ListLogs", ["s3:ListBucket"], [att("Logs", "Arn")]),
    ]


def _key(*services: str, sid: str = "UseKey") -> iam.PolicyStatement:
    via = [f"{service}.{cdk.Aws.REGION}.amazonaws.com" for service in services]
    return _allow(
        sid,
        ["kms:Decrypt", "kms:GenerateDataKey"],
        [att("Key", "Arn")],
        {"StringEquals": {"kms:ViaService": via}},
    )


def _alert() -> iam.PolicyStatement:
    return _allow("Alert", ["sns:Publish"], [ref("Alerts")])


def _in_cluster() -> dict[str, Any]:
    return {"ArnEquals": {"ecs:cluster": att("Cluster", "Arn")}}


def _watch_and_stop() -> list[iam.PolicyStatement]:
    """Terminating a run in the UI stops its task from the webserver."""
    tasks = f"{_TASK}task/{ref('Cluster')}/*"
    return [
        _allow("WatchAndStop", ["ecs:DescribeTasks", "ecs:StopTask"], [tasks], _in_cluster()),
        # AWS knows no resource for these two actions.
        _allow("FindRunTask", ["ecs:DescribeTaskDefinition"], ["*"]),
        _allow("FindTasks", ["ecs:ListTasks"], ["*"], _in_cluster()),
    ]


def _launch() -> list[iam.PolicyStatement]:
    tasks = f"{_TASK}task/{ref('Cluster')}/*"
    return [
        _allow(
            "Launch", ["ecs:RunTask"], [f"{_TASK}task-definition/{run_family()}:*"], _in_cluster()
        ),
        _allow(
            "TagWhatIsLaunched",
            ["ecs:TagResource"],
            [tasks],
            {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        _give_roles(),
        # The last lines of a run that died go into its error.
        _allow("LastWords", ["logs:GetLogEvents"], [f"{att('RunLogs', 'Arn')}"]),
    ]


def _start_scheduled() -> list[iam.PolicyStatement]:
    """The rights of EventBridge Scheduler: to start the run task, of whichever revision."""
    family = f"{_TASK}task-definition/{run_family()}"
    return [
        _allow("Launch", ["ecs:RunTask"], [family, f"{family}:*"], _in_cluster()),
        _give_roles(),
    ]


def _give_roles() -> iam.PolicyStatement:
    return _allow(
        "GiveRolesToRuns",
        ["iam:PassRole"],
        [att("RunRole", "Arn"), att("RunExecutionRole", "Arn")],
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )


def _start(log_group: str, database: str, warehouse: bool) -> list[iam.PolicyStatement]:
    """The rights of ECS itself: to pull the image, read secrets, and write logs."""
    secret = [database]
    if warehouse:
        secret.append(cdk.Token.as_string(either(SECRET, ref("WarehouseSecret"))))
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{cdk.Aws.REGION}.amazonaws.com"}}
    return [
        # AWS knows no resource for this action.
        _allow("SignInToEcr", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("PullImage", pull, [att("Images", "Arn")]),
        _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [att(log_group, "Arn")]),
        _allow("Secrets", ["secretsmanager:GetSecretValue"], secret),
        _allow("DecryptSecrets", ["kms:Decrypt"], [att("Key", "Arn")], via),
    ]


def _readers_and_authors(stack: cdk.Stack) -> None:
    """Policies for people and applications: one for those who push SQL, one for readers."""
    read = ["s3:GetObject", "s3:GetObjectVersion"]
    listing = ["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"]
    policies = {
        "ReaderPolicy": [
            _allow("Read", read, [data_objects()]),
            _allow("List", listing, [att("Data", "Arn")]),
            _allow(
                "UseKey",
                ["kms:Decrypt"],
                [att("Key", "Arn")],
                {"StringEquals": {"kms:ViaService": f"s3.{cdk.Aws.REGION}.amazonaws.com"}},
            ),
        ],
        # Deleting a SQL file leaves a delete marker, below which its versions stay.
        "AuthorPolicy": [
            _allow("Write", [*read, "s3:DeleteObject", "s3:PutObject"], [manifest_objects()]),
            _allow("List", listing, [att("Manifest", "Arn")]),
            _key("s3"),
        ],
    }
    for name, statements in policies.items():
        iam.CfnManagedPolicy(stack, name, policy_document=iam.PolicyDocument(statements=statements))

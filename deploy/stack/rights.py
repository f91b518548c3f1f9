"""The rights of processes: the actions that their code calls, on what they call them for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from deploy.stack.parameters import SECRET, att, either, ref
from extract_project.layout import RUN_PARTS

_TASK = f"arn:{cdk.Aws.PARTITION}:ecs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:"
LOGS_PREFIX = "dagster"


def run_family() -> str:
    return f"{cdk.Aws.STACK_NAME}-run"


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: dict[str, Any] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=list(resources), conditions=conditions
    )


def manifest_objects() -> str:
    return f"{att('Manifest', 'Arn')}/{ref('ManifestPrefix')}/*"


def data_objects(folder: str = "") -> str:
    """All extracts, or those in a folder, which ends with a slash."""
    return f"{data_folder()}/{folder}*"


def unloaded_objects(folder: str = "") -> str:
    """What a warehouse writes itself."""
    return f"{data_folder()}/{RUN_PARTS}/{folder}*"


def data_folder() -> str:
    return f"{att('Data', 'Arn')}/{ref('DataPrefix')}"


def write_unloaded(folder: str = "") -> list[iam.PolicyStatement]:
    """For a warehouse: write there, and nowhere else, and read back what it has written."""
    objects = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    return [
        allow("Write", objects, [unloaded_objects(folder)]),
        allow("List", ["s3:GetBucketLocation", "s3:ListBucket"], [att("Data", "Arn")]),
        use_key("s3"),
    ]


def read_manifest() -> list[iam.PolicyStatement]:
    # ListBucket has no condition on the prefix: the request for one object has no prefix, and S3
    # would answer 403 instead of 404 for an object that is not there.
    return [
        allow("ReadSql", ["s3:GetObject"], [manifest_objects()]),
        allow("ListSql", ["s3:ListBucket"], [att("Manifest", "Arn")]),
    ]


def keep_state() -> list[iam.PolicyStatement]:
    objects = f"{att('Data', 'Arn')}/{ref('DataPrefix')}/.extract/*"
    bucket = ["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"]
    return [
        allow("State", ["s3:GetObject", "s3:PutObject"], [objects]),
        allow("ListData", bucket, [att("Data", "Arn")]),
    ]


def keep_catalog() -> list[iam.PolicyStatement]:
    """Read what is published, and write the page about it."""
    folder = f"{att('Data', 'Arn')}/{ref('DataPrefix')}/catalog/*"
    return [
        allow("ReadExtracts", ["s3:GetObject", "s3:GetObjectVersion"], [data_objects()]),
        allow("KeepCatalog", ["s3:PutObject"], [folder]),
    ]


def keep_glue_tables() -> iam.PolicyStatement:
    account = f"arn:{cdk.Aws.PARTITION}:glue:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    parts = ("catalog", f"database/{ref('GlueDatabase')}", f"table/{ref('GlueDatabase')}/*")
    actions = ["glue:CreateTable", "glue:GetTables", "glue:UpdateTable"]
    return allow("KeepTables", actions, [f"{account}:{part}" for part in parts])


def publish(folder: str = "") -> list[iam.PolicyStatement]:
    """Publish everywhere, or below a folder, which is then all that may be written."""
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
    state = f"{data_folder()}/.extract"
    # Receipts, and what `extract doctor` tries, which writes nothing.
    tried = [f"{each}/.extract-doctor/*" for each in (data_folder(), state)]
    beside = [f"{state}/receipts/{folder}*", *tried]
    written = [data_objects(folder), *(beside if folder else [])]
    hidden = [f"{data_objects(folder)}/part-*", unloaded_objects(folder)]
    unloaded = [unloaded_objects(folder)] if folder else []
    return [
        allow("Publish", objects, [*written, *unloaded]),
        # Parts that are no longer named get delete markers; nothing else can be hidden.
        allow("HideParts", ["s3:DeleteObject"], hidden),
        allow("ListData", bucket, [att("Data", "Arn")]),
        *([allow("ReadState", ["s3:GetObject"], [f"{state}/*"])] if folder else []),
    ]


def write_logs() -> iam.PolicyStatement:
    objects = f"{att('Logs', 'Arn')}/{LOGS_PREFIX}/*"
    return allow("WriteLogs", ["s3:AbortMultipartUpload", "s3:PutObject"], [objects])


def use_logs() -> list[iam.PolicyStatement]:
    """Read the logs of runs and ticks for the UI; daemon and code server write those of ticks."""
    objects = f"{att('Logs', 'Arn')}/{LOGS_PREFIX}/*"
    return [
        allow("LogObjects", ["s3:GetObject", "s3:PutObject"], [objects]),
        allow("ListLogs", ["s3:ListBucket"], [att("Logs", "Arn")]),
    ]


def use_key(*services: str, sid: str = "UseKey") -> iam.PolicyStatement:
    via = [f"{service}.{cdk.Aws.REGION}.amazonaws.com" for service in services]
    return allow(
        sid,
        ["kms:Decrypt", "kms:GenerateDataKey"],
        [att("Key", "Arn")],
        {"StringEquals": {"kms:ViaService": via}},
    )


def alert() -> iam.PolicyStatement:
    return allow("Alert", ["sns:Publish"], [ref("Alerts")])


def _in_cluster() -> dict[str, Any]:
    return {"ArnEquals": {"ecs:cluster": att("Cluster", "Arn")}}


def watch_and_stop() -> list[iam.PolicyStatement]:
    """Terminating a run in the UI stops its task from the webserver."""
    tasks = f"{_TASK}task/{ref('Cluster')}/*"
    return [
        allow("WatchAndStop", ["ecs:DescribeTasks", "ecs:StopTask"], [tasks], _in_cluster()),
        # AWS knows no resource for these two actions.
        allow("FindRunTask", ["ecs:DescribeTaskDefinition"], ["*"]),
        allow("FindTasks", ["ecs:ListTasks"], ["*"], _in_cluster()),
    ]


def launch() -> list[iam.PolicyStatement]:
    """Start the run task, anywhere in the cluster."""
    tasks = f"{_TASK}task/{ref('Cluster')}/*"
    tag = allow(
        "TagWhatIsLaunched",
        ["ecs:TagResource"],
        [tasks],
        {"StringEquals": {"ecs:CreateAction": "RunTask"}},
    )
    start, *more = launch_further()
    return [start, tag, *more]


def launch_further() -> list[iam.PolicyStatement]:
    """For who starts tasks in this cluster already: start this run task too."""
    return [
        allow(
            "Launch", ["ecs:RunTask"], [f"{_TASK}task-definition/{run_family()}:*"], _in_cluster()
        ),
        _give_roles(),
        # The last lines of a run that died go into its error.
        allow("LastWords", ["logs:GetLogEvents"], [f"{att('RunLogs', 'Arn')}"]),
    ]


def start_scheduled() -> list[iam.PolicyStatement]:
    """The rights of EventBridge Scheduler: to start the run task, of whichever revision."""
    family = f"{_TASK}task-definition/{run_family()}"
    return [
        allow("Launch", ["ecs:RunTask"], [family, f"{family}:*"], _in_cluster()),
        _give_roles(),
    ]


def _give_roles() -> iam.PolicyStatement:
    return allow(
        "GiveRolesToRuns",
        ["iam:PassRole"],
        [att("RunRole", "Arn"), att("RunExecutionRole", "Arn")],
        {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )


def start_tasks(log_group: str, database: str, warehouse: bool) -> list[iam.PolicyStatement]:
    """The rights of ECS itself: to pull the image, read secrets, and write logs."""
    secret = [database]
    if warehouse:
        secret.append(cdk.Token.as_string(either(SECRET, ref("WarehouseSecret"))))
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{cdk.Aws.REGION}.amazonaws.com"}}
    return [
        # AWS knows no resource for this action.
        allow("SignInToEcr", ["ecr:GetAuthorizationToken"], ["*"]),
        allow("PullImage", pull, [att("Images", "Arn")]),
        allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [att(log_group, "Arn")]),
        allow("Secrets", ["secretsmanager:GetSecretValue"], secret),
        allow("DecryptSecrets", ["kms:Decrypt"], [att("Key", "Arn")], via),
    ]

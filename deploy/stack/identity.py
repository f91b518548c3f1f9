"""The roles: one for each kind of process, with exactly the actions that its code calls."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from deploy.stack.parameters import (
    DESTINATIONS,
    GLUE,
    INTEGRATION,
    INTEGRATION_USER,
    NONE,
    REDSHIFT_ROLE,
    SERVICES,
    SMALL,
    STANDARD,
    att,
    destination_roles,
    either,
    only_if,
    ref,
)
from deploy.stack.rights import (
    alert,
    allow,
    data_objects,
    keep_catalog,
    keep_glue_tables,
    keep_state,
    launch,
    launch_further,
    manifest_objects,
    publish,
    read_manifest,
    start_scheduled,
    start_tasks,
    use_key,
    use_logs,
    watch_and_stop,
    write_logs,
    write_unloaded,
)


def define_roles(stack: cdk.Stack) -> None:
    """Task roles by process; execution roles by the secrets that they may pass to a task."""
    webserver = _role(stack, "WebserverRole", [*watch_and_stop(), *use_logs(), use_key("s3")])
    only_if(webserver, STANDARD)
    _role(stack, "DaemonRole", [*launch(), *watch_and_stop(), *use_logs(), use_key("s3")])
    _of_location(stack)
    # In the small footprint the containers of one task share its role: the code server's, so that
    # the users of warehouses that stand for this role stay the same, with what the others do.
    shared = _policy(stack, "SmallTasks", "CodeRole", "tasks", [*launch(), *watch_and_stop()])
    only_if(shared, SMALL)
    # Without a service no sensor tells of failures: the run does.
    alerts = _policy(
        stack, "RunAlerts", "RunRole", "alerts", [alert(), use_key("sns", sid="UseKeyToAlert")]
    )
    only_if(alerts, NONE)
    schedules = _role(stack, "ScheduleRole", start_scheduled(), "scheduler")
    only_if(schedules, NONE)
    database = ref("DatabaseSecret")
    for name, warehouse in (("Core", False), ("Code", True)):
        core = _role(stack, f"{name}ExecutionRole", start_tasks("CoreLogs", database, warehouse))
        only_if(core, SERVICES)
    # Without services and secrets, the name of one that is not there: IAM takes no empty list.
    absent = f"arn:{cdk.Aws.PARTITION}:secretsmanager:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:secret:"
    of_run = cdk.Token.as_string(either(SERVICES, database, f"{absent}{cdk.Aws.STACK_NAME}-none"))
    _role(stack, "RunExecutionRole", start_tasks("RunLogs", of_run, warehouse=True))


def define_location_roles(stack: cdk.Stack) -> None:
    """The roles of a further location, which may write below one folder of the extracts; the daemon
    gets the right to start its runs."""
    _of_location(stack, f"{ref('Location')}/")
    for name, logs in (("Code", "CoreLogs"), ("Run", "RunLogs")):
        rights = start_tasks(logs, ref("DatabaseSecret"), warehouse=True)
        _role(stack, f"{name}ExecutionRole", rights)
    _policy(stack, "DaemonRuns", "DaemonRole", cdk.Aws.STACK_NAME, launch_further())


def _of_location(stack: cdk.Stack, folder: str = "") -> None:
    """The roles of code server and runs, of warehouses, readers and authors; `folder` is the one
    below which extracts are published, with a slash at its end."""
    _role(
        stack,
        "CodeRole",
        [
            *read_manifest(),
            *keep_state(),
            *keep_catalog(),
            *use_logs(),
            alert(),
            use_key("s3", "sns"),
        ],
    )
    _role(stack, "RunRole", [*read_manifest(), *publish(folder), write_logs(), use_key("s3")])
    # A run of several extracts starts a task for each. A separate policy, because it names its own
    # role.
    _policy(stack, "RunTasks", "RunRole", "tasks", [*launch(), *watch_and_stop()])
    assuming = [allow("AssumeRoles", ["sts:AssumeRole"], destination_roles())]
    for name in ("Code", "Run"):
        policy = _policy(stack, f"{name}Destinations", f"{name}Role", "destinations", assuming)
        only_if(policy, DESTINATIONS)
    glue = _policy(stack, "GlueTables", "CodeRole", "glue", [keep_glue_tables()])
    only_if(glue, GLUE)
    _of_snowflake(stack, folder)
    _of_redshift(stack, folder)
    _readers_and_authors(stack, folder)


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


def _of_snowflake(stack: cdk.Stack, folder: str) -> None:
    """The role with which Snowflake writes the results of `engine: unload`.

    The integration is made with the role's name, and only then says who will assume the role: until
    that is in the parameters, nobody may.
    """
    account = f"arn:{cdk.Aws.PARTITION}:iam::{cdk.Aws.ACCOUNT_ID}:root"
    role = iam.CfnRole(
        stack,
        "UnloadRole",
        assume_role_policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": either(INTEGRATION_USER, "Allow", "Deny"),
                    "Principal": {
                        "AWS": either(INTEGRATION_USER, ref("SnowflakeIntegrationUser"), account)
                    },
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"sts:ExternalId": ref("SnowflakeIntegrationId")}
                    },
                }
            ],
        },
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="own",
                policy_document=iam.PolicyDocument(statements=write_unloaded(folder)),
            )
        ],
    )
    only_if(role, INTEGRATION)


def _of_redshift(stack: cdk.Stack, folder: str) -> None:
    """The role with which Redshift writes the results of `engine: unload`.

    Only somebody of this account who may pass the role can give it to a cluster or a namespace.
    """
    services = [f"{each}.amazonaws.com" for each in ("redshift", "redshift-serverless")]
    role = iam.CfnRole(
        stack,
        "RedshiftUnloadRole",
        assume_role_policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": services},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="own",
                policy_document=iam.PolicyDocument(statements=write_unloaded(folder)),
            )
        ],
    )
    only_if(role, REDSHIFT_ROLE)


def _policy(
    stack: cdk.Stack, name: str, role: str, shown: str, statements: Sequence[iam.PolicyStatement]
) -> iam.CfnRolePolicy:
    """More rights of a role, under a name of their own."""
    return iam.CfnRolePolicy(
        stack,
        name,
        role_name=ref(role),
        policy_name=shown,
        policy_document=iam.PolicyDocument(statements=list(statements)),
    )


def _readers_and_authors(stack: cdk.Stack, folder: str) -> None:
    """Policies for people and applications: one for those who push SQL, one for readers."""
    read = ["s3:GetObject", "s3:GetObjectVersion"]
    listing = ["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"]
    policies = {
        "ReaderPolicy": [
            allow("Read", read, [data_objects(folder)]),
            allow("List", listing, [att("Data", "Arn")]),
            allow(
                "UseKey",
                ["kms:Decrypt"],
                [att("Key", "Arn")],
                {"StringEquals": {"kms:ViaService": f"s3.{cdk.Aws.REGION}.amazonaws.com"}},
            ),
        ],
        # Deleting a SQL file leaves a delete marker, below which its versions stay.
        "AuthorPolicy": [
            allow("Write", [*read, "s3:DeleteObject", "s3:PutObject"], [manifest_objects()]),
            allow("List", listing, [att("Manifest", "Arn")]),
            use_key("s3"),
        ],
    }
    for name, statements in policies.items():
        iam.CfnManagedPolicy(stack, name, policy_document=iam.PolicyDocument(statements=statements))

"""The outputs: the next commands, with the names filled in."""

from __future__ import annotations

import aws_cdk as cdk

from deploy.stack.parameters import (
    ARM,
    INTEGRATION,
    NONE,
    REDSHIFT_ROLE,
    SECRET,
    SERVICES,
    either,
    known_condition,
    ref,
)

_COMMANDS = {
    "PushImage": (
        "the image; its digest is printed at the end",
        "aws ecr get-login-password | docker login --username AWS --password-stdin "
        "${Images.RepositoryUri} && docker build --platform linux/${Platform} --provenance=false "
        "-t ${Images.RepositoryUri}:1 . "
        "&& docker push ${Images.RepositoryUri}:1",
    ),
    "Start": (
        "starts the services; what is not named keeps its value",
        "aws cloudformation deploy --stack-name ${AWS::StackName} --template-file "
        "deploy/template.yaml --s3-bucket ${Logs} --s3-prefix template "
        "--capabilities CAPABILITY_IAM --parameter-overrides ImageDigest=sha256:…",
    ),
    "PushSql": (
        "the SQL files, with the settings of the warehouses as in docs/settings.md",
        "EXTRACT_MANIFEST=s3://${Manifest}/${ManifestPrefix} "
        "EXTRACT_DATA=s3://${Data}/${DataPrefix} extract push sql_manifest --no-describe",
    ),
    "Watch": ("what code server, webserver and daemon say", "aws logs tail ${CoreLogs} --follow"),
    "Ui": ("open in the VPC, or from UiCidr", "http://webserver.extract.internal:3000"),
    "RunRoleArn": ("for the Snowflake user of runs", "${RunRole.Arn}"),
    "CodeRoleArn": ("for the Snowflake user of the code server", "${CodeRole.Arn}"),
    "Readers": ("attach to who reads extracts", "${ReaderPolicy}"),
    "Authors": ("attach to who pushes SQL", "${AuthorPolicy}"),
}


_OF_SERVICES = ("Ui", "Watch")
_SCHEDULES = (
    "EXTRACT_SCHEDULER__GROUP=${AWS::StackName} EXTRACT_SCHEDULER__CLUSTER=${Cluster} "
    "EXTRACT_SCHEDULER__TASK_DEFINITION=${AWS::StackName}-run "
    "EXTRACT_SCHEDULER__SUBNETS=${PublicSubnet},${PublicSubnetB} "
    "EXTRACT_SCHEDULER__SECURITY_GROUPS=${RunGroup.GroupId} EXTRACT_SCHEDULER__PUBLIC_IP=true "
    "EXTRACT_SCHEDULER__ROLE_ARN=${ScheduleRole.Arn} extract deploy-schedules"
)


_OF_LOCATION = ("PushSql", "Watch", "RunRoleArn", "CodeRoleArn", "Readers", "Authors")
_START_LOCATION = (
    "aws cloudformation deploy --stack-name ${AWS::StackName} --template-file "
    "deploy/location.yaml --s3-bucket ${Logs} --s3-prefix template "
    "--capabilities CAPABILITY_IAM --parameter-overrides ImageDigest=sha256:…"
)


def define_outputs(stack: cdk.Stack) -> None:
    """The next commands, in their order."""
    platform = cdk.Token.as_string(either(ARM, "arm64", "amd64"))
    for name, (description, command) in _COMMANDS.items():
        given = {"Platform": platform} if "${Platform}" in command else None
        value = cdk.Fn.sub(command, given) if "${" in command else command
        output = cdk.CfnOutput(stack, f"{name}Next", value=value, description=description)
        if name in _OF_SERVICES:
            output.condition = known_condition(stack, SERVICES)
    cdk.CfnOutput(
        stack,
        "SchedulesNext",
        description="makes the schedules, with the settings of PushSql and of the warehouses",
        value=cdk.Fn.sub(_SCHEDULES),
        condition=known_condition(stack, NONE),
    )
    _of_warehouses(stack)


def define_location_outputs(stack: cdk.Stack) -> None:
    """The next commands of a further location."""
    for name in _OF_LOCATION:
        description, command = _COMMANDS[name]
        cdk.CfnOutput(stack, f"{name}Next", value=cdk.Fn.sub(command), description=description)
    description, _ = _COMMANDS["Start"]
    cdk.CfnOutput(stack, "StartNext", value=cdk.Fn.sub(_START_LOCATION), description=description)
    _of_warehouses(stack)


def _of_warehouses(stack: cdk.Stack) -> None:
    cdk.CfnOutput(
        stack,
        "SnowflakeIntegrationRole",
        description="STORAGE_AWS_ROLE_ARN of the storage integration (docs/unload.md)",
        value=cdk.Fn.sub("${UnloadRole.Arn}"),
        condition=known_condition(stack, INTEGRATION),
    )
    cdk.CfnOutput(
        stack,
        "RedshiftUnloadRoleArn",
        description="UNLOAD_ROLE of a Redshift warehouse, once it is attached (docs/unload.md)",
        value=cdk.Fn.sub("${RedshiftUnloadRole.Arn}"),
        condition=known_condition(stack, REDSHIFT_ROLE),
    )
    cdk.CfnOutput(
        stack,
        "FillSecretNext",
        description="the warehouses' secrets, before Start",
        value=f"aws secretsmanager put-secret-value --secret-id {ref('WarehouseSecret')} "
        "--secret-string file://secret.json",
        condition=known_condition(stack, SECRET),
    )

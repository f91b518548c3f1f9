"""The key, the buckets and the registry: everything that outlives the stack."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from deploy.stack.parameters import att, excused, kept, ref, ref_number
from extract_project.layout import PAGES, RUN_PARTS

_ABORT_DAYS = 1
_UNTAGGED_DAYS = 14
_Rule = s3.CfnBucket.RuleProperty


def define_storage(stack: cdk.Stack) -> None:
    """One key, three buckets (SQL, extracts, Dagster's logs), one registry."""
    _key(stack)
    _bucket(stack, "Manifest", [_abort(), _old_versions()], history=True)
    rules = [_abort(), _old_versions(), _old_unloaded(), *_old_pages()]
    _bucket(stack, "Data", rules, history=True)
    _bucket(stack, "Logs", [_abort(), _expire()], history=False)
    _registry(stack)


def _key(stack: cdk.Stack) -> None:
    """Encrypts buckets, logs, database, secrets and alarms."""
    account = {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}
    log_groups = f"arn:{cdk.Aws.PARTITION}:logs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:*"
    use = ["kms:Decrypt", "kms:GenerateDataKey*"]
    statements = [
        iam.PolicyStatement(
            sid="IamDecides",
            principals=[iam.AccountRootPrincipal()],
            actions=["kms:*"],
            resources=["*"],
        ),
        iam.PolicyStatement(
            sid="LogGroups",
            principals=[iam.ServicePrincipal(f"logs.{cdk.Aws.REGION}.amazonaws.com")],
            actions=[*use, "kms:Encrypt", "kms:ReEncrypt*", "kms:DescribeKey"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        ),
        iam.PolicyStatement(
            sid="Alarms",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=use,
            resources=["*"],
            conditions={"StringEquals": account},
        ),
    ]
    key = kms.CfnKey(
        stack,
        "Key",
        description=f"Everything of {cdk.Aws.STACK_NAME}",
        enable_key_rotation=True,
        key_policy=iam.PolicyDocument(statements=statements),
    )
    kept(key)


def _bucket(stack: cdk.Stack, name: str, rules: list[_Rule], *, history: bool) -> None:
    bucket = s3.CfnBucket(
        stack,
        name,
        versioning_configuration=s3.CfnBucket.VersioningConfigurationProperty(status="Enabled"),
        bucket_encryption=s3.CfnBucket.BucketEncryptionProperty(
            server_side_encryption_configuration=[
                s3.CfnBucket.ServerSideEncryptionRuleProperty(
                    bucket_key_enabled=True,
                    server_side_encryption_by_default=(
                        s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                            sse_algorithm="aws:kms", kms_master_key_id=att("Key", "Arn")
                        )
                    ),
                )
            ]
        ),
        public_access_block_configuration=s3.CfnBucket.PublicAccessBlockConfigurationProperty(
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        ),
        ownership_controls=s3.CfnBucket.OwnershipControlsProperty(
            rules=[
                s3.CfnBucket.OwnershipControlsRuleProperty(object_ownership="BucketOwnerEnforced")
            ]
        ),
        lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(rules=rules),
    )
    if name == "Manifest":
        # CDK's own switch for this is a Lambda function.
        bucket.add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
    excused(bucket, {"CKV_AWS_18": "object metadata names each write's run; reads: CloudTrail"})
    kept(bucket)
    _bucket_policy(stack, name, history=history)


def _bucket_policy(stack: cdk.Stack, name: str, *, history: bool) -> None:
    everything = [att(name, "Arn"), f"{att(name, 'Arn')}/*"]

    def deny(sid: str, action: str, conditions: dict[str, object]) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=[action],
            resources=everything,
            conditions=conditions,
        )

    statements = [
        deny("TlsOnly", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        deny("NoOldTls", "s3:*", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ]
    if history:
        # Lifecycle rules are S3's own, and go on: a policy does not stop them.
        statements.append(deny("HistoryStays", "s3:DeleteObjectVersion", {}))
    policy = s3.CfnBucketPolicy(
        stack,
        f"{name}Policy",
        bucket=ref(name),
        policy_document=iam.PolicyDocument(statements=statements),
    )
    kept(policy)


def _abort() -> _Rule:
    return _Rule(
        prefix="",
        id="abort-incomplete-uploads",
        status="Enabled",
        abort_incomplete_multipart_upload=(
            s3.CfnBucket.AbortIncompleteMultipartUploadProperty(days_after_initiation=_ABORT_DAYS)
        ),
    )


def _old_versions() -> _Rule:
    """Remove replaced versions after some days, but never the newest few, and never current
    ones."""
    return _Rule(
        prefix="",
        id="old-versions",
        status="Enabled",
        noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
            noncurrent_days=ref_number("NoncurrentDays"),
            newer_noncurrent_versions=ref_number("NoncurrentVersions"),
        ),
    )


def _old_unloaded() -> _Rule:
    """Remove the parts of replaced versions that a warehouse has written. Their keys are written
    once, so there are never newer versions of one to count."""
    return _Rule(
        prefix=f"{ref('DataPrefix')}/{RUN_PARTS}/",
        id="old-unloaded-parts",
        status="Enabled",
        noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
            noncurrent_days=ref_number("NoncurrentDays")
        ),
    )


def _old_pages() -> list[_Rule]:
    """Remove replaced pages after a day: they are made of the receipts again and again."""
    return [
        _Rule(
            prefix=f"{ref('DataPrefix')}/{page}",
            id=f"old-pages-{page.rpartition('/')[2]}",
            status="Enabled",
            noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
                noncurrent_days=1
            ),
        )
        for page in PAGES
    ]


def _expire() -> _Rule:
    """Expire the output of runs that Dagster shows, like other logs; it is not data."""
    return _Rule(
        prefix="",
        id="expire",
        status="Enabled",
        expiration_in_days=ref_number("LogDays"),
        noncurrent_version_expiration=s3.CfnBucket.NoncurrentVersionExpirationProperty(
            noncurrent_days=1
        ),
    )


def _registry(stack: cdk.Stack) -> None:
    untagged = {
        "rules": [
            {
                "rulePriority": 1,
                # Never one with a tag: it may be deployed.
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": _UNTAGGED_DAYS,
                },
                "action": {"type": "expire"},
            }
        ]
    }
    repository = ecr.CfnRepository(
        stack,
        "Images",
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(
            scan_on_push=True
        ),
        encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(
            encryption_type="KMS", kms_key=att("Key", "Arn")
        ),
        lifecycle_policy=ecr.CfnRepository.LifecyclePolicyProperty(
            lifecycle_policy_text=stack.to_json_string(untagged)
        ),
    )
    kept(repository)

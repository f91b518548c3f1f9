"""Buckets, key and registry: what is published cannot be lost, read in passing, or made public."""

from __future__ import annotations

from typing import Any

import pytest

from extract_project.layout import PAGES
from extract_project_tests.support.cloudformation.template import Evaluation, of_type, template

BUCKETS = ("Manifest", "Data", "Logs")
HISTORY = ("Manifest", "Data")


def test_these_are_all_buckets() -> None:
    assert set(of_type("AWS::S3::Bucket")) == set(BUCKETS)


def rules(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of_type("AWS::S3::Bucket")[name]["LifecycleConfiguration"][
        "Rules"
    ]
    return found


def denied(name: str) -> dict[str, dict[str, Any]]:
    document = of_type("AWS::S3::BucketPolicy")[f"{name}Policy"]
    assert document["Bucket"] == {"Ref": name}
    statements = document["PolicyDocument"]["Statement"]
    assert all(each["Effect"] == "Deny" for each in statements)
    arn = {"Fn::GetAtt": [name, "Arn"]}
    for each in statements:
        assert each["Principal"] == {"AWS": "*"}
        assert each["Resource"] == [arn, {"Fn::Sub": f"${{{name}.Arn}}/*"}]
    return {each["Action"]: each.get("Condition", {}) for each in statements if each["Sid"]}


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_keeps_versions_encrypts_and_is_not_public(name: str) -> None:
    bucket = of_type("AWS::S3::Bucket")[name]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
    }
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert template()["Resources"][name]["DeletionPolicy"] == "Retain"
    assert template()["Resources"][name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_answers_over_tls_only(name: str) -> None:
    statements = of_type("AWS::S3::BucketPolicy")[f"{name}Policy"]["PolicyDocument"]["Statement"]
    found = [each["Condition"] for each in statements if each["Action"] == "s3:*"]
    assert found == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    assert "s3:*" in denied(name)


@pytest.mark.parametrize("name", HISTORY)
def test_nobody_deletes_a_version(name: str) -> None:
    """Without condition, for everybody: the lifecycle is S3's own and goes on."""
    assert denied(name)["s3:DeleteObjectVersion"] == {}


@pytest.mark.parametrize("name", BUCKETS)
def test_parts_that_nobody_finished_go_within_a_day(name: str) -> None:
    aborting = [each for each in rules(name) if "AbortIncompleteMultipartUpload" in each]
    assert [each["AbortIncompleteMultipartUpload"] for each in aborting] == [
        {"DaysAfterInitiation": 1}
    ]
    assert all(each["Status"] == "Enabled" for each in rules(name))
    assert all(each["Prefix"] == "" for each in aborting)


@pytest.mark.parametrize("name", HISTORY)
def test_a_current_version_never_expires(name: str) -> None:
    expiring = [key for each in rules(name) for key in each if key.startswith("Expiration")]
    assert expiring == []
    removing = [each for each in rules(name) if "NoncurrentVersionExpiration" in each]
    (old,) = [each for each in removing if each["Prefix"] == ""]
    assert old["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": {"Ref": "NoncurrentDays"},
        "NewerNoncurrentVersions": {"Ref": "NoncurrentVersions"},
    }


def test_replaced_pages_are_removed_after_a_day() -> None:
    removed = {
        str(each["Prefix"]): each["NoncurrentVersionExpiration"]
        for each in rules("Data")
        if "/catalog/" in str(each["Prefix"])
    }
    assert len(removed) == len(PAGES)
    for page in PAGES:
        (prefix,) = [each for each in removed if page in each]
        assert removed[prefix] == {"NoncurrentDays": 1}


def test_changes_of_the_manifest_are_events() -> None:
    assert of_type("AWS::S3::Bucket")["Manifest"]["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_an_image_does_not_change_below_its_tag_and_is_scanned() -> None:
    (images,) = of_type("AWS::ECR::Repository").values()
    assert images["ImageTagMutability"] == "IMMUTABLE"
    assert images["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_the_key_is_rotated() -> None:
    (key,) = of_type("AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True


def test_the_database_is_private_encrypted_and_backed_up() -> None:
    (database,) = of_type("AWS::RDS::DBInstance").values()
    assert database["PubliclyAccessible"] is False
    new = Evaluation().of(database)
    assert (new["StorageEncrypted"], new["KmsKeyId"]) == (True, "Key.Arn")
    assert database["BackupRetentionPeriod"] == 14
    assert database["DeletionProtection"] is True
    assert database["MasterUserPassword"] == {
        "Fn::Sub": "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:password}}"
    }
    (parameters,) = of_type("AWS::RDS::DBParameterGroup").values()
    assert parameters["Parameters"]["rds.force_ssl"] == "1"
    assert template()["Resources"]["Database"]["DeletionPolicy"] == "Retain"


def test_a_restored_database_has_what_its_snapshot_had() -> None:
    """CloudFormation wants neither name, user nor encryption beside a snapshot."""
    (database,) = of_type("AWS::RDS::DBInstance").values()
    restored = Evaluation(DbSnapshot="before-upgrade").of(database)
    assert restored["DBSnapshotIdentifier"] == "before-upgrade"
    assert not restored.keys() & {"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId"}
    assert "DBSnapshotIdentifier" not in Evaluation().of(database)


def test_replaced_parts_of_a_warehouse_are_removed_however_few_versions_a_key_has() -> None:
    (rule,) = (each for each in rules("Data") if str(each["Prefix"]).endswith("/_parts/'}"))
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": {"Ref": "NoncurrentDays"}}

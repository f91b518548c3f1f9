"""EXTRACT_KMS_KEY_ID is on all that is written: in a bucket that denies anything else, all works.

Such a bucket is a proxy before ministack, which takes any key: it answers 403 where a policy with
`StringNotEquals: s3:x-amz-server-side-encryption-aws-kms-key-id` would.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from extract_project import definitions as served
from extract_project.deployment.rollback import rollback_config
from extract_project.deployment.tags import release_tags
from extract_project.embedded.s3_server import S3Server
from extract_project.publish.rollback import Order
from extract_project.store.s3 import upload as s3_upload
from extract_project.store.s3.client import connect
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request, fault_proxy
from extract_project_tests.support.attack.rig import SMALLEST_PART
from extract_project_tests.support.commands import call, write
from extract_project_tests.support.executing import execute

pytestmark = pytest.mark.parametrize("server", ["ministack"], indirect=True)

KEY = "arn:aws:kms:eu-central-1:123456789012:key/8c1b5f6e-0000-4000-8000-2b1e5d0c7a11"
CREATING = ("PutObject", "CreateMultipartUpload", "PutObjectCopy")
NEW_ROWS = "where :watermark is null or n >= :watermark"
FILES = {
    "a/plain": "select n from orders",
    "a/large": "/*---\ncompression: none\n---*/\n"
    "select n, md5(n::varchar) as d from large order by n",
    "a/text": "/*---\nformat: csv\n---*/\nselect n from orders",
    "a/parts": "/*---\nsplit: {rows: 10}\n---*/\nselect n from orders order by n",
    "a/more": f"/*---\nincremental: {{cursor: n}}\n---*/\nselect n from orders {NEW_ROWS}",
    "a/daily": "/*---\npartitions: {type: daily, start: 2026-01-01}\n---*/\n"
    "select n, :partition_key as day from orders",
    "a/checked": "/*---\nchecks:\n  - rows_change: ±10%\n---*/\nselect n from orders",
}


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as running:
        yield running


@pytest.fixture
def demanding(
    site: Site, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """Settings of an installation whose S3 denies what is not encrypted with the key."""
    monkeypatch.setattr(s3_upload, "_FIRST_PART", SMALLEST_PART)
    for name, value in {
        **site.environment,
        "AWS_ENDPOINT_URL_S3": proxy.endpoint,
        "EXTRACT_KMS_KEY_ID": KEY,
        "EXTRACT_WAREHOUSES__SHOP__PATH": str(tmp_path / "shop.duckdb"),
    }.items():
        monkeypatch.setenv(name, value)
    site.s3.put_object_lock_configuration(
        Bucket=site.data.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )

    def deny(request: Request) -> Fault | None:
        denied = request.operation in CREATING and request.kms_key_id != KEY
        return Fault.ACCESS_DENIED if denied else None

    with proxy.choosing(deny):
        yield proxy


def fill(path: Path, rows: int) -> None:
    with duckdb.connect(str(path / "shop.duckdb")) as connection:
        for table, count in (("orders", rows), ("large", rows * 10_000)):
            connection.execute(
                f"create or replace table {table} as select n from range({count}) t(n)"
            )


def loaded() -> dg.Definitions:
    """The definitions as a code server loads them."""
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)):
        return served.definitions()


@pytest.mark.soak
@pytest.mark.slow
def test_all_works_where_nothing_else_may_be_written(
    site: Site, demanding: FaultProxy, tmp_path: Path
) -> None:
    folder = tmp_path / "sql"
    for path, text in FILES.items():
        write(folder, path, text)
    fill(tmp_path, 25)
    assert call("push", folder).exit_code == 0
    with DagsterInstance.ephemeral() as instance:
        defs = loaded()
        run_all(defs, instance)
        fill(tmp_path, 40)
        (refused,) = run_all(defs, instance)
        released = execute(
            defs, instance, "a/checked", tags=release_tags(refused.run_id, "as expected", "ada")
        )
        assert released.success
        for path, key in (("a/plain", "a/plain.parquet"), ("a/parts", "a/parts/_manifest.json")):
            old = site.version_ids(site.data.key(key))[-1]
            config = rollback_config(path, None, Order(old, "half is missing", "ada"))
            job = defs.resolve_job_def("rollback_extract")
            assert job.execute_in_process(run_config=config, instance=instance).success
    for path in ("a/large", "a/more"):
        assert run("rollback", path, "previous", "--reason", "wrong", "--without-dagster") == 0
    assert run("pin", "a/parts", "current", "--reason", "accounts") == 0
    assert run("unpin", "a/parts", "current") == 0
    assert run("prune", "a/text", "--keep", "0", "--older-than", "0s", "--yes") == 0
    write(folder, "a/plain", "select n, 1 as one from orders")
    assert run("push", folder) == 0
    loaded()
    found = call("doctor", "--json")
    assert {each["subject"]: each["ok"] for each in json.loads(found.stdout)}["state: write"]
    assert demanding.spoilt == []
    assert_encrypted(site, demanding)


def run_all(defs: dg.Definitions, instance: DagsterInstance) -> list[dg.ExecuteInProcessResult]:
    """Materialize every extract; the runs that failed."""
    runs = [
        execute(defs, instance, path, partition="2026-01-02" if path == "a/daily" else None)
        for path in FILES
    ]
    return [each for each in runs if not each.success]


def pushed(folder: Path) -> str:
    """What a push says that asks no warehouse."""
    return call("push", folder, "--no-describe").output


def run(*arguments: str | Path) -> int:
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done.exit_code


def assert_encrypted(site: Site, proxy: FaultProxy) -> None:
    """Every kind of object was written, and S3 itself says of each what it is encrypted with."""
    asked = Counter(request.operation for request in proxy.seen)
    assert asked["PutObject"] > 20
    assert asked["CreateMultipartUpload"] > 10
    kinds = set()
    for bucket in (site.manifest.bucket, site.data.bucket):
        for page in site.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in page.get("Versions", []):
                chosen: Any = {"Key": each["Key"], "VersionId": each["VersionId"]}
                head = site.s3.head_object(Bucket=bucket, **chosen)
                encryption = (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"))
                assert encryption == ("aws:kms", KEY), each["Key"]
                kinds.add(kind(each["Key"]))
    assert kinds >= {"sql", "snapshots", "newest", "served", "receipts", "pins", "parquet", "part"}
    assert kinds >= {"_manifest", "gz"}


def kind(key: str) -> str:
    """Which of the things that are written a key is."""
    words = key.split("/")
    name = words[-1]
    if ".extract" in words:
        beside = words[words.index(".extract") + 1]
        return beside if "." in name else name.partition("-")[0]
    return name.partition("-")[0].partition(".")[0] if name[:1] in "_p" else name.rpartition(".")[2]


def test_such_a_bucket_denies_what_has_no_key(site: Site, demanding: FaultProxy) -> None:
    unencrypted = connect()
    with pytest.raises(unencrypted.exceptions.ClientError, match="AccessDenied"):
        unencrypted.put_object(Bucket=site.data.bucket, Key="x", Body=b"x")


def test_a_push_changes_nothing_where_etags_are_no_checksums(
    site: Site, demanding: FaultProxy, tmp_path: Path
) -> None:
    """The ETag of an object that is encrypted with a KMS key is no MD5."""
    write(tmp_path, "a/b", "select 1 as one")
    write(tmp_path, "a/c", "select 2 as two")
    run("push", tmp_path, "--no-describe")
    # An ETag that is no MD5, of the same content: a multipart upload has one too.
    key = site.manifest.key("a/b.sql")
    begun = site.s3.create_multipart_upload(Bucket=site.manifest.bucket, Key=key)
    which: Any = {"Bucket": site.manifest.bucket, "Key": key, "UploadId": begun["UploadId"]}
    part = site.s3.upload_part(**which, PartNumber=1, Body=b"select 1 as one")
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    site.s3.complete_multipart_upload(**which, MultipartUpload=parts)
    assert "0 added, 0 changed, 0 only in the bucket, 2 unchanged" in pushed(tmp_path)
    write(tmp_path, "a/b", "select 1 as two")
    assert "0 added, 1 changed, 0 only in the bucket, 1 unchanged" in pushed(tmp_path)

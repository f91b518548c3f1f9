"""`extract doctor`: each thing that is broken is red, alone, with its fix, and nothing is left."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from extract_project.doctor import surroundings
from extract_project.doctor.buckets import bucket_checks
from extract_project.doctor.finding import Finding
from extract_project.doctor.surroundings import clock, disk
from extract_project.doctor.warehouses import sign_in
from extract_project.settings import load_settings
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.conftest import Site
from extract_project_tests.support.commands import call
from extract_project_tests.support.rigs import snowflake_service, snowflake_warehouse
from extract_project_tests.support.snowflake_server import snowflake_server


def checked(site: Site) -> dict[str, Finding]:
    settings = load_settings()
    found = [check() for check in bucket_checks(settings.connect(), settings.kms_key_id)]
    return {each.subject: each for each in found}


def test_a_sound_installation_and_no_dagster(
    configured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.put_sql("a/b", "select 1 as one")
    monkeypatch.setenv("EXTRACT_DAGSTER_URL", "http://127.0.0.1:9")
    result = call("doctor", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    red = [each for each in found if not each["ok"]]
    assert [each["subject"] for each in red] == ["dagster", "schedules and sensors"]
    assert {each["subject"] for each in found} == {
        "settings", "manifest", "versioning", "data: read", "data: write", "state: write",
        "data: multipart", "warehouse shop", "dagster", "schedules and sensors", "clock",
        "disk",
    }  # fmt: skip
    assert "set EXTRACT_DAGSTER_URL" in red[0]["fix"]
    everything: Any = configured.s3.list_object_versions(Bucket=configured.data.bucket)
    assert (everything.get("Versions"), everything.get("DeleteMarkers")) == (None, None)
    assert configured.open_uploads() == 0
    assert "✓ manifest: " in call("doctor").output


def test_settings_that_are_missing_are_all_told(unconfigured: None) -> None:
    result = call("doctor")
    assert result.exit_code == 1
    for name in ("EXTRACT_MANIFEST", "EXTRACT_DATA"):
        assert f"✗ settings: {name} is not set" in result.output


def test_a_bucket_without_versions(configured: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    configured.s3.create_bucket(Bucket="plain")
    monkeypatch.setenv("EXTRACT_DATA", "s3://plain/extracts")
    found = checked(configured)
    assert [each.subject for each in found.values() if not each.ok] == ["versioning"]
    assert "put-bucket-versioning --bucket plain" in found["versioning"].fix
    configured.s3.delete_bucket(Bucket="plain")


def test_a_bucket_that_is_not_there(configured: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_DATA", "s3://nowhere/extracts")
    monkeypatch.setenv("EXTRACT_STATE", configured.state.uri)
    found = checked(configured)
    assert {"versioning", "data: read"} == {each.subject for each in found.values() if not each.ok}
    assert "create it with versioning on" in found["versioning"].fix
    configured.s3.delete_bucket(Bucket="nowhere")  # this server makes it for the first upload


def test_credentials_that_may_nothing(configured: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTRACT_KMS_KEY_ID", "some-key")  # this server takes any
    assert "encrypted with some-key" in checked(configured)["data: multipart, KMS key"].detail
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which remembers credentials
    found = checked(configured)
    assert not any(each.ok for each in found.values())
    assert all(each.fix for each in found.values())
    assert "s3:ListBucket on" in found["manifest"].fix
    assert "kms:GenerateDataKey" in found["data: multipart, KMS key"].fix


def test_a_warehouse_and_its_rights(postgres: PostgresWarehouse) -> None:
    with psycopg.connect(host=postgres.host, user="postgres", autocommit=True) as admin:
        admin.execute("drop role if exists onlooker")
        admin.execute("create role onlooker login")
    reads, rights = sign_in("shop", postgres.model_copy(update={"user": "onlooker"}))
    assert (reads.ok, rights.ok) == (True, True)
    signed_in, powerful = sign_in("shop", postgres)
    assert (signed_in.ok, powerful.ok) == (True, False)
    (refused,) = sign_in("shop", postgres.model_copy(update={"user": "nobody"}))
    assert "EXTRACT_WAREHOUSES__SHOP__" in refused.fix
    assert "nobody" in refused.detail


def test_snowflake_is_asked_for_its_role() -> None:
    with snowflake_server(snowflake_service()) as server:
        found = list(sign_in("snow", snowflake_warehouse(server)))
    assert [each.subject for each in found] == ["warehouse snow", "warehouse snow: rights"]
    assert found[0].ok


def test_a_clock_that_is_wrong_and_a_disk_that_is_full(
    configured: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = load_settings().connect().data.store
    assert clock(store).ok
    monkeypatch.setattr(surroundings, "_MOST_SKEW", timedelta(seconds=-1))
    assert "NTP" in clock(store).fix
    assert disk().ok
    monkeypatch.setattr(surroundings, "_LEAST_DISK", 2**80)
    assert "TMPDIR" in disk().fix
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert "mount a writable volume" in disk().fix

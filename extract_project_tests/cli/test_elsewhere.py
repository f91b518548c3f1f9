"""Commands about extracts that depend on those of another manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extract_project.doctor.buckets import upstream_manifests
from extract_project.eventbridge.wanted import wanted_schedules
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.others import read_others
from extract_project.manifest.snapshot import point_to, save_snapshot
from extract_project.settings import load_settings
from extract_project.store.folder import Location
from extract_project_tests.conftest import DIALECTS, Site
from extract_project_tests.support.commands import call, write

AFTER = "/*---\ndepends_on: sales/orders\n---*/\nselect 1 as a"


@pytest.fixture
def sales(configured: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The manifest of another team, which has `sales/orders`."""
    manifest = Location(configured.manifest.bucket, "sales-sql")
    found = Site.of(configured.server, configured.s3, manifest, configured.data)
    found.put_sql("sales/orders", "select 1 as a")
    point_to(found.state, found.manifest.uri, save_snapshot(found.state, found.snapshot()))
    monkeypatch.setenv("EXTRACT_UPSTREAM_MANIFESTS", found.manifest.uri)
    return found


def test_check_and_plan_know_the_paths_of_other_manifests(
    sales: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "crm/report", AFTER)
    assert call("check", tmp_path).exit_code == 0
    planned = call("plan", tmp_path, "--no-describe")
    assert (planned.exit_code, "new      crm/report" in planned.output) == (0, True)
    write(tmp_path, "crm/report", AFTER.replace("orders", "order"))
    for command in ("check", "plan"):
        told = call(command, tmp_path)
        assert told.exit_code == 1
        assert "no extract 'sales/order' to depend on, here or in s3://" in told.output
        assert "did you mean 'sales/orders'?" in told.output
    monkeypatch.delenv("EXTRACT_UPSTREAM_MANIFESTS")
    write(tmp_path, "crm/report", AFTER)
    assert call("check", tmp_path).exit_code == 1


@pytest.mark.soak  # S3 is asked again, and again
def test_check_needs_s3_only_for_what_depends_on_other_manifests(
    sales: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    write(tmp_path, "crm/leads", "select 1 as a")
    write(tmp_path, "crm/report", AFTER)
    told = call("check", tmp_path)
    assert "2 files, 1 invalid" in told.output
    assert f"nothing is known of {sales.manifest.uri}" in told.output


def test_show_names_the_other_manifest(sales: Site, configured: Site) -> None:
    configured.put_sql("crm/report", AFTER)
    shown = json.loads(call("show", "crm/report", "--json").stdout)
    named = f"sales/orders of {sales.manifest.uri}"
    assert shown["schedule"]["text"] == f"on demand, when {named} has new data"


def test_without_a_service_it_runs_and_waits_for_nothing(sales: Site, configured: Site) -> None:
    configured.put_sql("crm/report", AFTER)
    done = call("materialize", "crm/report")
    assert done.exit_code == 0, done.output
    folders = load_settings().connect()
    snapshot = read_manifest(folders.manifest, DIALECTS, others=read_others(folders))
    (needed,) = wanted_schedules(snapshot).needs_service
    named = f"sales/orders of {sales.manifest.uri}"
    assert needed.consequence.startswith(f"nothing starts it after {named}: ")


def test_doctor_says_whether_it_is_known(
    sales: Site, configured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (good,) = upstream_manifests(load_settings().connect())
    assert (good.ok, good.detail) == (True, f"{sales.manifest.uri}: 1 extracts")
    monkeypatch.setenv("EXTRACT_UPSTREAM_MANIFESTS", "s3://nobody/sql")
    (bad,) = upstream_manifests(load_settings().connect())
    assert not bad.ok
    assert bad.detail.startswith("s3://nobody/sql: it has no snapshot in ")
    assert "EXTRACT_STATE" in bad.fix

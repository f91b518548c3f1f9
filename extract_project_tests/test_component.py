"""Extracts in a project that `create-dagster` made, beside an asset of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest
import yaml

import extract_project
from extract_project.deployment.client import Deployment
from extract_project.deployment.run import Run
from extract_project.embedded.dagster_server import dagster_processes
from extract_project.errors import SettingsError
from extract_project.settings import load_settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.waiting import await_value

_SECONDS = 120
_REPORT = """
import dagster as dg
import pyarrow as pa


@dg.asset(ins={"orders": dg.AssetIn(["sales", "orders"], input_manager_key="extracts")})
def report(orders: pa.Table) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"read": str(orders.to_pylist())})
"""


def call(project: Path, environment: Mapping[str, str], *command: str) -> None:
    program = Path(sysconfig.get_path("scripts")) / command[0]
    subprocess.run(
        [program, *command[1:]], cwd=project, env=environment, check=True, timeout=_SECONDS
    )


def finished(deployment: Deployment, run_id: str, steps: dict[str, str]) -> Run:
    def ended() -> Run | None:
        run = deployment.run(run_id, steps)
        return run if run.finished else None

    return await_value(f"the end of run {run_id}", ended, _SECONDS)


@pytest.mark.slow
def test_g3_a_project_has_extracts_beside_its_own_assets(site: Site, tmp_path: Path) -> None:
    """Scaffold, configure, load, run with the bucket changed, reload by the sensor."""
    aws = {**os.environ, **site.server.environment, "DAGSTER_CLI_TELEMETRY_DISABLED": "1"}
    call(tmp_path, aws, "create-dagster", "project", "shop", "--no-uv-sync")
    project = tmp_path / "shop"
    call(project, aws, "dg", "scaffold", "defs", "extract_project.ExtractsComponent", "extracts")
    defs = project / "src" / "shop" / "defs"
    scaffolded = yaml.safe_load((defs / "extracts" / "defs.yaml").read_text())
    assert scaffolded["type"] == "extract_project.ExtractsComponent"
    scaffolded["attributes"] = {
        "manifest": site.manifest.uri,
        "data": "{{ env.SHOP_DATA }}",
        "warehouses": {"shop": {"type": "duckdb"}},
    }
    (defs / "extracts" / "defs.yaml").write_text(yaml.safe_dump(scaffolded))
    (defs / "report.py").write_text(_REPORT)
    site.put_sql("sales/orders", "select 'as launched' as state")

    environment = {
        **aws,
        "SHOP_DATA": site.data.uri,
        "PYTHONPATH": os.pathsep.join([str(project / "src"), *sys.path]),
    }
    at_once = {
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        }
    }
    processes = dagster_processes(
        tmp_path / "home", environment, sections=at_once, module="shop.definitions", location="shop"
    )
    deployment = Deployment(processes.server.url, "shop")
    with processes.started("code-server"), processes.started("webserver"):
        steps = deployment.extracts()
        assert set(steps) == {"sales/orders", "report"}
        site.put_sql("sales/orders", "select 'changed since' as state")
        for path in ("sales/orders", "report"):
            run_id = deployment.launch([path])
            assert finished(deployment, run_id, steps).status == "SUCCESS"
        with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
            event = instance.get_latest_materialization_event(dg.AssetKey("report"))
        assert event is not None
        assert event.asset_materialization is not None
        read = event.asset_materialization.metadata["read"]
        assert read.value == "[{'state': 'as launched'}]"
        site.put_sql("sales/later", "select 1 as a")
        with processes.started("daemon"):
            await_value("the reload", lambda: "sales/later" in deployment.extracts(), _SECONDS)


def test_errors_name_the_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("EXTRACT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EXTRACT_DATA", "s3://data")
    warehouses = {"shop": {"type": "postgres", "host": "h", "pasword": "hunter2"}}
    with pytest.raises(SettingsError) as raised:
        load_settings({"warehouses": warehouses})
    manifest, user, password = sorted(str(raised.value).splitlines())
    assert manifest.startswith("EXTRACT_MANIFEST is not set: expected where the SQL files are")
    assert password.startswith("warehouses.shop.user is not set: expected the user of")
    assert user.startswith("warehouses.shop.pasword is not a setting of a postgres warehouse")
    assert "hunter2" not in str(raised.value)
    shown = repr(extract_project.ExtractsComponent(warehouses=warehouses))
    assert "hunter2" not in shown


def test_dagster_is_imported_when_the_component_is() -> None:
    code = (
        "import sys, extract_project; assert 'ExtractsComponent' in dir(extract_project); "
        "assert 'dagster' not in sys.modules; extract_project.ExtractsComponent"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

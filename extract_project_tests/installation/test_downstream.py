"""A plan names the assets of a running Dagster that a change breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    TableColumnDep,
    TableColumnLineage,
)

from extract_project_tests.support.commands import write
from extract_project_tests.support.installation import Installation
from extract_project_tests.support.publishing import publish

OLD = "select 1 as id, 'x' as town, 'y' as note"
FILES = {
    "downstream/orders": OLD,
    "downstream/daily": "/*---\ndepends_on: downstream/orders\n---*/\nselect 1 as n",
}


def planned(installed: Installation, folder: Path, sql: str, *options: str) -> Any:
    write(folder, "downstream/orders", sql)
    done = installed.call("plan", str(folder), "--json", *options)
    assert done.stderr == ""
    return json.loads(done.stdout)[0]["breaking"]


def used_columns(installed: Installation, *columns: str) -> None:
    """A materialization of `own/told` whose lineage has these columns of the extract."""
    orders = AssetKey(["downstream", "orders"])
    lineage = TableColumnLineage({"a": [TableColumnDep(orders, each) for each in columns]})
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        instance.report_runless_asset_event(
            AssetMaterialization(["own", "told"], metadata={"dagster/column_lineage": lineage})
        )


@pytest.mark.slow
def test_assets_of_dagster_that_a_change_breaks_are_named(
    installed: Installation, tmp_path: Path
) -> None:
    publish(installed.site, "downstream/orders", OLD)
    used_columns(installed, "id", "note")
    whole, town = {"key": "own/whole", "columns": None}, {"key": "own/town", "columns": ["town"]}

    assert planned(installed, tmp_path, f"{OLD}, 1 as more") is None
    without_note = "select 1 as id, 'x' as town"
    told = planned(installed, tmp_path, without_note)
    assert told["extracts"] == ["downstream/daily"]
    assert told["assets"] == [{"key": "own/told", "columns": ["note"]}, whole]
    shown = " ".join(installed.call("plan", str(tmp_path)).stdout.split())
    assert (
        "BREAKING for downstream/daily (depends on it), own/whole (Dagster asset, which may use "
        "any column) and own/told (Dagster asset, which uses 'note'): 'note', text, is gone"
    ) in shown
    commented = installed.call("plan", str(tmp_path), "--format", "markdown").stdout
    assert "own/told (Dagster asset, which uses 'note')" in commented
    pushed = installed.call("push", str(tmp_path), "--overwrite")
    assert (pushed.exit_code, "and own/told (Dagster asset" in pushed.stderr) == (1, True)

    retyped = "select 1 as id, 2 as town, 'y' as note"
    assert planned(installed, tmp_path, retyped)["assets"] == [town, whole]
    moved = f"/*---\nformat: csv\n---*/\n{OLD}"
    assert [each["key"] for each in planned(installed, tmp_path, moved)["assets"]] == [
        "own/told",
        "own/town",
        "own/whole",
    ]

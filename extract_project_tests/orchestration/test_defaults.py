"""What Dagster shows of the defaults that reach an extract."""

from __future__ import annotations

import dagster as dg

from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute, materialization


def test_an_asset_and_its_materialization_name_their_defaults(
    site: Site, settings: Settings
) -> None:
    root = site.put_defaults("", "owners: team:data")
    near = site.put_defaults("a", "checks: {max_rows: 0}")
    site.put_sql("a/b", "select 1 as one")
    site.put_sql("c", "select 1 as one")
    defs = definitions(site, settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(defs, instance, "a/b")
        assert execute(defs, instance, "c").success
        published = materialization(instance, "c")
    listed = f"- _defaults.yaml version {root}"
    key = dg.AssetKey(["a", "b"])
    spec = defs.get_assets_def(key).specs_by_key[key]
    assert spec.owners == ["team:data"]
    assert spec.metadata["defaults"].value == f"{listed}\n- a/_defaults.yaml version {near}"
    assert published.metadata["defaults"].value == listed
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    report = failed.step_failure_data.user_failure_data
    assert report is not None
    assert (
        "a/b.sql:1:1: 1 rows; the rule is at most 0 rows ('checks' is set in a/_defaults.yaml:1:1)"
    ) in (report.description or "")

"""A run whose SQL is no longer the newest says so in its log."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.executing import definitions, execute


def _changed(site: Site) -> str:
    return f"orders.sql has a newer version {site.put_sql('sales/orders', 'select 2 as n')}"


def _removed(site: Site) -> str:
    site.manifest.store.hide(site.manifest.key("sales/orders.sql"))
    return "orders.sql was removed meanwhile"


def _defaults(site: Site) -> str:
    version = site.put_defaults("sales", "params: {word: new}")
    return f"_defaults.yaml has a newer version {version}"


def _log(instance: dg.DagsterInstance, run: dg.ExecuteInProcessResult) -> str:
    """What the run's page shows."""
    assert run.success
    return "\n".join(entry.user_message for entry in instance.all_logs(run.run_id))


@pytest.mark.parametrize("meanwhile", [_changed, _removed, _defaults])
def test_the_log_says_that_there_is_newer_sql(
    site: Site, settings: Settings, meanwhile: Callable[[Site], str]
) -> None:
    site.put_defaults("sales", "params: {word: old}")
    version = site.put_sql("sales/orders", "select :word as word")
    with dg.DagsterInstance.ephemeral() as instance:
        defs = definitions(site, settings)
        assert "this run executes" not in _log(instance, execute(defs, instance))
        said = meanwhile(site)
        log = _log(instance, execute(defs, instance))
    assert said in log
    if meanwhile is not _defaults:
        assert f"this run executes version {version}" in log

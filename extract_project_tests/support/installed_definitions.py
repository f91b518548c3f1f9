"""The definitions of the tests' installation: extracts, and a team's own assets that read them."""

from __future__ import annotations

import dagster as dg

from extract_project.orchestration.load.build import build_extract_defs
from extract_project.settings import load_settings

_ORDERS = dg.AssetKey(["downstream", "orders"])
_LINEAGE = dg.TableColumnLineage({"shown": [dg.TableColumnDep(_ORDERS, "town")]})


@dg.asset(key=["own", "whole"], deps=[_ORDERS])
def whole() -> None:
    """Nobody knows which columns it uses."""


@dg.asset(key=["own", "town"], deps=[_ORDERS], metadata={"dagster/column_lineage": _LINEAGE})
def town() -> None:
    """Its definition says that it uses one column."""


@dg.asset(key=["own", "told"], deps=[_ORDERS])
def told() -> None:
    """Its materializations say which columns it used."""


@dg.definitions
def definitions() -> dg.Definitions:
    return build_extract_defs(load_settings(), beside=dg.Definitions(assets=[whole, town, told]))

"""A team's own definitions beside the extracts, as extract_project/definitions.py describes."""

from __future__ import annotations

import dagster as dg

from extract_project.orchestration.load.build import build_extract_defs
from extract_project.settings import load_settings


@dg.asset(key=["own", "report"], deps=[dg.AssetKey(["sales", "orders"])])
def report() -> None:
    """An asset whose key can collide with that of a SQL file."""


@dg.definitions
def definitions() -> dg.Definitions:
    return build_extract_defs(load_settings(), beside=dg.Definitions(assets=[report]))

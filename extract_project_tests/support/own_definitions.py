"""Definitions of a team's own beside the extracts, as extract_project/definitions.py shows it."""

from __future__ import annotations

import dagster as dg

from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.load.loading import (
    RefusedManifest,
    load_definitions,
    once_per_load,
)
from extract_project.orchestration.run.assets import Site
from extract_project.settings import load_settings
from extract_project.store.s3 import connect


@dg.asset(key=["own", "report"])
def report() -> None:
    """An asset whose key a SQL file can have as well."""


@dg.definitions
@once_per_load
def definitions() -> dg.Definitions:
    settings = load_settings()

    def build(
        snapshot_id: str, snapshot: Snapshot, refused: RefusedManifest | None
    ) -> dg.Definitions:
        extracts = compose(snapshot, Site(settings, connect, snapshot_id), refused)
        return dg.Definitions.merge(extracts, dg.Definitions(assets=[report]))

    return load_definitions(connect(), settings, build)

"""What Dagster loads: settings and a snapshot of the manifest, composed into definitions.

Own assets, downstream of extracts or beside them, are merged in here:

    return dg.Definitions.merge(compose(snapshot, …), dg.Definitions(assets=[report]))

In the run worker of an extract, `snapshot` holds that extract and what it depends on: do not look
others up in it without need, and let an automation condition sensor of one's own select extracts
by group or prefix, since Dagster resolves such a sensor's keys in every process.
"""

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


@dg.definitions
@once_per_load
def definitions() -> dg.Definitions:
    """Every extract of the manifest as an asset."""
    settings = load_settings()

    def build(
        snapshot_id: str, snapshot: Snapshot, refused: RefusedManifest | None
    ) -> dg.Definitions:
        return compose(snapshot, Site(settings, settings.connect, snapshot_id), refused)

    return load_definitions(settings.connect(), settings, build)

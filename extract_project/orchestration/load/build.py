"""Build Dagster definitions of all extracts from settings."""

from __future__ import annotations

import dagster as dg

from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.load.loading import (
    RefusedManifest,
    load_definitions,
    once_per_load,
)
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings


@once_per_load
def build_extract_defs(settings: Settings, beside: dg.Definitions | None = None) -> dg.Definitions:
    """Every extract of the manifest as an asset, with its checks, schedules and sensors.

    Call it once while Dagster loads a code location, in a function with `@dg.definitions`. Each run
    then uses the SQL that it was launched with (G3). `beside` are your own definitions. If a SQL
    file and one of them have the same key, the file becomes an invalid extract and everything else
    loads; merged afterwards, they would keep the whole code location from loading.

    In the run worker of an extract, the result has only that extract and those upstream of it.
    """

    def build(
        snapshot_id: str, snapshot: Snapshot, refused: RefusedManifest | None
    ) -> dg.Definitions:
        location = CodeLocation(settings, settings.connect, snapshot_id, snapshot.elsewhere)
        extracts = compose(snapshot, location, refused)
        return dg.Definitions.merge(extracts, beside) if beside else extracts

    return load_definitions(settings.connect(), settings, build)

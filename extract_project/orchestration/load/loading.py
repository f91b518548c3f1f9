"""Load definitions from the right snapshot: the current manifest, or the one of a run.

While a code location loads, the manifest is read and saved as a snapshot, and its id is stored in
the reconstruction metadata. Every run worker then loads exactly that snapshot (G3).
`Definitions.with_reconstruction_metadata` inside a `@dg.definitions` function silently stores
nothing (measured on Dagster 1.13.27); `add_to_pending_reconstruction_metadata` works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Protocol

import dagster as dg

from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.elsewhere import Elsewhere
from extract_project.manifest.others import read_others
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.snapshot import (
    Snapshot,
    load_snapshot,
    marked_snapshot,
    point_to,
    save_snapshot,
)
from extract_project.orchestration.dagster_internals import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from extract_project.orchestration.load.isolating import isolated
from extract_project.orchestration.load.narrowing import executed_here, suffices
from extract_project.process import quiet_sqlglot, without_collection
from extract_project.settings import Settings
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders

_KEY = "extract_snapshot"


Load = Callable[[Settings, dg.Definitions | None], dg.Definitions]
"""Makes definitions from settings, and from definitions beside the extracts."""


class BuildsDefinitions(Protocol):
    """A function like `Load` whose second argument may be left out."""

    def __call__(
        self, settings: Settings, beside: dg.Definitions | None = None
    ) -> dg.Definitions: ...


def once_per_load(load: Load) -> BuildsDefinitions:
    """Build the definitions of a snapshot once, although Dagster asks for them twice.

    A code server initializes the definitions and then immediately reconstructs them for the same
    snapshot (measured on Dagster 1.13.27: `LoadedRepositories`). The second call returns the result
    of the first.
    """
    initialized: dict[str, tuple[Settings, dg.Definitions]] = {}

    @wraps(load)
    def once(settings: Settings, beside: dg.Definitions | None = None) -> dg.Definitions:
        context = DefinitionsLoadContext.get()
        if context.load_type is DefinitionsLoadType.RECONSTRUCTION:
            pinned = str(context.reconstruction_metadata.get(_KEY))
            made_for, made = initialized.pop(pinned, (None, None))
            if made is not None and made_for == settings:
                return _with_job_snapshots(made)
            return load(settings, beside)
        initialized.clear()
        with without_collection():
            made = load(settings, beside)
        pending = context.get_pending_reconstruction_metadata()
        if _KEY in pending:
            initialized[pending[_KEY]] = settings, made
        return made

    return once


def _with_job_snapshots(made: dg.Definitions) -> dg.Definitions:
    """Snapshot each job before the code server answers.

    Webserver and daemon ask for the snapshots at the same moment, the webserver twice. Dagster
    would compute them again for each request that arrives before the first is answered.
    """
    for job in made.get_repository_def().get_all_jobs():
        job.get_job_snapshot_id()
    return made


@dataclass(frozen=True)
class RefusedManifest:
    """A manifest whose definitions do not load, so that an older one is still served."""

    files: Mapping[str, str]
    """Key and ETag of every SQL file in it."""
    reason: str
    elsewhere: tuple[Elsewhere, ...] = ()
    """What it depends on in other manifests."""


def load_definitions(
    folders: Folders,
    settings: Settings,
    build: Callable[[str, Snapshot, RefusedManifest | None], dg.Definitions],
) -> dg.Definitions:
    """Definitions of the current manifest, or of the one that this run was launched with.

    `build` makes them from a snapshot's id, the snapshot, and a newer manifest that does not load.

    A file that keeps them from loading becomes an invalid extract. If no file is the reason, the
    last manifest that loaded is still served.
    """
    quiet_sqlglot()
    context = DefinitionsLoadContext.get()
    state = folders.state
    if context.load_type is DefinitionsLoadType.RECONSTRUCTION:
        # `dg launch` reconstructs without having initialized, so there is no snapshot id.
        pinned = context.reconstruction_metadata.get(_KEY)
        if pinned:
            return build(str(pinned), _for_this_worker(state, settings, str(pinned)), None)
    folders.data.store.require_versioning()
    manifest = folders.manifest.uri
    known = marked_snapshot(state, manifest)
    snapshot_id, snapshot = current_snapshot(
        folders, settings.dialects, known[1] if known else None
    )

    def loaded(snapshot_id: str, snapshot: Snapshot) -> dg.Definitions:
        made = build(snapshot_id, snapshot, None)
        # Before the repository is made, since it copies the pending metadata.
        _pin(context, snapshot_id)
        made.get_repository_def().load_all_definitions()
        return made

    def fault(trial: Snapshot) -> Exception | None:
        try:
            loaded(snapshot_id, trial)
        except Exception as error:
            return error
        return None

    try:
        made = loaded(snapshot_id, snapshot)
    except Exception as error:  # of Dagster, or of the project's own definitions
        served = marked_snapshot(state, manifest, "served")
        remaining = isolated(snapshot, fault, served[1] if served else None)
        if remaining is None:
            if served is None or served[0] == snapshot_id:
                raise
            _pin(context, served[0])
            return build(*served, RefusedManifest(snapshot.files, str(error), snapshot.elsewhere))
        snapshot_id = save_snapshot(state, remaining)
        made = loaded(snapshot_id, remaining)
    point_to(state, manifest, snapshot_id, "served")
    return made


def _pin(context: DefinitionsLoadContext, snapshot_id: str) -> None:
    """Make every run launched from these definitions load the same snapshot (G3)."""
    if context.load_type is DefinitionsLoadType.INITIALIZATION:
        context.add_to_pending_reconstruction_metadata(_KEY, snapshot_id)


def _for_this_worker(state: Folder, settings: Settings, snapshot_id: str) -> Snapshot:
    """A snapshot with the extracts of the run executed here, or with all if it may need more."""
    run = executed_here(settings)
    if run is not None:
        snapshot = load_snapshot(state, snapshot_id, only=frozenset(run.extracts))
        if suffices(snapshot, run):
            return snapshot
    return load_snapshot(state, snapshot_id)


def current_snapshot(
    folders: Folders, dialects: Dialects, known: Snapshot | None
) -> tuple[str, Snapshot]:
    """Read the manifest and save it as a snapshot; files that `known` has are not fetched again."""
    snapshot = read_manifest(folders.manifest, dialects, known, read_others(folders))
    snapshot_id = save_snapshot(folders.state, snapshot)
    point_to(folders.state, folders.manifest.uri, snapshot_id)
    return snapshot_id, snapshot

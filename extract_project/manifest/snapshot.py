"""Snapshots: the manifest at one moment, immutable, saved under the hash of its content (G3).

The code server reads the bucket and saves a snapshot. A run is launched with its id and loads
exactly that snapshot with one GET, in any process or task. Each extract is one line, so that a run
worker need not parse the thousands of extracts that it does not run.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json, to_json

from extract_project.errors import NoSuchObject, NotPublished
from extract_project.manifest.elsewhere import Elsewhere
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, is_sql
from extract_project.store.folder import Folder, Location
from extract_project.store.protocol import Absent, NotApplied

Mark = Literal["newest", "served"]


class Snapshot(BaseModel):
    """Each file's key, VersionId, text and parsed header; or why it could not be parsed."""

    model_config = ConfigDict(frozen=True)

    manifest: str
    """URI of the manifest that was read."""
    extracts: tuple[Extract, ...] = ()
    invalid: tuple[InvalidExtract, ...]

    files: dict[str, str] = {}
    """Key and ETag of every SQL file, and of every file of defaults, that was read."""
    parsed_by: str = ""
    """The parser's version and warehouses: if they change, files are parsed again."""
    upstream: tuple[str, ...] = ()
    """Every path that a `depends_on` names, if other manifests are in the settings."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """What these paths are in other manifests."""

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all SQL files of the manifest, even if only some extracts were loaded."""
        root = Location.parse(self.manifest)
        listed = (root.relative(key)[: -len(SUFFIX)] for key in self.files if is_sql(key))
        read = (*(each.path for each in self.extracts), *(each.path for each in self.invalid))
        return frozenset([*listed, *read])


def save_snapshot(state: Folder, snapshot: Snapshot) -> str:
    """Save under the content hash and return it; saving the same content again changes nothing."""
    head = snapshot.model_dump_json(exclude={"extracts"})
    lines = [head, *(extract.model_dump_json() for extract in snapshot.extracts)]
    content = "\n".join(lines).encode()
    snapshot_id = sha256(content).hexdigest()[:32]
    location = _location(state, snapshot_id)
    body = gzip.compress(content, compresslevel=1, mtime=0)
    with suppress(NotApplied):
        state.store.put(location.prefix, body, "application/gzip", condition=Absent())
    return snapshot_id


def load_snapshot(state: Folder, snapshot_id: str, only: Collection[str] | None = None) -> Snapshot:
    """Load a snapshot by its id, with all extracts, or only those at `only` and their dependencies.

    With `only`, for a run worker, what is elsewhere is left out: it decides when something starts.
    Raises NotPublished if it has been removed, ValueError if it was altered.
    """
    head, *lines = snapshot_lines(state, snapshot_id)
    wanted = lines
    if only is not None:
        wanted = _with_upstream(lines, only)
        head = to_json({**from_json(head), "elsewhere": []})
    extracts = tuple(Extract.model_validate_json(line) for line in wanted)
    return Snapshot.model_validate_json(head).model_copy(update={"extracts": extracts})


def snapshot_lines(state: Folder, snapshot_id: str) -> Sequence[bytes]:
    """A snapshot as it is stored: all but its extracts, and then each extract, as JSON.

    Raises NotPublished if it has been removed, ValueError if it was altered.
    """
    location = _location(state, snapshot_id)
    try:
        body = state.store.read(location.prefix).body
    except NoSuchObject:
        raise NotPublished(
            f"snapshot {snapshot_id} is not at {location}: it was removed, or EXTRACT_STATE "
            f"differs between the code server and this run; launch the run again"
        ) from None
    try:
        content = gzip.decompress(body)
    except (EOFError, OSError, zlib.error):
        content = b""
    if sha256(content).hexdigest()[:32] != snapshot_id:
        raise ValueError(f"snapshot {location} does not match its own name: it was altered")
    return content.split(b"\n")


def _with_upstream(lines: Sequence[bytes], only: Collection[str]) -> list[bytes]:
    """The lines of some extracts, and of those that they directly depend on."""
    by_path = {from_json(line)["path"]: line for line in lines}
    chosen = [Extract.model_validate_json(by_path[path]) for path in only if path in by_path]
    kept = {path for each in chosen for path in (each.path, *each.header.depends_on)}
    return [line for path, line in by_path.items() if path in kept]


def point_to(state: Folder, manifest: str, snapshot_id: str, mark: Mark = "newest") -> None:
    """Mark a snapshot as the manifest's newest, or as the last whose definitions were served."""
    state.store.put(_marked(state, manifest, mark).prefix, snapshot_id.encode(), "text/plain")


def marked_snapshot(
    state: Folder, manifest: str, mark: Mark = "newest"
) -> tuple[str, Snapshot] | None:
    """Id and content of a marked snapshot; None if there is none that this release can read."""
    snapshot_id = marked_id(state, manifest, mark)
    try:
        return None if snapshot_id is None else (snapshot_id, load_snapshot(state, snapshot_id))
    except (NotPublished, ValueError):
        return None


def marked_id(state: Folder, manifest: str, mark: Mark = "newest") -> str | None:
    """The id of a marked snapshot; None if there is none."""
    try:
        return state.store.read(_marked(state, manifest, mark).prefix).body.decode()
    except NoSuchObject:
        return None


def _marked(state: Folder, manifest: str, mark: Mark) -> Folder:
    """Several manifests may keep their snapshots in one place."""
    return state / f"snapshots/{mark}-{sha256(manifest.encode()).hexdigest()[:16]}"


def _location(state: Folder, snapshot_id: str) -> Folder:
    return state / f"snapshots/{snapshot_id}.json.gz"

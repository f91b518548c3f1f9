"""Other manifests, whose extracts those of one manifest may depend on.

They belong to other code locations, which may run other releases of this project, with other
warehouses and defaults. So their files are not parsed here: each is known from its newest snapshot,
and of that only what says when an extract runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from extract_project.errors import NotPublished, StoreRefused
from extract_project.manifest.elsewhere import KEYS_OF_STARTS, Elsewhere
from extract_project.manifest.extract import SUFFIX, Extract
from extract_project.manifest.header.model import Header
from extract_project.manifest.snapshot import marked_id, snapshot_lines
from extract_project.source import SqlSource
from extract_project.store.folder import Folder
from extract_project.store.stores import Folders


@dataclass(frozen=True)
class OtherManifest:
    """Another manifest, as its newest snapshot has it."""

    uri: str
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The keys of each valid extract that say when it runs, by path."""
    invalid: frozenset[str] = frozenset()
    """Paths of invalid extracts."""
    snapshot_id: str | None = None
    beyond: tuple[OtherManifest, ...] = ()
    """What its extracts depend on in other manifests again."""
    unknown: str = ""
    """Why nothing is known of it, if that is so."""

    def __contains__(self, path: str) -> bool:
        return path in self.headers or path in self.invalid

    @property
    def paths(self) -> list[str]:
        return [*self.headers, *self.invalid]

    def upstream(self, path: str) -> Sequence[str]:
        """What one of its extracts depends on."""
        found: Sequence[str] = self.headers.get(path, {}).get("depends_on", ())
        return found

    def fault_of(self, path: str) -> str:
        """What this release does not understand of an extract that another one has read."""
        try:
            self.extract(path)
        except ValidationError as error:
            return "; ".join(each["msg"] for each in error.errors(include_url=False))
        return ""

    def extract(self, path: str) -> Extract | None:
        """An extract, without what only its own code location needs; None if it is invalid.

        Raises ValidationError if another release has written what this one does not understand.
        """
        if path not in self.headers:
            return None
        return Extract(
            path=path,
            source=SqlSource(key=f"{path}{SUFFIX}", version_id=None, etag="", sha256=""),
            text="",
            header=Header.model_validate_json(to_json(self.headers[path])),
            warehouse="",
            kind="",
            placeholders=(),
            statement_end=0,
            tables=(),
            code_version="",
        )


def read_others(
    folders: Folders, before: Iterable[OtherManifest] = ()
) -> tuple[OtherManifest, ...]:
    """The other manifests of a deployment; of those in `before` only what is newer is read."""
    known = {each.uri: each for each in before}
    return tuple(_read(folders.state, uri, known.get(uri)) for uri in folders.upstream_manifests)


def _read(state: Folder, uri: str, before: OtherManifest | None) -> OtherManifest:
    try:
        snapshot_id = marked_id(state, uri)
        if snapshot_id is None:
            reason = (
                f"it has no snapshot in {state}: expected its code location to have loaded it, "
                f"with the same EXTRACT_STATE as here"
            )
            return OtherManifest(uri, unknown=reason)
        if before is not None and before.snapshot_id == snapshot_id and not before.unknown:
            return before
        head, *lines = map(from_json, snapshot_lines(state, snapshot_id))
        return OtherManifest(
            uri,
            _headers(lines),
            frozenset(each["path"] for each in head["invalid"]),
            snapshot_id,
            tuple(
                OtherManifest(
                    each["manifest"], _headers(each["extracts"]), frozenset(each["invalid"])
                )
                for each in head.get("elsewhere", ())
            ),
        )
    except (KeyError, TypeError, ValueError, NotPublished) as error:
        return OtherManifest(uri, unknown=f"its newest snapshot cannot be read: {error}")
    except StoreRefused as error:
        if error.transient:
            raise
        return OtherManifest(uri, unknown=str(error))


def _headers(extracts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {
        each["path"]: {key: each["header"][key] for key in KEYS_OF_STARTS & each["header"].keys()}
        for each in extracts
    }


def found_elsewhere(
    paths: Iterable[str], others: Sequence[OtherManifest], own: str
) -> tuple[Elsewhere, ...]:
    """What these paths are in other manifests, with all that is upstream of them.

    `own` is the URI of the manifest that names them.
    """
    beyond = [each for other in others for each in other.beyond if each.uri != own]
    extracts: dict[str, list[Extract]] = {}
    invalid: dict[str, list[str]] = {}
    coming, seen = sorted(paths), set[str]()
    while coming:
        path = coming.pop()
        having = next((each for each in (*others, *beyond) if path in each), None)
        if having is None or path in seen:
            continue
        seen.add(path)
        try:
            extract = having.extract(path)
        except ValidationError:
            extract = None
        if extract is None:
            invalid.setdefault(having.uri, []).append(path)
        else:
            extracts.setdefault(having.uri, []).append(extract)
            coming += extract.header.depends_on
    return tuple(
        Elsewhere(
            manifest=uri,
            extracts=tuple(sorted(extracts.get(uri, ()), key=lambda each: each.path)),
            invalid=tuple(sorted(invalid.get(uri, ()))),
        )
        for uri in sorted(extracts.keys() | invalid.keys())
    )

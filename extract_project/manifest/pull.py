"""Fetch the manifest into a local folder, without losing what was changed there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Literal

from extract_project.errors import ManifestError
from extract_project.manifest.bucket import FetchedFile, fetch_file, list_files
from extract_project.manifest.folder import manifest_files
from extract_project.manifest.lock import Seen
from extract_project.store.folder import Folder

_AT_A_TIME = 16

Change = Literal["added", "changed", "removed", "kept"]


@dataclass(frozen=True)
class Pulled:
    """The change that a pull makes to one file."""

    name: str
    change: Change
    """`kept`: it was changed here and in the bucket, or was never seen there, so it stays."""
    fetched: FetchedFile | None
    """What the bucket has; None if it was removed there."""

    @property
    def seen(self) -> Seen | None:
        if self.fetched is None:
            return None
        source = self.fetched.source
        return Seen(version_id=source.version_id, token=source.etag, sha256=source.sha256)


@dataclass(frozen=True)
class Pull:
    """The changes of a pull, and what is the same already."""

    changes: tuple[Pulled, ...]
    same: Mapping[str, Seen]


def plan_pull(
    manifest: Folder, root: Path, seen: Mapping[str, Seen], *, overwrite: bool = False
) -> Pull:
    """Plan a pull into this folder; nothing is written yet.

    A file that was changed or removed here only is left alone, so that a push can take it along.
    With `overwrite`, what was changed here is given up.
    """
    local = {name: _sha256(file) for name, file in manifest_files(root).items()}
    there = {manifest.relative(file.key): file.token for file in list_files(manifest)}
    wanted = [
        name
        for name, token in there.items()
        if overwrite or name not in seen or seen[name].token != token
    ]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = pool.map(lambda name: fetch_file(manifest, manifest.key(name)), wanted)
        fetched = {file.name: file for file in found if file is not None}
    changes: list[Pulled] = []
    same: dict[str, Seen] = {}
    for name, file in sorted(fetched.items()):
        _require_inside(name)
        known = local.get(name)
        pulled = Pulled(name, "added" if known is None else "changed", file)
        if known == file.source.sha256:
            if pulled.seen:
                same[name] = pulled.seen
        elif overwrite or _is_untouched(known, seen.get(name)):
            changes.append(pulled)
        else:
            changes.append(Pulled(name, "kept", file))
    changes += _removed(local, there, seen, overwrite=overwrite)
    return Pull(tuple(changes), same)


def write_pulled(root: Path, pulled: Pulled) -> None:
    """Carry out one change in the folder."""
    file = root / pulled.name
    if pulled.fetched is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.pulled")
    draft.write_bytes(pulled.fetched.content)
    draft.replace(file)


def _removed(
    local: Mapping[str, str], there: Collection[str], seen: Mapping[str, Seen], *, overwrite: bool
) -> Iterator[Pulled]:
    """Files that the bucket had when it was last seen, and has no more."""
    for name in sorted(seen.keys() & local.keys() - set(there)):
        is_mine = not overwrite and local[name] != seen[name].sha256
        yield Pulled(name, "kept" if is_mine else "removed", None)


def _is_untouched(local: str | None, seen: Seen | None) -> bool:
    """Whether the local file is what was seen last, or neither is there."""
    return local == (seen.sha256 if seen else None)


def _require_inside(name: str) -> None:
    """Raise ManifestError for a key that would be written outside of the folder."""
    if ".." in PurePosixPath(name).parts or name.startswith("/") or "\\" in name:
        raise ManifestError(f"{name!r} is no path below a folder: rename it in the bucket")


def _sha256(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()

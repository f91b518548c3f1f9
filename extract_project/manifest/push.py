"""Push a folder of SQL files to the manifest bucket: upload only what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from itertools import filterfalse
from pathlib import Path

from extract_project.manifest.bucket import fetch_file, fetched_defaults, list_files
from extract_project.manifest.defaults import DefaultsTree
from extract_project.manifest.extract import is_sql
from extract_project.manifest.folder import local_defaults
from extract_project.manifest.parsing import Dialects
from extract_project.store.folder import Folder

_AT_A_TIME = 16


@dataclass(frozen=True)
class Changes:
    """Paths of SQL files and defaults below the manifest prefix."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    same: tuple[str, ...]

    @property
    def uploads(self) -> tuple[str, ...]:
        return (*self.added, *self.changed)


def compare(manifest: Folder, files: dict[str, Path]) -> Changes:
    """The changes that a push would make.

    If the token is the content's MD5 (S3's ETag of a plain PUT), the object need not be read. Other
    tokens say nothing: S3 uses others for objects encrypted with a KMS key, and so do other stores.
    """
    there = {manifest.relative(file.key): file for file in list_files(manifest)}
    both = [name for name in files if name in there]

    def is_same(name: str) -> bool:
        content = files[name].read_bytes()
        if md5(content).hexdigest() == there[name].token:
            return True
        fetched = fetch_file(manifest, there[name].key)
        return fetched is not None and fetched.content == content

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        same = dict(zip(both, pool.map(is_same, both), strict=True))
    return Changes(
        added=tuple(name for name in files if name not in there),
        changed=tuple(name for name in both if not same[name]),
        removed=tuple(name for name in there if name not in files),
        same=tuple(name for name in both if same[name]),
    )


def defaults_after_push(
    manifest: Folder, files: Mapping[str, Path], staying: Iterable[str], dialects: Dialects
) -> DefaultsTree:
    """The defaults that there will be: the local ones, and those that are only in the bucket."""
    names = [name for name in staying if not is_sql(name)]
    fetched = [fetch_file(manifest, manifest.key(name)) for name in names]
    remaining = [fetched_defaults(file, dialects) for file in fetched if file is not None]
    return DefaultsTree.of([*local_defaults(files, dialects), *remaining])


def push(
    manifest: Folder,
    files: dict[str, Path],
    changes: Changes,
    *,
    delete: bool,
    done: Callable[[str], None],
) -> None:
    """Upload new and changed files; with `delete`, remove files that the folder does not have.

    `done` is called with each path once it is uploaded (or removed).
    """

    def upload(name: str) -> str:
        kind = "application/sql" if is_sql(name) else "application/yaml"
        manifest.store.put(manifest.key(name), files[name].read_bytes(), kind)
        return name

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        # Defaults first: SQL files may not be valid without them.
        for group in (filterfalse(is_sql, changes.uploads), filter(is_sql, changes.uploads)):
            for name in pool.map(upload, group):
                done(name)
    if delete:
        for name in changes.removed:
            manifest.store.hide(manifest.key(name))
            done(name)

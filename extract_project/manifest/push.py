"""Push a folder of SQL files to the manifest bucket: upload only what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5, sha256
from itertools import filterfalse
from pathlib import Path

from extract_project.errors import ManifestError
from extract_project.manifest.bucket import fetch_file, fetched_defaults, list_files
from extract_project.manifest.defaults import DefaultsTree
from extract_project.manifest.extract import is_sql
from extract_project.manifest.folder import local_defaults
from extract_project.manifest.lock import Seen
from extract_project.manifest.parsing import Dialects
from extract_project.store.folder import Folder
from extract_project.store.protocol import Absent, Holds, NotApplied

_AT_A_TIME = 16


@dataclass(frozen=True)
class Changes:
    """Paths of SQL files and defaults below the manifest prefix."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    """Only in the bucket, in the part of it that is pushed."""
    same: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    """In the bucket, outside that part."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Of every file in the bucket, as it was compared."""

    @property
    def uploads(self) -> tuple[str, ...]:
        return (*self.added, *self.changed)


def compare(manifest: Folder, files: Mapping[str, Path], part: str = "") -> Changes:
    """The changes that a push would make.

    `part` is what is pushed: a folder (`sales/`) or a file of the manifest; all of it by default.

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
    alone = [name for name in there if name not in files]
    return Changes(
        added=tuple(name for name in files if name not in there),
        changed=tuple(name for name in both if not same[name]),
        removed=tuple(name for name in alone if name.startswith(part)),
        same=tuple(name for name in both if same[name]),
        elsewhere=tuple(name for name in alone if not name.startswith(part)),
        tokens={name: file.token for name, file in there.items()},
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
    manifest: Folder, files: Mapping[str, Path], changes: Changes, *, delete: bool
) -> Iterator[tuple[str, Seen | None]]:
    """Upload new and changed files; with `delete`, remove files that the folder does not have.

    Gives each file once it is written, and None for one that is removed. Each write is applied only
    if the file is still as it was compared: raises ManifestError where it is not.
    """

    def upload(name: str) -> tuple[str, Seen]:
        kind = "application/sql" if is_sql(name) else "application/yaml"
        content = files[name].read_bytes()
        token = changes.tokens.get(name)
        condition = Absent() if token is None else Holds(token)
        with _explained(name):
            done = manifest.store.put(manifest.key(name), content, kind, condition=condition)
        return name, Seen(
            version_id=done.version_id, token=done.token, sha256=sha256(content).hexdigest()
        )

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        # Defaults first: SQL files may not be valid without them.
        for group in (filterfalse(is_sql, changes.uploads), filter(is_sql, changes.uploads)):
            yield from pool.map(upload, group)
    if delete:
        for name in changes.removed:
            with _explained(name):
                manifest.store.hide(manifest.key(name), Holds(changes.tokens[name]))
            yield name, None


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except NotApplied:
        raise ManifestError(
            f"{name} was changed in the bucket at this very moment, so it was not overwritten: "
            f"push again to see the difference"
        ) from None


def seen_already(
    manifest: Folder, files: Mapping[str, Path], changes: Changes, seen: Mapping[str, Seen]
) -> Iterator[tuple[str, Seen]]:
    """Yield the bucket's versions of equal files that the lock does not know yet."""
    names = [
        name
        for name in changes.same
        if name not in seen or seen[name].token != changes.tokens[name]
    ]

    def look(name: str) -> tuple[str, Seen] | None:
        found = manifest.store.find(manifest.key(name))
        if found is None or found.token != changes.tokens[name]:
            return None
        digest = sha256(files[name].read_bytes()).hexdigest()
        return name, Seen(version_id=found.version_id, token=found.token, sha256=digest)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield from filter(None, pool.map(look, names))

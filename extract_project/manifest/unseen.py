"""What a push would overwrite or remove that this folder has never seen: a colleague's version."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from extract_project.errors import StoreError
from extract_project.manifest.lock import Seen
from extract_project.manifest.push import Changes
from extract_project.store.folder import Folder
from extract_project.store.protocol import ObjectVersion


@dataclass(frozen=True)
class Unseen:
    """A file that somebody else has written, or removed, since this folder saw it."""

    name: str
    seen: Seen | None
    """What this folder has seen; None if it never saw the file in the bucket."""
    theirs: ObjectVersion | None
    """What is there now; None if it was removed."""
    base_text: str | None
    their_text: str | None
    my_text: str | None

    def __str__(self) -> str:
        if self.theirs is None:
            return f"{self.name} was removed from the bucket since, and is changed here"
        when = f"version {self.theirs.version_id}, written {self.theirs.modified:%F %T} UTC"
        since = "since" if self.seen else "and was never pulled or pushed from here"
        verb = "is removed" if self.my_text is None else "differs"
        return f"{self.name} {verb} here; the bucket has {when} {since}"

    def lines(self) -> Iterator[str]:
        """What changed, as `diff -u` shows it: theirs and yours, each against what was seen.

        Without it, yours against theirs.
        """
        theirs, mine = f"bucket/{self.name}", f"local/{self.name}"
        if self.base_text is None:
            yield from _diff(self.their_text, self.my_text, theirs, mine)
            return
        seen = f"seen/{self.name}"
        yield from _diff(self.base_text, self.their_text, seen, theirs)
        yield from _diff(self.base_text, self.my_text, seen, mine)


@dataclass(frozen=True)
class Judged:
    """The changes of a push, judged by what this folder has seen."""

    changes: Changes
    """Those that overwrite nothing unseen."""
    behind: tuple[str, ...]
    """Files that somebody else has changed or removed, and that are as they were here."""
    unseen: tuple[Unseen, ...]


def judge(
    manifest: Folder,
    changes: Changes,
    files: Mapping[str, Path],
    seen: Mapping[str, Seen],
    *,
    delete: bool,
    overwrite: bool = False,
) -> Judged:
    """Split the changes of a push; fetches only versions that were not seen.

    With `overwrite`, what was not seen is in the changes too.
    """
    behind: list[str] = []
    unseen: list[str] = []
    for name in (*changes.uploads, *(changes.removed if delete else ())):
        known = seen.get(name)
        if known is None and name in changes.added:
            continue
        if known is not None and changes.tokens.get(name) == known.token:
            continue
        is_mine = name in files and known is not None and _sha256(files[name]) == known.sha256
        (behind if is_mine else unseen).append(name)
    held = {*behind, *(() if overwrite else unseen)}
    return Judged(
        replace(
            changes,
            added=tuple(name for name in changes.added if name not in held),
            changed=tuple(name for name in changes.changed if name not in held),
            removed=tuple(name for name in changes.removed if name not in held),
        ),
        tuple(behind),
        tuple(_unseen(manifest, name, files.get(name), seen.get(name)) for name in unseen),
    )


def _unseen(manifest: Folder, name: str, mine: Path | None, seen: Seen | None) -> Unseen:
    key = manifest.key(name)
    theirs = manifest.store.find(key)
    return Unseen(
        name,
        seen,
        theirs,
        _text(manifest, key, seen.version_id) if seen and seen.version_id else None,
        _text(manifest, key, theirs.version_id) if theirs else None,
        mine.read_text(errors="replace") if mine else None,
    )


def _text(manifest: Folder, key: str, version_id: str) -> str | None:
    try:
        return manifest.store.read(key, version_id).body.decode(errors="replace")
    except StoreError:  # a lifecycle rule has removed it, or the role must not read old versions
        return None


def _sha256(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _diff(old: str | None, new: str | None, before: str, after: str) -> Iterator[str]:
    was, now = ((text or "").splitlines() for text in (old, new))
    return difflib.unified_diff(was, now, before, after, lineterm="")

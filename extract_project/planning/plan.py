"""Compute what a push of local SQL files would change in the manifest.

Nothing is run or written. Local files are parsed as if they were in the bucket.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from extract_project.manifest.bucket import (
    FetchedFile,
    fetch_file,
    fetched_defaults,
    parse_fetched,
)
from extract_project.manifest.defaults import Defaults, DefaultsTree
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, is_sql
from extract_project.manifest.folder import local_defaults, parse_files
from extract_project.manifest.others import OtherManifest
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.push import compare
from extract_project.manifest.together import sort_out
from extract_project.store.folder import Folder

_AT_A_TIME = 16

Parsed = Extract | InvalidExtract


@dataclass(frozen=True)
class Planned:
    """The change to one SQL file."""

    change: Literal["new", "changed", "removed", "invalid", "same"]
    path: str
    before: Parsed | None = None
    """The file in the bucket."""
    after: Parsed | None = None
    """The file after the push."""
    defaults: tuple[str, ...] = ()
    """The files of defaults that change and reach it."""
    dependents: tuple[str, ...] = ()
    """The extracts that depend on it after the push."""

    @property
    def problems(self) -> list[str]:
        """Why it is invalid, each problem with its position."""
        return self.after.reasons if isinstance(self.after, InvalidExtract) else []

    @property
    def changes_data(self) -> bool:
        """Whether the next run could publish other data, because the code version changes."""
        return _code_version(self.before) != _code_version(self.after)

    @property
    def changes_header(self) -> bool:
        """Whether a key of its header, with its defaults, gets another value."""
        return _header(self.before) != _header(self.after)

    @property
    def changed_keys(self) -> list[str]:
        """Which keys do, of a file that is valid before and after."""
        before, after = _header(self.before), _header(self.after)
        return [key for key in after if key in before and before[key] != after[key]]

    def diff(self) -> list[str]:
        """The lines of the SQL file that change, as `diff -u` shows them."""
        old, new = (_lines(each) for each in (self.before, self.after))
        file = f"{self.path}{SUFFIX}"
        return list(difflib.unified_diff(old, new, f"bucket/{file}", f"local/{file}", lineterm=""))


def plan(
    manifest: Folder,
    files: dict[str, Path],
    dialects: Dialects,
    *,
    delete: bool,
    whole: bool = False,
    part: str = "",
    others: Sequence[OtherManifest] = (),
) -> list[Planned]:
    """What `extract push` of these files would change, in the order of their paths.

    With `delete`, files that are only in the bucket are removed; otherwise they stay, and other
    files can depend on them. With `whole`, unchanged files are in it too: what is published
    of them may come from other settings. `part` is as in `compare`. Files may depend on extracts
    of `others`. Raises BucketError if the manifest cannot be read.
    """
    changes = compare(manifest, files, part)
    there = _fetched(manifest, (*changes.changed, *changes.removed, *changes.elsewhere))
    remaining = (*changes.elsewhere, *(() if delete else changes.removed))
    staying = {name: there[name] for name in remaining if name in there}
    unchanged = {name: files[name] for name in changes.same}
    now = DefaultsTree.of([*local_defaults(unchanged, dialects), *_defaults_among(there, dialects)])
    then = DefaultsTree.of([*local_defaults(files, dialects), *_defaults_among(staying, dialects)])
    reached = {name: found for name in (*files, *there) if (found := _differing(now, then, name))}
    touched = {name: file for name, file in unchanged.items() if name in reached}
    was: list[Parsed] = [*_parsed(there, dialects, now), *parse_files(touched, dialects, now)]
    before = {each.path: each for each in was}
    local = parse_files(files, dialects, then)
    extracts, invalid = sort_out([*local, *_parsed(staying, dialects, then)], others)
    parsed: list[Parsed] = [*extracts, *invalid]
    after = {each.path: each for each in parsed}
    dependents: dict[str, list[str]] = defaultdict(list)
    for extract in extracts:
        for upstream in extract.header.depends_on:
            dependents[upstream].append(extract.path)
    told: dict[str, Planned] = {}
    for name in filter(is_sql, (*files, *there)):
        path = name[: -len(SUFFIX)]
        planned = Planned(
            "changed",
            path,
            before.get(path),
            after.get(path),
            reached.get(name, ()),
            tuple(dependents[path]),
        )
        if isinstance(planned.after, InvalidExtract):
            told[path] = replace(planned, change="invalid")
        elif planned.after is None:
            told[path] = replace(planned, change="removed")
        elif name in changes.added:
            told[path] = replace(planned, change="new")
        elif name in changes.changed or (name in reached and planned.changes_header):
            told[path] = planned
        elif whole:
            told[path] = replace(planned, change="same", before=planned.after)
    return [told[path] for path in sorted(told)]


def _fetched(manifest: Folder, names: Iterable[str]) -> dict[str, FetchedFile]:
    wanted = sorted(names)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(lambda name: fetch_file(manifest, manifest.key(name)), wanted))
    return {file.name: file for file in found if file is not None}


def _defaults_among(files: Mapping[str, FetchedFile], dialects: Dialects) -> Iterator[Defaults]:
    return (fetched_defaults(each, dialects) for each in files.values() if not is_sql(each.name))


def _parsed(
    files: Mapping[str, FetchedFile], dialects: Dialects, tree: DefaultsTree
) -> Iterator[Parsed]:
    return (parse_fetched(each, dialects, tree) for each in files.values() if is_sql(each.name))


def _differing(now: DefaultsTree, then: DefaultsTree, name: str) -> tuple[str, ...]:
    """The files of defaults that reach a file and change."""
    old, new = (
        {each.file: each.text for each in tree.reaching(name).files} for tree in (now, then)
    )
    return tuple(sorted(file for file in old.keys() | new if old.get(file) != new.get(file)))


def _header(parsed: Parsed | None) -> dict[str, Any]:
    return parsed.header.model_dump() if isinstance(parsed, Extract) else {}


def _code_version(parsed: Parsed | None) -> str | None:
    return parsed.code_version if isinstance(parsed, Extract) else None


def _lines(parsed: Parsed | None) -> list[str]:
    return parsed.text.splitlines() if parsed else []

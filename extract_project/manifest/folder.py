"""Read SQL files and defaults on local disk as if they were in the manifest bucket."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from extract_project.manifest.defaults import (
    NOTHING,
    Defaults,
    DefaultsTree,
    Inherited,
    is_defaults,
    read_defaults,
)
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, is_sql
from extract_project.manifest.others import OtherManifest
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.manifest.together import sort_out
from extract_project.problem import Problem
from extract_project.source import DefaultsFile, SqlSource

_EMACS_LOCK = ".#"
"""The broken link that Emacs puts beside a file that is being edited."""
_REPOSITORY = ".git"


def manifest_files(folder: Path) -> dict[str, Path]:
    """Every SQL file and every file of defaults below a folder, by its path in the manifest.

    Broken links are included, so that a push does not treat them as removed files.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if (is_sql(path.name) or is_defaults(path.name))
        and not path.is_dir()
        and not path.name.startswith(_EMACS_LOCK)
    )
    return {path.relative_to(folder).as_posix(): path for path in found}


def local_defaults(files: Mapping[str, Path], dialects: Dialects) -> Iterator[Defaults]:
    """The defaults among some files of a folder."""
    for name, path in files.items():
        if not is_sql(name):
            yield read_local_defaults(name, path, dialects)


def defaults_from_above(folder: Path, dialects: Dialects, seen_from: Path) -> Inherited:
    """The defaults in a folder and in those above it, up to the root of a repository.

    Their names are relative to `seen_from`: `../_defaults.yaml`.
    """
    folders: list[Path] = []
    for each in (folder.resolve(), *folder.resolve().parents):
        folders.insert(0, each)
        if (each / _REPOSITORY).exists():
            break
    inherited = NOTHING
    for each in folders:
        names = sorted(name for name in _names(each) if is_defaults(name))
        files = {os.path.relpath(each / name, seen_from.resolve()): each / name for name in names}
        for defaults in local_defaults(files, dialects):
            inherited = inherited.with_nearer(defaults)
    return inherited


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:  # a folder above that is not ours
        return []


def read_local_defaults(name: str, file: Path, dialects: Dialects) -> Defaults:
    """Understand a local file as the manifest's defaults `name`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        read = DefaultsFile(file=name, source=_source(name, b""), text="")
        message = f"this file cannot be read: {error.strerror}"
        return Defaults(read, problems=(Problem(line=1, column=1, message=message, defaults=name),))
    return read_defaults(name, content, _source(name, content), dialects.warehouses)


def parse_folder(
    folder: Path,
    files: Mapping[str, Path],
    dialects: Dialects,
    tree: DefaultsTree,
    *,
    known: Collection[str] = (),
    others: Sequence[OtherManifest] = (),
) -> dict[str, Extract | InvalidExtract]:
    """Parse the SQL files of a folder as the manifest's reader would, including collisions.

    The folder may be below the manifest's root: `depends_on` may then name a file relative to a
    parent folder. It may also name the paths in `known`, and extracts of `others`.
    """
    above = (folder.resolve(), *folder.resolve().parents)

    def is_elsewhere(path: str) -> bool:
        return path in known or any((each / f"{path}{SUFFIX}").is_file() for each in above)

    extracts, invalid = sort_out(parse_files(files, dialects, tree), others, is_elsewhere)
    found: list[Extract | InvalidExtract] = [*extracts, *invalid]
    return {each.source.key: each for each in found}


def parse_files(
    files: Mapping[str, Path], dialects: Dialects, tree: DefaultsTree
) -> Iterable[Extract | InvalidExtract]:
    """Each SQL file by itself, with the defaults that reach it."""
    return (
        parse_file(name, file, dialects, tree.reaching(name))
        for name, file in files.items()
        if is_sql(name)
    )


def parse_file(
    name: str, file: Path, dialects: Dialects, inherited: Inherited = NOTHING
) -> Extract | InvalidExtract:
    """Parse a local file as the manifest's `name`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"this file cannot be read: {error.strerror}"
        return InvalidExtract(
            path=name[: -len(SUFFIX)],
            source=_source(name, b""),
            text="",
            problems=(Problem(line=1, column=1, message=message),),
        )
    source = _source(name, content)
    return parse_extract(name[: -len(SUFFIX)], content, source, dialects, inherited)


def _source(name: str, content: bytes) -> SqlSource:
    return SqlSource(key=name, version_id=None, etag="", sha256=sha256(content).hexdigest())

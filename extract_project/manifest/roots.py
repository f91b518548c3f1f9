"""Which local folder is the manifest's root, if only a part of it is pushed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from extract_project.manifest.folder import manifest_files
from extract_project.manifest.lock import NAME

_REPOSITORY = ".git"


def find_root(path: Path, in_bucket: Collection[str]) -> Path:
    """The root of the manifest that a local file or folder belongs to.

    It is the nearest folder with a lock; else the one whose files are named most as those in the
    bucket are. If nothing is like it in the bucket, a folder is its own root, and a file is named
    from the current folder.
    """
    start = path if path.is_dir() else path.parent
    above = [start, *start.resolve().parents]
    for each in above:
        if (each / NAME).is_file():
            return each
    candidates = list(_candidates(start))
    alike = {each: len(manifest_files(each).keys() & set(in_bucket)) for each in candidates}
    best = max(candidates, key=lambda each: alike[each])
    if alike[best] or path.is_dir():
        return best
    here = Path.cwd()
    return here if path.resolve().is_relative_to(here) else start


def below(root: Path, path: Path) -> dict[str, Path]:
    """The files of a manifest that are this file, or in this folder, by their path in it."""
    if path.is_dir():
        prefix = inside(root, path)
        return {f"{prefix}{name}": file for name, file in manifest_files(path).items()}
    return {path.resolve().relative_to(root.resolve()).as_posix(): path}


def inside(root: Path, folder: Path) -> str:
    """The folder's path below the root with a slash at its end; nothing for the root itself."""
    path = folder.resolve().relative_to(root.resolve()).as_posix()
    return "" if path == "." else f"{path}/"


def _candidates(start: Path) -> Iterator[Path]:
    """The folder and those above it, up to the repository's or the current one."""
    here, folders = Path.cwd(), (start, *start.resolve().parents)
    for number, each in enumerate(folders):
        if (each / _REPOSITORY).exists() or each.resolve() == here:
            yield from folders[: number + 1]
            return
    yield start

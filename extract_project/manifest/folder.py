"""Read SQL files on local disk as if they were in the manifest bucket."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path

from extract_project.manifest.bucket import sort_out
from extract_project.manifest.extract import SUFFIX, Extract, InvalidExtract, SqlSource
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.problem import Problem

_EMACS_LOCK = ".#"
"""The broken link that Emacs puts beside a file that is being edited."""


def sql_files(folder: Path) -> dict[str, Path]:
    """Every SQL file below a folder, by its path in the manifest.

    Broken links are included, so that a push does not treat them as removed files.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == SUFFIX
        and not path.is_dir()
        and not path.name.startswith(_EMACS_LOCK)
    )
    return {path.relative_to(folder).as_posix(): path for path in found}


def parse_folder(
    folder: Path, files: Mapping[str, Path], dialects: Dialects, known: Collection[str] = ()
) -> dict[str, Extract | InvalidExtract]:
    """Parse some files of a folder as the manifest's reader would, including collisions.

    The folder may be below the manifest's root: `depends_on` may then name a file relative to a
    parent folder. It may also name the paths in `known`.
    """
    above = (folder.resolve(), *folder.resolve().parents)

    def is_elsewhere(path: str) -> bool:
        return path in known or any((each / f"{path}{SUFFIX}").is_file() for each in above)

    extracts, invalid = sort_out(
        (parse_file(name, file, dialects) for name, file in files.items()), is_elsewhere
    )
    found: list[Extract | InvalidExtract] = [*extracts, *invalid]
    return {each.source.key: each for each in found}


def parse_file(name: str, file: Path, dialects: Dialects) -> Extract | InvalidExtract:
    """Parse a local file as the manifest's `name`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        source = SqlSource(key=name, version_id=None, etag="", sha256="")
        message = f"this file cannot be read: {error.strerror}"
        return InvalidExtract(
            path=name[: -len(SUFFIX)],
            source=source,
            text="",
            problems=(Problem(line=1, column=1, message=message),),
        )
    source = SqlSource(key=name, version_id=None, etag="", sha256=sha256(content).hexdigest())
    return parse_extract(name[: -len(SUFFIX)], content, source, dialects)

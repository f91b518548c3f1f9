"""SQL files on local disk, read as the manifest bucket will be."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from extract_project.manifest.extract import (
    SUFFIX,
    Dialects,
    Extract,
    InvalidExtract,
    SqlSource,
    parse_extract,
)


def sql_files(folder: Path) -> dict[str, Path]:
    """Every SQL file below a folder, by its path in the manifest."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == SUFFIX)
    return {path.relative_to(folder).as_posix(): path for path in found}


def parse_file(name: str, file: Path, dialects: Dialects) -> Extract | InvalidExtract:
    """Understand a local file as the manifest's `name`."""
    content = file.read_bytes()
    source = SqlSource(key=name, version_id=None, etag="", sha256=sha256(content).hexdigest())
    return parse_extract(name[: -len(SUFFIX)], content, source, dialects)

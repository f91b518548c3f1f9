"""Check a SQL file's path before its text is parsed."""

from __future__ import annotations

import re

from extract_project.layout import PART_NAME, RUN_PARTS
from extract_project.problem import refuse

# The path is stored percent-encoded in object metadata, which is limited to 2 KB.
_PATH_BYTES = 256


def require_path(path: str) -> None:
    """Raise Refused unless the path can be an asset key, an S3 key and a file name, reversibly."""
    parts = path.split("/")
    if any(part != part.strip() or part in ("", ".", "..") for part in parts):
        raise refuse(1, 1, f"the path {path!r} has an empty, blank or dotted part: rename the file")
    if parts[0].startswith(".extract") or RUN_PARTS in parts[:-1]:
        reserved = RUN_PARTS if RUN_PARTS in parts[:-1] else parts[0]
        raise refuse(1, 1, f"the folder {reserved!r} is reserved: rename it")
    if parts[-1].lower().startswith("_defaults"):
        message = (
            f"the name {parts[-1]!r} is kept for the defaults of a folder: write those in "
            f"'_defaults.yaml', or rename the file"
        )
        raise refuse(1, 1, message)
    if PART_NAME.fullmatch(parts[-1]):
        message = f"the name {parts[-1]!r} is reserved for parts of split extracts: rename the file"
        raise refuse(1, 1, message)
    odd = sorted(set(re.sub(r"[A-Za-z0-9_./-]", "", path)))
    if odd:
        raise refuse(
            1,
            1,
            f"the path {path!r} has {', '.join(map(repr, odd))}: "
            f"name files and folders with letters, digits, '_', '-' and '.'",
        )
    if len(path.encode()) > _PATH_BYTES:
        raise refuse(1, 1, f"the path is longer than {_PATH_BYTES} bytes: shorten it")

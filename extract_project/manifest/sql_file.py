"""Check a SQL file's path and bytes before its text is parsed."""

from __future__ import annotations

import re

from extract_project.layout import PART_NAME
from extract_project.problem import refuse

# The path is stored percent-encoded in object metadata, which is limited to 2 KB.
_PATH_BYTES = 256
_BOM = b"\xef\xbb\xbf"


def require_path(path: str) -> None:
    """Raise Refused unless the path can be an asset key, an S3 key and a file name, reversibly."""
    parts = path.split("/")
    if any(part != part.strip() or part in ("", ".", "..") for part in parts):
        raise refuse(1, 1, f"the path {path!r} has an empty, blank or dotted part: rename the file")
    if parts[0].startswith(".extract"):
        raise refuse(1, 1, f"the folder {parts[0]!r} is reserved: rename it")
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


def decode(content: bytes) -> str:
    """The text, without a byte order mark; raises Refused if the content is not UTF-8 text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(1, 1, "this file is UTF-16: save it as UTF-8")
    try:
        text = content.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise refuse(
            line,
            column,
            f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8: "
            f"save the file as UTF-8",
        ) from None
    lines = text.rstrip()
    if lines.count("\r") - lines.count("\r\n") > lines.count("\n"):
        raise refuse(
            1,
            text.index("\r") + 1,
            "the lines of this file end with only a carriage return, which not all databases "
            "read as the end of a line: save it with line feeds (LF or CRLF)",
        )
    nul = text.find("\x00")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise refuse(line, nul - text.rfind("\n", 0, nul), "a NUL character: remove it")
    return text

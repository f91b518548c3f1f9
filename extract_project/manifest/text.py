"""The bytes of a SQL file, or of a file of defaults, as text."""

from __future__ import annotations

from extract_project.problem import refuse

_BOM = b"\xef\xbb\xbf"


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

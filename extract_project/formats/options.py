"""File formats and their compressions as a header states them; needs no Arrow to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import StringConstraints

Format = Literal["parquet", "csv", "jsonl", "arrow"]

_PATTERN = r"^(none|snappy|lz4|gzip|zstd)(\([0-9]{1,2}\))?$"
Compression = Annotated[str, StringConstraints(pattern=_PATTERN)]

_CODECS: dict[str, tuple[str, ...]] = {
    "parquet": ("zstd", "snappy", "lz4", "gzip", "none"),
    "arrow": ("zstd", "lz4", "none"),
    "csv": ("gzip", "zstd", "none"),
    "jsonl": ("gzip", "zstd", "none"),
}
_LEVELS = {"zstd": range(1, 23), "gzip": range(1, 10)}
# zstd 1 costs little over snappy and saves a quarter of the size; gzip beyond 1 costs several
# times the time for a few percent (measured on TPC-H lineitem, encoding alone).
_DEFAULT_LEVEL = {"zstd": 1, "gzip": 1}
_SUFFIX = {"gzip": ".gz", "zstd": ".zst", "none": ""}
_CONTENT_TYPE = {
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl; charset=utf-8",
}


@dataclass(frozen=True)
class FileFormat:
    """How the bytes of an extract are written."""

    name: str
    codec: str
    level: int | None

    @property
    def extension(self) -> str:
        """`.parquet`, `.csv.gz`: what readers choose a decoder by."""
        return f".{self.name}{_SUFFIX[self.codec] if self.is_text else ''}"

    @property
    def text_codec(self) -> str | None:
        """What a text file is compressed with as a whole; None where it can be read as it is."""
        return self.codec if self.is_text and self.codec != "none" else None

    @property
    def is_text(self) -> bool:
        return self.name in ("csv", "jsonl")

    @property
    def content_type(self) -> str:
        return (
            _CONTENT_TYPE[self.name]
            if self.codec == "none" or "." not in self.extension[1:]
            else (f"application/{self.codec}")
        )


_BY_EXTENSION = {
    each.extension: each
    for name, codecs in _CODECS.items()
    for codec in codecs
    for each in [FileFormat(name, codec, _DEFAULT_LEVEL.get(codec))]
}
EXTENSIONS = frozenset(_BY_EXTENSION)
"""How the name of a published object can end."""


def named_format(name: str) -> FileFormat | None:
    """The format that the end of a file's name stands for; None where it stands for none.

    `daily.csv.jsonl` is JSON Lines: a SQL file's own name may have dots.
    """
    return next((_BY_EXTENSION[each] for each in EXTENSIONS if name.endswith(each)), None)


def parse_compression(name: Format, compression: str | None) -> FileFormat:
    """`zstd(9)` for a format; raises ValueError with the choices that the format has."""
    codecs = _CODECS[name]
    match = re.match(_PATTERN, compression or codecs[0])
    if match is None or match.group(1) not in codecs:
        raise ValueError(
            f"{name} has no compression {compression!r}: expected one of {', '.join(codecs)}"
        )
    codec = match.group(1)
    level = int(match.group(2)[1:-1]) if match.group(2) else _DEFAULT_LEVEL.get(codec)
    allowed = _LEVELS.get(codec, range(0))
    if codec == "zstd" and name in ("csv", "jsonl"):
        allowed = range(1, 2)  # Arrow's compressed streams take no level
    if level is not None and level not in allowed:
        raise ValueError(
            f"compression {compression!r}: "
            + (
                f"levels of {codec} go from {allowed[0]} to {allowed[-1]}"
                if allowed
                else "no level"
            )
        )
    return FileFormat(name, codec, level)

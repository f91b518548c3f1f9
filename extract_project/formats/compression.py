"""Compressions and their levels, as written in a header: `zstd`, `zstd(9)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

_PATTERN = r"^(none|snappy|lz4|gzip|zstd)(\([0-9]{1,2}\))?$"
Compression = Annotated[str, StringConstraints(pattern=_PATTERN)]

_LEVELS = {"zstd": range(1, 23), "gzip": range(1, 10)}
DEFAULT_LEVEL = {"zstd": 1, "gzip": 1}
"""zstd 1 costs little over snappy and saves a quarter of the size; gzip beyond 1 costs several
times the time for a few percent (measured on TPC-H lineitem, encoding alone)."""
SUFFIX = {"gzip": ".gz", "zstd": ".zst", "none": ""}
"""The extension that each compression adds to the name of a text file."""


def parse_compression(
    compression: str | None, codecs: Sequence[str], name: str, *, is_text: bool
) -> tuple[str, int | None]:
    """The codec and its level. `name` is the format, `codecs` are those that it supports.

    Raises ValueError that lists the format's choices.
    """
    match = re.match(_PATTERN, compression or codecs[0])
    if match is None or match.group(1) not in codecs:
        raise ValueError(
            f"{name} has no compression {compression!r}: expected one of {', '.join(codecs)}"
        )
    codec = match.group(1)
    level = int(match.group(2)[1:-1]) if match.group(2) else DEFAULT_LEVEL.get(codec)
    allowed = _LEVELS.get(codec, range(0))
    if codec == "zstd" and is_text:
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
    return codec, level

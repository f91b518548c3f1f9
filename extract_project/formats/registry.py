"""The registry of file formats.

To add a format: write one module or package here with a subclass of `protocol.Format`, and add a
line to `_FORMATS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from extract_project.formats.arrow import Arrow
from extract_project.formats.compression import DEFAULT_LEVEL, parse_compression
from extract_project.formats.csv.format import Csv
from extract_project.formats.jsonl.format import Jsonl
from extract_project.formats.parquet import Parquet
from extract_project.formats.protocol import FileFormat, Format, FormatOptions

_FORMATS: tuple[Format, ...] = (
    Parquet(),
    Csv(),
    Jsonl(),
    Arrow(),
)

FORMATS = {each.name: each for each in _FORMATS}

if TYPE_CHECKING:
    FormatName = str
else:  # one of those in the registry, which no type checker can read
    FormatName = Literal[tuple(FORMATS)]

_BY_EXTENSION = {
    each.extension: each
    for known in _FORMATS
    for codec in known.codecs
    for each in [FileFormat(known, codec, DEFAULT_LEVEL.get(codec))]
}
EXTENSIONS = frozenset(_BY_EXTENSION)
"""All possible extensions of published objects."""


def named_format(name: str) -> FileFormat | None:
    """The format of a file by its extension; None if the extension is unknown.

    `daily.csv.jsonl` is JSON Lines: the name of a SQL file may contain dots.
    """
    return next((_BY_EXTENSION[each] for each in EXTENSIONS if name.endswith(each)), None)


def chosen_format(
    name: FormatName, compression: str | None, options: FormatOptions | None = None
) -> FileFormat:
    """The file format for a header's `format`, `compression` and the key named after the format.

    Raises ValueError if the compression conflicts with the format.
    """
    known = FORMATS[name]
    codec, level = parse_compression(compression, known.codecs, name, is_text=known.is_text)
    return FileFormat(known, codec, level, options)

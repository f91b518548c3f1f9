"""The encodings that a CSV file can have."""

from __future__ import annotations

import codecs

_CODECS = {
    "utf-8": "utf-8",
    "utf-16le": "utf-16-le",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "iso-8859-2": "iso8859-2",
    "iso-8859-9": "iso8859-9",
    "iso-8859-15": "iso8859-15",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
    "windows-1257": "cp1257",
    "ibm437": "cp437",
    "ibm850": "cp850",
    "ibm852": "cp852",
    "koi8-r": "koi8-r",
}
"""Python's codec for each name in the header and the Content-Type. A test checks for every
character that each decodes what it has encoded to the same text.
"""

ENCODINGS = tuple(_CODECS)
UNICODE = ("utf-8", "utf-16le")
"""The encodings that have every character, and whose files may begin with a byte order mark."""


def codec(encoding: str) -> str:
    """The name of Python's codec."""
    return _CODECS[encoding]


def canonical(name: str) -> str:
    """The name in ENCODINGS for one of Python's names, such as `cp1252`; other names unchanged."""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return name
    return next((each for each in ENCODINGS if codecs.lookup(_CODECS[each]).name == found), name)


def missing_character(text: str, encoding: str) -> str | None:
    """The first character that an encoding lacks, as `'€' (U+20AC)`; None if it has them all."""
    try:
        text.encode(codec(encoding))
    except UnicodeEncodeError as error:
        lacks = text[error.start]
        return f"{lacks!r} (U+{ord(lacks):04X})"
    return None

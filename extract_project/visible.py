"""Escape foreign text so that printing it cannot move the cursor or hide what follows."""

from __future__ import annotations

import re

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]")
_LAYOUT = "\n\t"


def one_line(text: str) -> str:
    r"""Control characters as Python writes them: `\n`, `\x1b`, `\u202e`."""
    if text.isprintable():  # nearly always
        return text
    return _UNSEEN.sub(lambda found: _escaped(found.group()), text)


def lines(text: str) -> str:
    """The same, but line ends and tabs are kept."""
    return _UNSEEN.sub(
        lambda found: found.group() if found.group() in _LAYOUT else _escaped(found.group()),
        text.replace("\r\n", "\n"),
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()

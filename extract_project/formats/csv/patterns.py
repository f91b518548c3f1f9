"""Patterns of dates and timestamps, such as `%d.%m.%Y %H:%M`, that lose nothing.

Each directive has a fixed number of digits, so that the same pattern reads what it has written.
Directives of varying length (`%b`, `%-d`), or without the century (`%y`), are not allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ISO = "iso"

_PARTS = {
    "%Y": (0, 4),
    "%m": (5, 7),
    "%d": (8, 10),
    "%H": (11, 13),
    "%M": (14, 16),
    "%S": (17, 19),
    "%3f": (20, 23),
    "%f": (20, 26),
    "%6f": (20, 26),
    "%9f": (20, 29),
}
"""The slice of each in `2026-01-31T06:00:00.123456789`."""
_DATE = ("%Y", "%m", "%d")
_CLOCK = ("%H", "%M", "%S")
_FRACTIONS = {"%3f": 3, "%f": 6, "%6f": 6, "%9f": 9}
_TOKEN = re.compile(r"%[0-9]?.|[^%]+|%", re.DOTALL)
_SECONDS = {0: 86_400, 1: 3_600, 2: 60, 3: 1}
_BILLION = 10**9

Piece = str | tuple[int, int]
"""A literal text, or a slice of a timestamp in ISO 8601."""


@dataclass(frozen=True)
class Pattern:
    """How a date or a timestamp is written."""

    pieces: tuple[Piece, ...]
    nanoseconds: int
    """The finest step that it can write, in nanoseconds."""

    @property
    def literals(self) -> str:
        """All the text between the directives."""
        return "".join(each for each in self.pieces if isinstance(each, str))


def parse_pattern(text: str, *, is_date: bool) -> Pattern:
    """Parse a pattern; raises ValueError if it cannot write a date, or a timestamp, exactly."""
    pieces: list[Piece] = []
    found: list[str] = []
    for token in _TOKEN.findall(text):
        if token == "%%":
            pieces.append("%")
        elif not token.startswith("%"):
            pieces.append(token)
        elif _PARTS.get(token) in pieces or (token in _FRACTIONS and _FRACTIONS.keys() & found):
            raise ValueError(f"{token} stands twice: leave one out")
        elif token in _PARTS and not (is_date and token not in _DATE):
            pieces.append(_PARTS[token])
            found.append(token)
        else:
            known = _DATE if is_date else (*_DATE, *_CLOCK, "%3f", "%6f", "%9f")
            raise ValueError(f"{token} is not possible: expected 'iso', or some of {_all(known)}")
    absent = [each for each in _DATE if each not in found]
    if absent:
        raise ValueError(f"{text!r} lacks {_all(absent)}: without it, the day is lost")
    clock = [each for each in _CLOCK if each in found]
    fraction = next((_FRACTIONS[each] for each in found if each in _FRACTIONS), 0)
    if clock != list(_CLOCK[: len(clock)]) or (fraction and len(clock) < len(_CLOCK)):
        raise ValueError(f"{text!r} leaves out a part between others: expected %H:%M:%S")
    finest = _BILLION // 10**fraction if fraction else _SECONDS[len(clock)] * _BILLION
    return Pattern(tuple(pieces), finest)


def _all(parts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(parts)

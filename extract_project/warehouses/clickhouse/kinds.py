"""Read the name of a type, as in `Array(Nullable(DateTime64(3, 'Europe/Berlin')))`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"\s*('(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?|[\w.]+|.)",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}
_TRANSPARENT = ("Nullable", "LowCardinality", "SimpleAggregateFunction")
_OPAQUE = ("JSON", "Dynamic", "Object", "AggregateFunction", "Variant", "QBit")
"""Types whose parameters do not matter here."""
_GEOMETRIES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}


@dataclass(frozen=True)
class Kind:
    """A type without Nullable and LowCardinality around it."""

    name: str
    """As in `DateTime64`."""
    text: str
    """As ClickHouse writes it."""
    numbers: tuple[int, ...] = ()
    parts: tuple[Kind, ...] = ()
    labels: tuple[str, ...] = ()
    """The names of its parts, if they have names."""
    values: Mapping[int, str] = field(default_factory=dict)
    """The names of an Enum's values, by their numbers."""


def kind_of(text: str) -> Kind:
    """Parse a type; raises ValueError."""
    parser = _Parser(text)
    kind = parser.kind()
    if parser.next is not None:
        raise ValueError(f"{text} goes on after a type")
    return kind


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [each for each in _TOKEN.findall(text) if each.strip()]
        self._at = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, expected: str | None = None) -> str:
        found = self.next
        if found is None or (expected is not None and found != expected):
            raise ValueError(f"expected {expected or 'more'} in a type, and found {found}")
        self._at += 1
        return found

    def kind(self) -> Kind:
        begin = self._at
        name = self._take()
        if name in _GEOMETRIES:
            return kind_of(_GEOMETRIES[name])
        numbers: list[int] = []
        parts: list[Kind] = []
        labels: list[str] = []
        values: dict[int, str] = {}
        if self.next == "(" and name in _OPAQUE:
            self._skip()
        elif self.next == "(":
            self._take("(")
            while self.next != ")":
                self._argument(numbers, parts, labels, values)
                if self.next != ")":
                    self._take(",")
            self._take(")")
        if name in _TRANSPARENT and parts:
            return parts[-1]
        text = "".join(
            each + (" " if each == "," else "") for each in self._tokens[begin : self._at]
        )
        if name == "Nested":
            inner = Kind("Tuple", text, (), tuple(parts), tuple(labels))
            return Kind("Array", text, (), (inner,))
        return Kind(name, text, tuple(numbers), tuple(parts), tuple(labels), values)

    def _argument(
        self,
        numbers: list[int],
        parts: list[Kind],
        labels: list[str],
        values: dict[int, str],
    ) -> None:
        token = self.next or ""
        if token[0] == "'":
            self._take()
            if self.next == "=":
                self._take("=")
                values[int(self._take())] = _unquoted(token)
        elif re.fullmatch(r"-?\d+", token):
            numbers.append(int(self._take()))
        else:
            after = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ")"
            if after not in ("(", ")", ","):
                labels.append(_unquoted(self._take()))
            parts.append(self.kind())

    def _skip(self) -> None:
        """Past a closed pair of parentheses."""
        depth = 0
        while True:
            token = self._take()
            depth += (token == "(") - (token == ")")
            if not depth:
                return


def _unquoted(token: str) -> str:
    if token[0] not in "'`\"":
        return token
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1])

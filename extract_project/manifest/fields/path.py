"""The header key `path`: the names of an extract's objects, as a template.

`outbound/{name}_{partition:%Y%m%d}.csv`: `{name}` and `{folder}` are those of the SQL file,
`{partition}` is the key of the partition, and with directives of strftime, when it begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from extract_project.problem import suggestion

NAME, FOLDER, PARTITION = "name", "folder", "partition"
ANY = "*"
"""Matches the key of any partition."""
DIGIT = "\x00"
"""Matches any digit in the form of a path."""
_FIELDS = (NAME, FOLDER, PARTITION)
_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "j": 3}
"""The directives of strftime that a path may have, and how many digits each has."""
_LONGEST = 400
_SAMPLE = datetime(2021, 11, 23, 17)
"""The start of a partition in which no two directives have the same value."""


@dataclass(frozen=True)
class Piece:
    """Some text, and the placeholder behind it, if any."""

    text: str
    field: str | None = None
    directives: str = ""


@lru_cache(maxsize=1 << 14)
def pieces(template: str) -> tuple[Piece, ...]:
    """The pieces of a template; raises ValueError if braces are unpaired."""
    return tuple(
        Piece(text, field, directives or "")
        for text, field, directives, _ in Formatter().parse(template)
    )


def _valid(template: str) -> str:
    example = "write it as in outbound/{name}_{partition:%Y%m%d}.csv"
    try:
        found = pieces(template)
    except ValueError as error:
        raise ValueError(f"{str(error).lower()}: {example}") from None
    for each in found:
        odd = sorted(set(re.sub(r"[A-Za-z0-9_.=+@/-]", "", each.text)))
        if odd:
            raise ValueError(
                f"{', '.join(map(repr, odd))} cannot be in it: expected letters, digits, '/' and "
                f"any of _ . = + @ -"
            )
        if each.field is not None and each.field not in _FIELDS:
            hint = suggestion(each.field, _FIELDS)
            raise ValueError(f"unknown placeholder {{{each.field}}}: {hint}")
        if each.directives:
            _require_directives(each)
    segments = template.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{template!r} has an empty or dotted part: {example}")
    if len(template) > _LONGEST:
        raise ValueError(f"it has {len(template)} characters: expected at most {_LONGEST}")
    return template


def _require_directives(piece: Piece) -> None:
    unknown = re.sub(rf"%[{''.join(_DIGITS)}]|[0-9A-Za-z_.=+@/-]", "", piece.directives)
    if piece.field != PARTITION or unknown or "%" not in piece.directives:
        known = ", ".join(f"%{each}" for each in _DIGITS)
        raise ValueError(
            f"{{{piece.field}:{piece.directives}}} is not possible: expected {{partition:…}} with "
            f"any of {known}"
        )


PublishedPath = Annotated[
    str,
    AfterValidator(_valid),
    WithJsonSchema({"type": "string", "examples": ["outbound/{name}_{partition:%Y%m%d}.csv"]}),
]


@dataclass(frozen=True)
class Naming:
    """The paths of one extract's objects below its destination."""

    template: str
    """The key `path`, with its placeholders."""
    path: str
    """The path of the SQL file, without `.sql`."""
    key_format: str | None = None
    """How the start of a partition is written as its key; None without time partitions."""

    def at(self, partition: str | None) -> str:
        """The path of the object, or of a partition's; `ANY` gives a pattern with `*`.

        Raises ValueError if the key is not one of a time partition.
        """
        return self._filled(lambda piece: self._value(piece, partition))

    @property
    def prefix(self) -> str:
        """The text that the paths of all objects begin with."""
        return self.at(ANY).partition(ANY)[0]

    @property
    def has_partition(self) -> bool:
        """Whether the paths of partitions differ."""
        return any(each.field == PARTITION for each in pieces(self.template))

    @property
    def has_directives(self) -> bool:
        """Whether the start of a partition is written in a form of its own."""
        return any(each.directives for each in pieces(self.template))

    def partition_of(self, path: str) -> str | None:
        """The key of the partition whose object has a path; None if it is none of them."""
        found = _pattern(self).fullmatch(path)
        if found is None:
            return None
        key = found.groupdict().get(PARTITION)
        try:
            key = key if key is not None else self._key(found.groupdict())
            return key if key and self.at(key) == path else None
        except ValueError:
            return None

    @property
    def tells_partitions_apart(self) -> bool:
        """Whether no two time partitions have the same path."""
        if self.key_format is None:
            return True
        key = _SAMPLE.strftime(self.key_format)
        return self.partition_of(self.at(key)) == key

    def form(self, partition: str | None = None) -> str:
        """The path, with `DIGIT` for each digit that depends on when a partition begins."""
        if self.key_format is None or not self.has_partition:
            return self.at(partition)

        def digits(piece: Piece) -> str:
            if piece.field != PARTITION:
                return self._value(piece, partition)
            form = piece.directives or self.key_format or ""
            return re.sub("%(.)", lambda found: DIGIT * _DIGITS[found[1]], form)

        return self._filled(digits)

    def _value(self, piece: Piece, partition: str | None) -> str:
        """Return the value of a placeholder."""
        folder, _, name = self.path.rpartition("/")
        if piece.field != PARTITION:
            return {None: "", NAME: name, FOLDER: folder}[piece.field]
        if not piece.directives or partition is None or partition == ANY:
            return partition or ""
        return datetime.strptime(partition, self.key_format or "").strftime(piece.directives)

    def _filled(self, value: Callable[[Piece], str]) -> str:
        """The template, without the slash that an empty folder leaves."""
        text = "".join(each.text + value(each) for each in pieces(self.template))
        return re.sub("/{2,}", "/", text).strip("/")

    def _key(self, digits: dict[str, str]) -> str | None:
        """The key of the partition that begins at a time, which is given by directive."""
        if self.key_format is None:
            return None
        text, form = " ".join(digits.values()), " ".join(f"%{each}" for each in digits)
        return datetime.strptime(text, form).strftime(self.key_format)


@lru_cache(maxsize=1 << 12)
def _pattern(naming: Naming) -> re.Pattern[str]:
    """Matches the paths of all partitions, with a group for the key or for each directive."""
    known = set[str]()

    def group(name: str, expression: str) -> str:
        if name in known:
            return f"(?P={name})"
        known.add(name)
        return f"(?P<{name}>{expression})"

    def expression(directives: str) -> str:
        if not directives:
            return group(PARTITION, "[^/]+")
        texts = re.split("%(.)", directives)
        return "".join(
            group(text, f"[0-9]{{{_DIGITS[text]}}}") if index % 2 else re.escape(text)
            for index, text in enumerate(texts)
        )

    marked = Naming(naming.template, naming.path).at(ANY)
    texts = [re.escape(text) for text in marked.split(ANY)]
    fields = [each.directives for each in pieces(naming.template) if each.field == PARTITION]
    found = texts[0]
    for directives, text in zip(fields, texts[1:], strict=True):
        found += expression(directives) + text
    return re.compile(found)

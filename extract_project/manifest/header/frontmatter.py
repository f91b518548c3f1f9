"""Read the header's YAML, with the position of every key, so that errors can point at it.

`plain_yaml` says which YAML a header may use, `yaml_errors` what is wrong with any other text.
Duplicate keys are refused here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from extract_project.manifest.header.fences import Fenced, find_header
from extract_project.manifest.header.plain_yaml import (
    NOT_IN_TEXT,
    PlainLoader,
    is_written_null,
    plain_value,
)
from extract_project.manifest.header.yaml_errors import not_yaml
from extract_project.problem import Problem, Refused, refuse

Path = tuple[str | int, ...]

_NOT_IN_YAML = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


@dataclass(frozen=True)
class FrontMatter:
    """The header as plain data, with the position of each part in the file.

    Parts that come from the defaults of a folder have their position in `inherited`.
    """

    data: dict[str, Any]
    places: dict[Path, tuple[int, int]]
    nested: tuple[int, int] | None = None
    """The first `/*` within it, if it is a block comment."""
    nulls: frozenset[Path] = frozenset()
    """The paths of `null` values."""
    inherited: Mapping[Path, str] = field(default_factory=dict)
    """`sales/_defaults.yaml:3:1` for each part that comes from there."""

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of the deepest part of `path` that the file itself has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def set_in(self, path: Path) -> str | None:
        """The defaults file that `path` comes from; None if it is from the SQL file itself."""
        while path and path not in self.places and path not in self.inherited:
            path = path[:-1]
        return self.inherited.get(path)

    def problem(self, path: Path, message: str, *others: Path) -> Problem:
        """A fault of `path`, or of it together with other keys.

        It is placed in the file itself. What comes from defaults is named with its place there.
        """
        involved = {each: self.set_in(each) for each in (path, *others)}
        at = next((each for each, place in involved.items() if place is None), path)
        line, column = self.place(at)
        origins = [f"{each[0]!r} is set in {place}" for each, place in involved.items() if place]
        shown = f"{message} ({', '.join(origins)})" if origins else message
        return Problem(line=line, column=column, message=shown)

    def refuse(self, path: Path, message: str) -> Refused:
        """The exception for a fault at the position of `path`."""
        return Refused(self.problem(path, message))

    def require_none(self, faults: Iterable[tuple[Path, str]]) -> None:
        """Raise Refused if there are faults, each at the position of its path."""
        problems = [self.problem(path, message) for path, message in faults]
        if problems:
            raise Refused(*problems)


def read_front_matter(text: str, keys: Collection[str] = ()) -> FrontMatter:
    """Find and read the header of a SQL file; without one, the result is empty.

    `keys` are the keys of a header; they distinguish a misplaced or misspelt header from
    decoration. Raises Refused with the position of anything that is not YAML, not a mapping, or a
    duplicate.
    """
    fenced = find_header(text, keys)
    return FrontMatter({}, {}) if fenced is None else read_yaml(fenced)


def read_yaml(fenced: Fenced) -> FrontMatter:
    """Read the YAML of a header, or of the defaults of a folder.

    Raises Refused with the place of whatever is not YAML, not a mapping, or said twice.
    """
    _require_plain_characters(fenced)
    try:
        node = PlainLoader(fenced.source).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise not_yaml(error, fenced) from None
    reader = _Reader(fenced)
    data = reader.read(node, ()) if node else None
    if data is None:
        return FrontMatter({}, {}, fenced.nested)
    if not isinstance(data, dict):
        message = f"{fenced.name} is not a mapping: expected lines of the form 'key: value'"
        raise refuse(max(fenced.first_line - 1, 1), 1, message)
    return FrontMatter(data, reader.places, fenced.nested, frozenset(reader.nulls))


def _require_plain_characters(fenced: Fenced) -> None:
    odd = _NOT_IN_YAML.search(fenced.source)
    if odd is None:
        return
    before = fenced.source[: odd.start()]
    place = fenced.place(before.count("\n"), odd.start() - (before.rfind("\n") + 1))
    raise refuse(
        *place,
        f"{fenced.name} has the invisible character U+{ord(odd[0]):04X}: remove it, or write it as "
        f"an escape within double quotes",
    )


@dataclass
class _Reader:
    """Converts YAML nodes to plain data, and records their positions."""

    fenced: Fenced
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    nulls: set[Path] = field(default_factory=set)

    def read(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node at a path of keys; raises Refused at its position."""
        place = self.places.setdefault(path, self._place(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._item(key, value, path) for key, value in node.value)
        try:
            assert isinstance(node, yaml.ScalarNode)  # YAML has no fourth kind
            if is_written_null(node):
                self.nulls.add(path)
            return plain_value(node)
        except (ValueError, OverflowError) as error:
            name = next((f"{part!r}: " for part in reversed(path) if isinstance(part, str)), "")
            raise refuse(*place, f"{name}{error}") from None

    def _item(self, key: yaml.Node, value: yaml.Node, path: Path) -> tuple[str, Any]:
        if not isinstance(key, yaml.ScalarNode):
            raise refuse(*self._place(key), "a key is a list or mapping: expected a word")
        if NOT_IN_TEXT.search(key.value):
            raise refuse(
                *self._place(key), f"{key.value!r} is not a valid key: write it without escapes"
            )
        inner = (*path, str(key.value))
        if inner in self.places:
            message = f"duplicate key {inner[-1]!r}: it is on line {self.places[inner][0]} too"
            raise refuse(*self._place(key), message)
        self.places[inner] = self._place(key)
        return str(key.value), self.read(value, inner)

    def _place(self, node: yaml.Node) -> tuple[int, int]:
        return self.fenced.place(node.start_mark.line, node.start_mark.column)

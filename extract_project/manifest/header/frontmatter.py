"""Read the header's YAML, with the position of every key, so that errors can point at it.

Plain words are read as in YAML 1.2 (`NO` is a word; only `true` and `false` are booleans), and
numbers with a point as exact decimals. Anchors, tags, merge keys and duplicate keys are refused.
Size, depth, digits and exponents are limited before anything is computed from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from extract_project.manifest.header.fences import Fenced, find_header
from extract_project.problem import Problem, Refused, refuse

Path = tuple[str | int, ...]

_DEEPEST = 16
_MOST_DIGITS, _LARGEST_EXPONENT = 100, 400
_NUMBER = re.compile(r"[-+]?([0-9]*)\.?([0-9]*)(?:[eE]([-+]?[0-9]+))?")
_NOT_IN_YAML = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")


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
        node = _Loader(fenced.source).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, fenced) from None
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
            if node.tag == f"{_TAG}null" and node.value:
                self.nulls.add(path)
            return _SCALARS.get(node.tag, _text)(node)
        except (ValueError, OverflowError) as error:
            name = next((f"{part!r}: " for part in reversed(path) if isinstance(part, str)), "")
            raise refuse(*place, f"{name}{error}") from None

    def _item(self, key: yaml.Node, value: yaml.Node, path: Path) -> tuple[str, Any]:
        if not isinstance(key, yaml.ScalarNode):
            raise refuse(*self._place(key), "a key is a list or mapping: expected a word")
        if _NOT_IN_TEXT.search(key.value):
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


def _text(node: yaml.ScalarNode) -> str:
    odd = _NOT_IN_TEXT.search(node.value)
    if odd:
        raise ValueError(f"U+{ord(odd[0]):04X} is not allowed in text: remove it")
    return str(node.value)


def _number(node: yaml.ScalarNode) -> int | Decimal:
    text = str(node.value)
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is not a plain number: expected digits")
    whole, fraction, exponent = found.groups()
    if len(whole) + len(fraction) > _MOST_DIGITS:
        digits = len(whole) + len(fraction)
        raise ValueError(f"a number of {digits:,} digits: expected at most {_MOST_DIGITS}")
    if exponent and (len(exponent) > _DEEPEST or abs(int(exponent)) > _LARGEST_EXPONENT):
        raise ValueError(f"{text[:40]} is too large or too small: write the number without 'e'")
    return int(text) if node.tag.endswith(":int") else Decimal(text)


def _moment(node: yaml.ScalarNode) -> Any:
    try:
        return yaml.SafeLoader("").construct_yaml_timestamp(node)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{node.value} is not a date or time: {error}") from None


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda node: node.value.lower() == "true",
    f"{_TAG}int": _number,
    f"{_TAG}float": _number,
    f"{_TAG}timestamp": _moment,
}
_PLAIN_WORDS = {
    f"{_TAG}bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    f"{_TAG}int": re.compile(r"^[-+]?[0-9]+$"),
    f"{_TAG}float": re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
_NOT_PLAIN = {f"{_TAG}merge", f"{_TAG}value"}


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's plain words and limited depth, without anchors, aliases and
    tags."""

    depth = 0

    def fetch_alias(self) -> None:
        raise self._refused("a value cannot begin with '*': put it in quotes, as in \"* * * * *\"")

    def fetch_anchor(self) -> None:
        raise self._refused("anchors are not allowed: put '&' in quotes")

    def fetch_tag(self) -> None:
        raise self._refused("tags are not allowed: put '!' in quotes")

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _DEEPEST:
            problem = f"more than {_DEEPEST} levels of lists and mappings"
            raise _Unwanted(problem=problem, problem_mark=parent.start_mark if parent else None)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refused(self, problem: str) -> yaml.MarkedYAMLError:
        return _Unwanted(problem=problem, problem_mark=self.get_mark())


class _Unwanted(yaml.MarkedYAMLError):
    """A YAML feature that a header may not use."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _PLAIN_WORDS.get(tag, pattern)) for tag, pattern in rules if tag not in _NOT_PLAIN
    ]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _not_yaml(error: yaml.MarkedYAMLError, fenced: Fenced) -> Refused:
    """The refusal with advice, at the position of the cause."""
    problem, context = error.problem or "", error.context or ""
    if isinstance(error, _Unwanted):
        message, at_context = problem, False
    else:
        message, at_context = _in_plain_words(problem, context, fenced.name)
    mark = (error.context_mark if at_context else None) or error.problem_mark or error.context_mark
    place = fenced.place(mark.line, mark.column) if mark else (max(fenced.first_line - 1, 1), 1)
    return refuse(*place, message)


def _in_plain_words(problem: str, context: str, name: str) -> tuple[str, bool]:
    """The problem in plain words, and whether its cause is where the parser's context began."""
    for words, message, at_context in _EXPLAINED:
        found = re.search(words, f"{context}: {problem}")
        if found:
            return message.format(*found.groups(), name=name), at_context
    return f"{name} is not YAML: {problem}", False


_EXPLAINED = (
    (r"'\\t'", "a tab: YAML is indented with spaces; replace it", False),
    (r"while parsing a flow node", "'[' or '{{' is not closed", False),
    (
        r"while parsing a flow sequence",
        "'[' is not closed: expected ',' or ']' after a value",
        True,
    ),
    (
        r"while parsing a flow mapping",
        "'{{' is not closed: expected ',' or '}}' after a value",
        True,
    ),
    (r"while scanning a quoted scalar.*end of stream", "the quote is not closed", True),
    (
        r"unknown escape character '(.)'",
        "a backslash within double quotes begins an escape, but '\\{0}' is not one: use single "
        "quotes",
        False,
    ),
    (
        r"mapping values are not allowed",
        "unexpected ':': put a value that contains ': ' in quotes, and check that every line "
        "above has its own ':'",
        False,
    ),
    (
        r"could not find expected ':'",
        "this line has no ':' after its key: expected 'key: value'",
        True,
    ),
    (
        r"character '(.)' that cannot start any token",
        "a value cannot begin with '{0}': put it in quotes",
        False,
    ),
    (
        r"expected <block end>|block mapping|block collection",
        "this line does not match those above it: keys of one level begin in the same column, and "
        "each item of a list begins with '- '",
        False,
    ),
    (r"single document", "{name} contains '---': remove it", False),
)

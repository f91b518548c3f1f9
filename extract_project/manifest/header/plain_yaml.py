"""The YAML that a header may use: plain values, without anchors and tags.

Plain words are read as in YAML 1.2 (`NO` is a word; only `true` and `false` are booleans), and
numbers with a point as exact decimals. Anchors, tags and merge keys are refused. Depth, digits and
exponents are limited before anything is computed from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import yaml

_DEEPEST = 16
_MOST_DIGITS, _LARGEST_EXPONENT = 100, 400
_NUMBER = re.compile(r"[-+]?([0-9]*)\.?([0-9]*)(?:[eE]([-+]?[0-9]+))?")
NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")
"""Characters that no text of a header may have, not even as an escape."""


def plain_value(node: yaml.ScalarNode) -> Any:
    """The value of a scalar; raises ValueError or OverflowError if it is none."""
    return _SCALARS.get(node.tag, _text)(node)


def is_written_null(node: yaml.ScalarNode) -> bool:
    """Whether `null` or `~` is written, as opposed to no value at all."""
    return bool(node.tag == f"{_TAG}null" and node.value)


def _text(node: yaml.ScalarNode) -> str:
    odd = NOT_IN_TEXT.search(node.value)
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


class PlainLoader(yaml.SafeLoader):
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
            raise UnwantedYAML(problem=problem, problem_mark=parent.start_mark if parent else None)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refused(self, problem: str) -> yaml.MarkedYAMLError:
        return UnwantedYAML(problem=problem, problem_mark=self.get_mark())


class UnwantedYAML(yaml.MarkedYAMLError):
    """A YAML feature that a header may not use."""


PlainLoader.yaml_implicit_resolvers = {
    first: [
        (tag, _PLAIN_WORDS.get(tag, pattern)) for tag, pattern in rules if tag not in _NOT_PLAIN
    ]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

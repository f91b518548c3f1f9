"""The header's YAML, with the place of every key, so that an error can point at it.

The header is a leading block comment fenced by `/*---` and `---*/`. The YAML inside is read as
YAML 1.2 reads plain words (`NO` is a word, only `true` and `false` are booleans), numbers with a
point as exact decimals, without anchors, and without duplicate keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from extract_project.manifest.problem import refuse

OPEN, CLOSE = "/*---", "---*/"
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class FrontMatter:
    """The header as plain data, and where each part of it stands in the file."""

    data: dict[str, Any]
    places: dict[Path, tuple[int, int]]

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of the deepest part of `path` that the header has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read_front_matter(text: str) -> FrontMatter:
    """Find and read the header of a SQL file; an absent header is an empty one.

    Raises Refused with the place of whatever is not YAML, not a mapping, or said twice.
    """
    start = len(text) - len(text.lstrip())
    if not text.startswith(OPEN, start):
        return FrontMatter({}, {})
    first_line = text.count("\n", 0, start) + 1
    end = text.find(CLOSE, start + len(OPEN))
    if end < 0:
        raise refuse(first_line, 1, f"the header is not closed: expected {CLOSE!r} after it")
    indent = start - (text.rfind("\n", 0, start) + 1)
    return _read_yaml(text[start + len(OPEN) : end], first_line, indent + len(OPEN))


def _read_yaml(source: str, first_line: int, first_column: int) -> FrontMatter:
    """Read YAML that starts on a line of the file, behind `first_column` characters."""

    def located(mark: yaml.Mark) -> tuple[int, int]:
        column = mark.column + 1 + (first_column if mark.line == 0 else 0)
        return first_line + mark.line, column

    try:
        for token in yaml.scan(source, Loader=_Loader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
                line, column = located(token.start_mark)
                raise refuse(line, column, "anchors are not allowed in a header")
        loader = _Loader(source)
        node = loader.get_single_node()
        if node is None:
            return FrontMatter({}, {})
        places: dict[Path, tuple[int, int]] = {}
        _walk(node, (), places, located)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = located(mark) if mark else (first_line, 1)
        raise refuse(line, column, f"the header is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise refuse(first_line, 1, f"the header is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise refuse(first_line, 1, "the header is not a mapping: expected 'key: value' lines")
    return FrontMatter(data, places)


def _walk(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]], located: Any) -> None:
    places.setdefault(path, located(node.start_mark))
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*path, index), places, located)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value if isinstance(key, yaml.ScalarNode) else str(key.tag))
            if inner in places:
                line, column = located(key.start_mark)
                message = f"{inner[-1]!r} is said twice: it stands on line {places[inner][0]} too"
                raise refuse(line, column, message)
            places[inner] = located(key.start_mark)
            _walk(value, inner, places, located)


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's plain words and exact decimals."""

    def construct_exact(self, node: yaml.ScalarNode) -> Decimal | float:
        text = str(self.construct_scalar(node)).replace("_", "").lower()
        return float(text.replace(".", "")) if text.lstrip("+-")[1:].isalpha() else Decimal(text)


def _core_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """PyYAML's resolvers without `yes`/`no`/`on`/`off` and without base-60 numbers."""
    replaced = {
        "tag:yaml.org,2002:bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
        "tag:yaml.org,2002:int": re.compile(r"^[-+]?[0-9]+$"),
        "tag:yaml.org,2002:float": re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
    }
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items():
        resolvers[first] = [(tag, replaced.get(tag, pattern)) for tag, pattern in rules]
    return resolvers


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


_Loader.yaml_implicit_resolvers = _core_resolvers()
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_exact)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)

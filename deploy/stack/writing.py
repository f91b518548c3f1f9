"""Write the template as short, readable YAML."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import yaml

_LINE = 110
_WIDTH = 300
_NEVER = 10_000


@dataclass(frozen=True)
class Tagged:
    """One of CloudFormation's functions in its short form."""

    tag: str
    value: Any


class _Dumper(yaml.SafeDumper):
    """Keeps the order of keys, and repeats instead of referring."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _tagged(dumper: yaml.SafeDumper, tagged: Tagged) -> yaml.Node:
    if not isinstance(tagged.value, str):
        return dumper.represent_sequence(tagged.tag, tagged.value, flow_style=True)
    style = "|" if "\n" in tagged.value else None
    return dumper.represent_scalar(tagged.tag, tagged.value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Tagged, _tagged)


def write(template: dict[str, Any]) -> str:
    """The template as text: short values on one line, functions as `!Ref`, `!GetAtt`, `!Sub`,
    `!If`."""
    dumper = _Dumper(io.StringIO(), sort_keys=False)
    node = dumper.represent_data({part: _short(value) for part, value in template.items()})
    _fit(node)
    text: str = yaml.serialize(node, Dumper=_Dumper, width=_WIDTH, allow_unicode=True)
    return re.sub(r"(!(?:Ref|GetAtt|Condition)) '([\w:.]+)'", r"\1 \2", text)


def _fit(node: yaml.Node) -> int:
    """Choose one line or several for a value and all in it; returns its length in one line."""
    if isinstance(node, yaml.ScalarNode):
        return _NEVER if node.style == "|" else len(node.value) + len(node.tag.partition("!")[2])
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    else:
        assert isinstance(node, yaml.SequenceNode)
        children = node.value
    length = sum(_fit(child) + 2 for child in children)
    node.flow_style = node.tag.startswith("!") or length <= _LINE
    return length


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name in ("Ref", "Condition") and isinstance(argument, str):
            return Tagged(f"!{name}", argument)
        if name == "Fn::GetAtt":
            return Tagged("!GetAtt", ".".join(argument))
        if name == "Fn::Sub" and isinstance(argument, str):
            return Tagged("!Sub", argument)
        if name == "Fn::Join":
            return _joined(argument)
        if name in ("Fn::If", "Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Fn::Select"):
            return Tagged(name.replace("Fn::", "!"), _short(argument))
    return {key: _short(each) for key, each in value.items()}


def _joined(argument: list[Any]) -> Any:
    """`!Sub` for what is joined of texts and names."""
    between, parts = argument
    written = [_part(part) for part in parts] if isinstance(parts, list) and not between else [None]
    if None in written:
        return {"Fn::Join": _short(argument)}
    return Tagged("!Sub", "".join(each or "" for each in written))


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part.replace("${", "${!")
    if isinstance(part, dict) and "Ref" in part:
        return f"${{{part['Ref']}}}"
    if isinstance(part, dict) and "Fn::GetAtt" in part:
        return f"${{{'.'.join(part['Fn::GetAtt'])}}}"
    return None

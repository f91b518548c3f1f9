"""What a further location takes from the first stack.

The templates refer to a resource in the same way, whichever has it. What `deploy/location.yaml`
refers to and does not have becomes an import, and for each import the first stack has an export:
so neither can name what the other lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aws_cdk as cdk

from deploy.stack.parameters import FURTHER, att, known_condition, ref

_NAMED = re.compile(r"\$\{([A-Za-z0-9.]+)\}")


@dataclass
class Imports:
    """The references of a template that another stack has to resolve, by the names of exports."""

    own: frozenset[str]
    """The parameters and resources that the template has."""
    found: dict[str, str] = field(default_factory=dict)
    """The name of an export, and what it exports: `Cluster`, `Key.Arn`."""

    def replaced(self, value: Any) -> Any:
        """The value with its references to what the template has not replaced by imports."""
        match value:
            case list():
                return [self.replaced(each) for each in value]
            case {"Ref": str(name)} if self._is_foreign(name):
                return self._imported(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]} if self._is_foreign(name):
                return self._imported(f"{name}.{attribute}")
            case {"Fn::Join": ["", list() as parts]}:
                text = "".join(map(_part, parts)) if all(map(_is_part, parts)) else None
                return self._text(text) if text else {"Fn::Join": ["", self.replaced(parts)]}
            case {"Fn::Sub": str(text)}:
                return self._text(text)
            case dict():
                return {key: self.replaced(each) for key, each in value.items()}
        return value

    def _is_foreign(self, name: str) -> bool:
        return name.partition(".")[0] not in self.own and not name.startswith("AWS::")

    def _imported(self, what: str) -> dict[str, Any]:
        name = what.replace(".", "")
        self.found[name] = what
        return {"Fn::ImportValue": {"Fn::Sub": f"${{Stack}}-{name}"}}

    def _text(self, text: str) -> dict[str, Any]:
        given = {
            what.replace(".", ""): self._imported(what)
            for what in dict.fromkeys(_NAMED.findall(text))
            if self._is_foreign(what)
        }
        if not given:
            return {"Fn::Sub": text}
        named = _NAMED.sub(
            lambda at: f"${{{at[1].replace('.', '')}}}" if self._is_foreign(at[1]) else at[0], text
        )
        return {"Fn::Sub": [named, given]}


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (
        isinstance(part, dict) and {*part} & {"Ref", "Fn::GetAtt"} != set()
    )


def _part(part: Any) -> str:
    match part:
        case str():
            return part.replace("${", "${!")
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
    raise AssertionError(part)


def with_imports(template: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The template of a further location, with imports, and what it imports."""
    imports = Imports(frozenset([*template["Parameters"], *template["Resources"]]))
    replaced = {part: imports.replaced(each) for part, each in template.items()}
    return replaced, dict(sorted(imports.found.items()))


def define_exports(stack: cdk.Stack, wanted: Mapping[str, str]) -> None:
    """Export from the first stack what further locations import."""
    for name, what in wanted.items():
        resource, _, attribute = what.partition(".")
        stack.node.find_child(resource)  # raises if there is none
        cdk.CfnOutput(
            stack,
            f"Export{name}",
            value=att(resource, attribute) if attribute else ref(resource),
            description="for deploy/location.yaml",
            export_name=f"{cdk.Aws.STACK_NAME}-{name}",
            condition=known_condition(stack, FURTHER),
        )

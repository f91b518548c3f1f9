"""Read and evaluate the committed templates, without the CDK."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "deploy" / "template.yaml"
LOCATION = ROOT / "deploy" / "location.yaml"
"""Of the first stack, and of each further code location."""
INSTANCE = ROOT / "deploy" / "dagster.yaml"

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-central-1",
    "AWS::Partition": "aws",
    "AWS::StackName": "extracts",
}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        assert isinstance(node, yaml.SequenceNode)
        value = loader.construct_sequence(node, deep=True)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def template(path: Path = TEMPLATE) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(path.read_text(), _Loader)
    return loaded


def of_type(kind: str, path: Path = TEMPLATE) -> dict[str, dict[str, Any]]:
    """The properties of each resource of a type, by name."""
    found = template(path)["Resources"].items()
    return {name: each.get("Properties", {}) for name, each in found if each["Type"] == kind}


def listed(value: Any) -> list[Any]:
    """The value, which a policy may write without a list if there is one."""
    return value if isinstance(value, list) else [value]


_NOTHING = object()


class Evaluation:
    """Resolves the template as CloudFormation would, with the parameters of a deployment."""

    pseudo: Mapping[str, str] = PSEUDO

    def __init__(self, path: Path = TEMPLATE, /, **parameters: str) -> None:
        self._path = path
        declared = template(path)["Parameters"]
        defaults = {name: each["Default"] for name, each in declared.items() if "Default" in each}
        unknown = parameters.keys() - declared.keys()
        assert not unknown, unknown
        absent = declared.keys() - defaults.keys() - parameters.keys()
        assert not absent, absent
        self._values: Mapping[str, Any] = {**defaults, **parameters, **self.pseudo}

    def of(self, value: Any) -> Any:
        """The value with every function resolved; names of resources stand for their ids."""
        if isinstance(value, list):
            found = [self.of(each) for each in value]
            return [each for each in found if each is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            match name:
                case "Ref":
                    if argument == "AWS::NoValue":
                        return _NOTHING
                    return self._values[argument] if argument in self._values else self.id(argument)
                case "Fn::GetAtt":
                    return self.attribute(*argument)
                case "Fn::Sub":
                    text, given = argument if isinstance(argument, list) else (argument, {})
                    return self.text(self._parts(text, given))
                case "Fn::ImportValue":
                    return self.imported(self.of(argument))
                case "Fn::If":
                    condition, yes, no = argument
                    return self.of(yes if self.holds(condition) else no)
        found_here = {key: self.of(each) for key, each in value.items()}
        return {key: each for key, each in found_here.items() if each is not _NOTHING}

    def holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self.holds(template(self._path)["Conditions"][condition])
        ((name, argument),) = condition.items()
        match name:
            case "Fn::Equals":
                first, second = (self.of(each) for each in argument)
                return bool(first == second)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(each) for each in argument)
            case "Fn::Or":
                return any(self.holds(each) for each in argument)
        raise AssertionError(name)

    def id(self, resource: str) -> Any:
        """What `Ref` gives for a resource."""
        return resource

    def attribute(self, resource: str, name: str) -> Any:
        """What `Fn::GetAtt` gives."""
        return f"{resource}.{name}"

    def imported(self, name: Any) -> Any:
        """What `Fn::ImportValue` gives: the name of the export stands for it."""
        return name

    def text(self, parts: Sequence[Any]) -> Any:
        """What `Fn::Sub` gives; `parts` are resolved."""
        return "".join(str(each) for each in parts)

    def _parts(self, text: str, given: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = re.split(r"\$\{([^}!]+)\}", text)
        for at in range(1, len(found), 2):
            name, _, attribute = found[at].partition(".")
            if name in given:
                found[at] = self.of(given[name])
                continue
            found[at] = self.of({"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name})
        return [each.replace("${!", "${") if isinstance(each, str) else each for each in found]

    def containers(self, task: str) -> dict[str, dict[str, Any]]:
        """The containers of a task definition, by the names of their processes."""
        found = of_type("AWS::ECS::TaskDefinition", self._path)[f"{task}Task"][
            "ContainerDefinitions"
        ]
        return {each["Name"].capitalize(): self.of(each) for each in found}

    def container(self, process: str, *, task: str = "") -> dict[str, Any]:
        """The container of a process, `Code`, `Webserver`, `Daemon` or `Run`, in a task;
        default: its own."""
        return self.containers(task or process)[process]

    def environment(self, process: str, *, task: str = "") -> dict[str, str]:
        """The environment variables; the value of a secret is its source."""
        container = self.container(process, task=task)
        plain = {each["Name"]: each["Value"] for each in container["Environment"]}
        return plain | {each["Name"]: each["ValueFrom"] for each in container["Secrets"]}

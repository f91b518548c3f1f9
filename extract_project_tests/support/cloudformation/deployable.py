"""Transform the template so that moto's CloudFormation can deploy it.

Measured on moto 5.2.5: it does not know `Fn::Cidr`; keeps `AWS::NoValue` as a null in a list; cuts
`Database.Endpoint.Address` at the second dot; counts only a `Ref` as a use of a parameter when it
looks for what an update changes; takes a resource without properties for changed; and updates
nothing because what it refers to was replaced. So parameters and conditions are resolved here, as
CloudFormation resolves them before it makes anything. What refers to a resource is left for the
deployment: nobody else knows its ids.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from extract_project_tests.support.cloudformation.template import TEMPLATE, Evaluation, template

_REPLACED = "AWS::ECS::TaskDefinition"
"""The type of the resources that every change replaces."""


class _Deployable(Evaluation):
    pseudo: Mapping[str, str] = {}

    def of(self, value: Any) -> Any:
        match value:
            case {"Fn::Cidr": [block, count, bits]}:
                network = ipaddress.ip_network(self.of(block))
                subnets = network.subnets(new_prefix=32 - int(self.of(bits)))
                return [str(next(subnets)) for _ in range(int(count))]
        return super().of(value)

    def id(self, resource: str) -> Any:
        return {"Ref": resource}

    def attribute(self, resource: str, name: str) -> Any:
        return {"Fn::GetAtt": [resource, name]}

    def imported(self, name: Any) -> Any:
        return {"Fn::ImportValue": name}

    def text(self, parts: Sequence[Any]) -> Any:
        if all(not isinstance(each, dict) for each in parts):
            return super().text(parts)
        return {"Fn::Join": ["", [each for each in parts if each != ""]]}


def deployable(path: Path = TEMPLATE, /, **parameters: str) -> dict[str, Any]:
    """A template for moto with these parameters; resources follow those that they refer to."""
    evaluation = _Deployable(path, **parameters)
    found = {
        part: {
            name: evaluation.of({key: of for key, of in each.items() if key != "Condition"})
            for name, each in template(path)[part].items()
            if "Condition" not in each or evaluation.holds(each["Condition"])
        }
        for part in ("Resources", "Outputs")
    }
    resources = found["Resources"]
    needed = {
        name: used(each) | {*each.get("DependsOn", ())} & resources.keys()
        for name, each in resources.items()
    }
    for each in resources.values():
        each.setdefault("Properties", {})
    prints: dict[str, str] = {}
    for name in TopologicalSorter(needed).static_order():
        of = [prints[each] for each in sorted(needed[name]) if each in prints]
        if of:  # differs when one of them does, so that this is updated too
            resources[name].setdefault("Metadata", {})["Replaced"] = of
        if resources[name]["Type"] == _REPLACED:
            prints[name] = hashlib.sha256(json.dumps(resources[name]).encode()).hexdigest()
    order = TopologicalSorter(needed).static_order()
    return {**found, "Resources": {name: resources[name] for name in order}}


def used(value: Any) -> set[str]:
    """The resources that a resolved value refers to."""
    return {name for name in _used(value) if not name.startswith("AWS::")}


def _used(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case Mapping():
            for each in value.values():
                yield from _used(each)
        case list():
            for each in value:
                yield from _used(each)

"""A resource that was made through the AWS API, and the requests that make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = dict[str, Any]
Client = Callable[[str], Any]
"""Gives the client of a service."""


@dataclass
class Made:
    """A resource as moto's CloudFormation holds it."""

    physical_resource_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    delete_it: Callable[[], object] | None = None
    change: Callable[[Properties], object] | None = None
    """Makes it as these properties say; None for what is replaced instead."""
    type: str = ""
    logical_resource_id: str = ""
    cf_resource_type: str = ""

    def get_cfn_attribute(self, name: str) -> Any:
        return self.attributes[name]

    def is_created(self) -> bool:
        return True

    def delete(self, account_id: str, region_name: str) -> None:
        if self.delete_it:
            self.delete_it()


Make = Callable[[Client, str, Properties], Made]
"""From the client, the name that CloudFormation makes up, and the properties."""


def _fitted(value: Any, shape: Any) -> Any:
    """A property as the request has it: the API's spelling, and its kind of number or text."""
    match shape.type_name:
        case "structure":
            names = {name.lower(): name for name in shape.members}
            unknown = [name for name in value if name.lower() not in names]
            assert not unknown, f"{shape.name} has no {unknown}"
            return {
                names[name.lower()]: _fitted(each, shape.members[names[name.lower()]])
                for name, each in value.items()
            }
        case "list":
            return [_fitted(each, shape.member) for each in value]
        case "map":
            return {name: _fitted(each, shape.value) for name, each in value.items()}
        case "integer" | "long":
            return int(value)
        case "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}[value]
        case "string":
            return value if isinstance(value, str) else str(value)
    return value


def call(client: Client, service: str, operation: str, properties: Properties) -> Any:
    """The reply to a request that has these properties."""
    api = client(service)
    method = api.meta.method_to_api_mapping[operation]
    shape = api.meta.service_model.operation_model(method).input_shape
    return getattr(api, operation)(**_fitted(properties, shape))

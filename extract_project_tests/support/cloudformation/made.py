"""Resources that are created through the AWS API, and the requests that create them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = dict[str, Any]
Client = Callable[[str], Any]
"""Returns the client of a service."""


@dataclass
class Made:
    """A resource in the form that moto's CloudFormation expects."""

    physical_resource_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    delete_it: Callable[[], object] | None = None
    change: Callable[[Properties], object] | None = None
    """Updates it to these properties; None if it is replaced instead."""
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
"""Creates it, given the client, the name that CloudFormation generates, and the properties."""


def _fitted(value: Any, shape: Any) -> Any:
    """A property as the request needs it: the API's spelling, and a number or text as the API
    wants.
    """
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
    """Send a request with these properties; returns the reply."""
    api = client(service)
    method = api.meta.method_to_api_mapping[operation]
    shape = api.meta.service_model.operation_model(method).input_shape
    return getattr(api, operation)(**_fitted(properties, shape))

"""Settings of one warehouse, validated by the model of their type.

The types are not known until settings name them (`registry`), so this is a validator, not a union
of models. It raises the errors that pydantic raises for a union: the type is part of their place.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import BaseModel, PlainValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from extract_project.errors import SettingsError
from extract_project.warehouses.protocol import Driver, Warehouse
from extract_project.warehouses.registry import UnknownType, warehouse_model, warehouse_types

NO_TYPE, WRONG_TYPE = "warehouse_without_type", "warehouse_of_wrong_type"
"""Types of errors about the setting `type`; the second has its `reason` in its context."""


def _configured(given: Any) -> Any:
    """The warehouse, from the mapping of its fields or the same as JSON."""
    fields = _from_json(given) if isinstance(given, str) else given
    if isinstance(fields, BaseModel):
        return fields
    if not isinstance(fields, dict):
        raise PydanticKnownError("dict_type")
    kind = fields.get("type")
    if not kind or not isinstance(kind, str):
        expected = ", ".join(warehouse_types())
        raise PydanticCustomError(NO_TYPE, "expected one of {types}", {"types": expected})
    try:
        model = warehouse_model(kind)
        _require_driver(getattr(model, "driver", None))
    except UnknownType:
        expected = ", ".join(warehouse_types())
        raise _wrong(kind, f"expected one of {expected}") from None
    except SettingsError as error:
        raise _wrong(kind, str(error)) from None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _of_type(kind, error) from None


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise PydanticKnownError("dict_type") from None


def _require_driver(driver: Driver | None) -> None:
    """Raises SettingsError with the command that installs the driver, if it is not there."""
    if driver is None:
        return
    try:
        missing = find_spec(driver.module) is None
    except ModuleNotFoundError:  # not even the package that it is in
        missing = True
    if missing:
        raise SettingsError(
            f"such a warehouse needs the module {driver.module}, which is not installed: "
            f"{driver.install}"
        )


def _wrong(kind: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG_TYPE, "{reason}", {"kind": kind, "reason": reason})


def _of_type(kind: str, error: ValidationError) -> ValidationError:
    """The errors of a warehouse's own fields, with its type at the beginning of their place."""
    return ValidationError.from_exception_data(
        error.title,
        [
            InitErrorDetails(
                type=PydanticCustomError(
                    each["type"],
                    "{said}",
                    {**each.get("ctx", {}), "said": each["msg"]},
                ),
                loc=(kind, *each["loc"]),
                input=each["input"],
            )
            for each in error.errors(include_url=False)
        ],
    )


WarehouseSettings = Annotated[
    Warehouse,
    # What pydantic-settings takes a field's values for: text, and not JSON, which would turn a
    # password of digits into a number.
    dict[str, str],
    PlainValidator(_configured),
]

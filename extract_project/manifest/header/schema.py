"""The JSON Schemas of the header and of the defaults of folders, for completion in editors."""

from __future__ import annotations

from typing import Any

from extract_project.checks import CHECKS
from extract_project.manifest.header.model import ONE_EXTRACT, Header

_ABOUT = ("title", "description", "default")
"""What is said of a property, rather than of its value."""
_NULL = {"type": "null"}


def header_schema() -> dict[str, Any]:
    """The JSON Schema of the header, for editors and for programs that write SQL files."""
    return _schema("Header of an extract's SQL file", list(Header.model_fields))


def defaults_schema() -> dict[str, Any]:
    """The JSON Schema of `_defaults.yaml`: a header without the keys that are about one extract."""
    keys = [key for key, field in Header.model_fields.items() if ONE_EXTRACT not in field.metadata]
    return _schema("Defaults of a folder of SQL files", keys)


def _schema(title: str, keys: list[str]) -> dict[str, Any]:
    schema = Header.model_json_schema()
    properties = {key: _or_null(schema["properties"][key]) for key in keys}
    names = properties["tags"]["anyOf"][0]["patternProperties"]
    names.update({pattern: _or_null(value) for pattern, value in names.items()})
    for model in schema["$defs"].values():
        for check in {*CHECKS}.intersection(model.get("required", ())):
            model["properties"][check] = _or_null(model["properties"][check])
    return {
        **{key: value for key, value in schema.items() if key != "title"},
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "properties": properties,
    }


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that `null` can stand for, which takes a default back."""
    if _NULL in value.get("anyOf", ()):
        return value
    about = {key: each for key, each in value.items() if key in _ABOUT}
    rule = {key: each for key, each in value.items() if key not in _ABOUT}
    return {
        "anyOf": [*rule["anyOf"], _NULL] if rule.keys() == {"anyOf"} else [rule, _NULL],
        **about,
    }

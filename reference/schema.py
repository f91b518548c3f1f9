"""The properties of a JSON Schema as rows of a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from extract_project.units import format_duration

Schema = Mapping[str, Any]

_DEFAULT = " Default: "
"""In a description, begins what an absent key means, where the default value does not say it."""
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "array": "list",
}
_NOTHING: tuple[Any, ...] = (None, "", [], {}, ())


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(each) for each in line)} |\n" for line in lines)


def properties(schema: Schema, without: Sequence[str] = ()) -> Iterator[Sequence[str]]:
    """Name, value, default and purpose of each property."""
    required = schema.get("required", ())
    for name, described in schema["properties"].items():
        if name not in without:
            purpose, default = purpose_and_default(described)
            yield (
                f"`{name}`",
                value(described),
                "required" if name in required else default,
                purpose,
            )


def purpose_and_default(schema: Schema) -> tuple[str, str]:
    """What a property is for, and what it is when it is absent."""
    purpose, _, stated = schema.get("description", "").partition(_DEFAULT)
    return purpose, stated or _literal(schema.get("default"))


def value(schema: Schema) -> str:
    """What may be written, in words: `text`, `list of text`, one of some words, an example."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "$ref" in schema:
        return f"[{_last(schema)}](#{_last(schema).lower()})"
    if "oneOf" in schema:
        return "check"
    if "anyOf" in schema:
        given = [each for each in schema["anyOf"] if each.get("type") != "null"]
        plain = given if len(given) == 1 else [{**each, "examples": ()} for each in given]
        return " or ".join(dict.fromkeys(map(value, plain)))
    if schema.get("type") == "array" and "items" in schema:
        items = value({**schema["items"], "examples": ()})
        return f"list of {items}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of names to {value(schema['additionalProperties'])}"
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    words = " or ".join(_WORDS[each] for each in kinds if each != "null")
    examples = ", ".join(f"`{each}`" for each in schema.get("examples", ()))
    return f"{words}: {examples}" if examples else words


def _last(schema: Schema) -> str:
    return str(schema["$ref"].rpartition("/")[2])


def _literal(default: Any) -> str:
    if default in _NOTHING:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, str) and default.startswith("PT"):
        return f"`{format_duration(TypeAdapter(timedelta).validate_python(default))}`"
    return f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")

"""The JSON Schema of the header, with which editors complete keys."""

from __future__ import annotations

from typing import Any

from extract_project.manifest.header.model import Header


def header_schema() -> dict[str, Any]:
    """The JSON Schema of the header, for editors and for programs that write SQL files."""
    schema = Header.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Header of an extract's SQL file",
    } | {key: value for key, value in schema.items() if key != "title"}

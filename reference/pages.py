"""The pages of docs/ that are generated, each with the function that makes its text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from extract_project.catalog.model import catalog_schema
from extract_project.manifest.header.schema import defaults_schema, header_schema
from reference.commands import commands_page
from reference.header import header_page
from reference.parameters import parameters_page
from reference.settings import settings_page


def _header_schema() -> str:
    """What `extract schema` prints."""
    return _written(header_schema())


def _defaults_schema() -> str:
    """What `extract schema --defaults` prints."""
    return _written(defaults_schema())


def _catalog_schema() -> str:
    return _written(catalog_schema())


def _written(schema: Any) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "header.md": header_page,
    "cli.md": commands_page,
    "settings.md": settings_page,
    "parameters.md": parameters_page,
    "extract-header.schema.json": _header_schema,
    "defaults.schema.json": _defaults_schema,
    "catalog.schema.json": _catalog_schema,
}

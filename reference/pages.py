"""The pages of docs/ that are generated, each with the function that makes its text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from extract_project.manifest.header.schema import header_schema
from reference.commands import commands_page
from reference.header import header_page
from reference.settings import settings_page


def json_schema() -> str:
    """What `extract schema` prints."""
    return json.dumps(header_schema(), indent=2, sort_keys=True) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "header.md": header_page,
    "cli.md": commands_page,
    "settings.md": settings_page,
    "extract-header.schema.json": json_schema,
}

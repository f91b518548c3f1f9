"""`extract schema`: the JSON Schema of the header."""

from __future__ import annotations

import json

import click

from extract_project.manifest.header.schema import header_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of a SQL file's header, for editors."""
    click.echo(json.dumps(header_schema(), indent=2, sort_keys=True))

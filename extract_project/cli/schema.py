"""`extract schema`: the JSON Schema of the header, and of the defaults of folders."""

from __future__ import annotations

import json

import click

from extract_project.manifest.header.schema import defaults_schema, header_schema


@click.command()
@click.option("--defaults", is_flag=True, help="The schema of _defaults.yaml instead.")
def schema(defaults: bool) -> None:
    """Print the JSON Schema of a SQL file's header, for editors."""
    chosen = defaults_schema() if defaults else header_schema()
    click.echo(json.dumps(chosen, indent=2, sort_keys=True))

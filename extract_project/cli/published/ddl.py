"""`extract ddl`: a published extract as a table of a query engine."""

from __future__ import annotations

import click

from extract_project.catalog.build import entry_of
from extract_project.catalog.tables import table_of
from extract_project.cli.completion import extract_names
from extract_project.cli.console import explains_itself
from extract_project.cli.published.versions import resolve
from extract_project.ddl import ENGINES
from extract_project.settings import load_settings


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.option("--for", "engine", type=click.Choice(sorted(ENGINES)), required=True)
@click.option("--table", "name", help="Name of the table; default: folder_name.")
@explains_itself
def ddl(*, extract: str, engine: str, name: str | None) -> None:
    """Print SQL that makes EXTRACT (folder/name) a table.

    It is for the query engine that you name. The columns are those of the current version. The
    table reads what is current whenever it is queried.

    \b
    extract ddl sales/orders --for athena
    extract ddl sales/orders --for duckdb --table orders | duckdb shop.duckdb
    """
    settings = load_settings()
    folders = settings.connect()
    entry = entry_of(folders, resolve(settings, extract))
    click.echo(ENGINES[engine](table_of(entry, folders.data.uri, name)), nl=False)

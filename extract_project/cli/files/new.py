"""`extract new`: a first SQL file over a table of the warehouse."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import sqlglot
from sqlglot import exp

from extract_project.cli.console import err, explains_itself, out
from extract_project.cli.files.preview import preview
from extract_project.errors import ManifestError
from extract_project.manifest.draft import DraftColumn, draft
from extract_project.manifest.extract import SUFFIX
from extract_project.problem import suggestion
from extract_project.schema.spelling import spelled
from extract_project.settings import Settings, load_settings
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.protocol import Label, Query

_TIMEOUT = timedelta(minutes=1)
_ROWS = 5


@click.command()
@click.argument("extract")
@click.option("--from", "table", required=True, help="A table or view, as in shop.orders.")
@click.option("--warehouse", help="Name of the warehouse; default: the default one.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sql_manifest"),
    show_default=True,
    help="Where your SQL files are.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--no-preview", is_flag=True, help="Do not run it.")
@click.pass_context
@explains_itself
def new(
    context: click.Context,
    *,
    extract: str,
    table: str,
    warehouse: str | None,
    folder: Path,
    force: bool,
    no_preview: bool,
) -> None:
    """Write a first SQL file for EXTRACT (folder/name).

    It is previewed, too. The warehouse is asked about the table: each column stands in the file
    with its comment, and the table's keys and NOT NULLs become checks. Columns that say when a
    row was written are proposed for freshness and for an incremental extract.

    \b
    extract new sales/orders --from shop.orders
    """
    settings = load_settings()
    name = (warehouse or settings.default_warehouse).lower()
    if name not in settings.warehouses:
        raise ManifestError(f"unknown warehouse {name!r}: {suggestion(name, settings.warehouses)}")
    file = folder / f"{extract.removesuffix(SUFFIX)}{SUFFIX}"
    if file.exists() and not force:
        raise ManifestError(f"{file} exists: replace it with --force, or choose another name")
    with err.status(f"asking warehouse {name} about {table}"):
        text = _draft(settings, name, table, extract)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    out.print(f"{file}: written; describe it, then: extract push {folder}")
    if not no_preview:
        context.invoke(preview, file=file, rows=_ROWS, partition=None, params=(), timeout="1m")


def _draft(settings: Settings, name: str, table: str, extract: str) -> str:
    warehouse = settings.warehouses[name]
    place = _table(table, warehouse.dialect.name)
    label = Label(f"draft of {extract}", "new", "new")
    with warehouse.connect(label, _TIMEOUT) as session:
        facts = session.facts(place)
        schema = session.describe(Query(f"select * from {place}"))
    types = {field.name: spelled(field.type) for field in schema}
    return draft(place, _columns(facts, types), facts.keys, warehouse.dialect)


def _columns(facts: TableFacts, types: dict[str, str]) -> list[DraftColumn]:
    return [
        DraftColumn(each.name, types.get(each.name, ""), each.is_nullable, each.comment)
        for each in facts.columns
    ]


def _table(text: str, dialect: str) -> str:
    """The table as it is written in SQL; raises ManifestError for what is no name of one."""
    try:
        parsed = exp.to_table(text, dialect=dialect)
    except sqlglot.errors.SqlglotError:
        parsed = None
    if parsed is None or not parsed.name or parsed.args.get("joins") or parsed.alias:
        raise ManifestError(f"{text!r} is not the name of a table: expected one as in shop.orders")
    return parsed.sql(dialect=dialect)

"""`extract operations`: open the page for whoever is on call."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from extract_project.cli.console import explains_itself, out
from extract_project.errors import ExtractError, NoSuchObject
from extract_project.layout import OPERATIONS_PAGE
from extract_project.operations.keeping import forget as forget_manifest
from extract_project.settings import load_settings


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page into this file, and open no browser.",
)
@click.option(
    "--forget",
    metavar="MANIFEST",
    help="Remove the extracts of a manifest that is used no more, as in s3://acme-sql/old.",
)
@explains_itself
def operations(*, output: Path | None, forget: str | None) -> None:
    """Open the page of what is wrong, the last day and the last month.

    A running deployment builds it, within a minute after something has changed. It has the extracts
    of all manifests that publish in EXTRACT_DATA.

    \b
    extract operations
    extract operations -o operations.html
    """
    data = load_settings().connect().data
    if forget is not None:
        forget_manifest(data, forget.rstrip("/"))
        out.print(f"{forget} is no longer on the page")
        return
    try:
        body = data.store.read(data.key(OPERATIONS_PAGE)).body
    except NoSuchObject:
        raise ExtractError(
            f"there is no page {data.uri}/{OPERATIONS_PAGE}: the sensor 'operations' of a running "
            f"deployment builds it within a minute; see in the UI, under Automation, whether it is "
            f"on"
        ) from None
    place = output or Path(tempfile.mkdtemp(prefix="extract-")) / "operations.html"
    place.write_bytes(body)
    out.print(str(place))
    if output is None:
        click.launch(place.as_uri())

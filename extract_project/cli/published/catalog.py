"""`extract catalog`: the page for those who read the files."""

from __future__ import annotations

from pathlib import Path

import click

from extract_project.catalog.build import as_json, build_catalog, forget_manifest, keep_catalog
from extract_project.catalog.model import Catalog
from extract_project.catalog.page import page
from extract_project.cli.console import err, explains_itself, out
from extract_project.layout import CATALOG_JSON, CATALOG_PAGE
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.others import read_others
from extract_project.settings import load_settings


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write into this directory, and nothing into the bucket.",
)
@click.option(
    "--forget",
    metavar="MANIFEST",
    help="Remove the extracts of a manifest that is used no more, as in s3://acme-sql/old.",
)
@explains_itself
def catalog(*, output: Path | None, forget: str | None) -> None:
    """Build the page that shows readers all extracts.

    Anybody with access to the bucket can open it. It shows what each extract is, its columns, its
    versions, its SQL, and how to read it. A running deployment keeps it up to date; this command
    builds it now.

    \b
    extract catalog
    extract catalog -o /tmp/catalog && open /tmp/catalog/index.html
    """
    settings = load_settings()
    folders = settings.connect()
    if forget is not None:
        forget_manifest(folders.data, forget.rstrip("/"))
        out.print(f"{forget} is no longer in the catalogue")
        return
    with err.status("reading the manifest and what is published"):
        snapshot = read_manifest(folders.manifest, settings.dialects, others=read_others(folders))
        if output is None:
            found = keep_catalog(folders, snapshot)
            places = [
                folders.data.store.uri(folders.data.key(each))
                for each in (CATALOG_PAGE, CATALOG_JSON)
            ]
        else:
            found = build_catalog(folders, snapshot)
            places = _write(found, output)
    published = sum(1 for each in found.extracts if each.published)
    out.print(f"{len(found.extracts):,} extracts, {published:,} of them published")
    for place in places:
        out.print(place)


def _write(found: Catalog, directory: Path) -> list[str]:
    directory.mkdir(parents=True, exist_ok=True)
    contents = {CATALOG_PAGE: page(found), CATALOG_JSON: as_json(found)}
    places = []
    for name, content in contents.items():
        place = directory / Path(name).name
        place.write_bytes(content)
        places.append(str(place))
    return places

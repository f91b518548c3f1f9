"""`extract get`: download a published version to a file or a pipe, and verify it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    as_of_option,
    err,
    explains_itself,
    json_option,
    out,
    partition_option,
    to_option,
)
from extract_project.cli.outcomes import GetAnswer
from extract_project.cli.published.downloading import Download, download
from extract_project.cli.published.saving import Place
from extract_project.cli.published.versions import published_at, resolve_at
from extract_project.errors import ExtractError
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import named_format
from extract_project.history.history import as_of as current_at
from extract_project.history.history import chosen
from extract_project.history.parts import PartsManifest, is_manifest, load_manifest
from extract_project.history.receipt import Receipt, receipt_of
from extract_project.history.versions import Version, require_version
from extract_project.layout import PARTS_MANIFEST
from extract_project.manifest.extract import Extract
from extract_project.settings import load_settings


@dataclass(frozen=True)
class _Fetched:
    """What was written, and how it is said."""

    place: Place
    what: str
    files: Sequence[Place]
    verified: bool


@click.command()
@click.argument("extract", shell_complete=extract_names)
@partition_option
@to_option
@click.option(
    "--version", "version_id", help="A version as in extract diff; default: the current one."
)
@as_of_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A file, a directory, a pipe, or - for standard output; default: the object's name.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--one-file", is_flag=True, help="Join the parts of a split extract into one file.")
@json_option
@explains_itself
def get(
    *,
    extract: str,
    partition: str | None,
    to: str | None,
    version_id: str | None,
    as_of: datetime | None,
    output: Path | None,
    force: bool,
    one_file: bool,
    as_json: bool,
) -> None:
    """Download a version of EXTRACT (folder/name), and verify it.

    The checksum is compared with the one recorded when the version was published. A split extract
    becomes a directory with its parts and their manifest. A file published as .csv.gz is
    decompressed if the output is named .csv; a pipe gets the file as it was published.

    \b
    extract get sales/orders
    extract get sales/orders --version 3HL4 -o old.parquet
    extract get sales/orders --as-of 24h --force
    extract get sales/orders -o - | zcat | head
    """
    if version_id and as_of:
        raise click.UsageError("--version and --as-of both say which version: leave one out")
    if as_json and output is not None and Place(output).is_standard_output:
        raise click.UsageError("--json and -o - both write to standard output: leave one out")
    settings = load_settings()
    found = resolve_at(settings, extract, to)
    destination, key = published_at(settings, found, partition)
    store, state = destination.data.store, destination.state
    if version_id:
        named = chosen(store, state, key, version_id)
        version_id = named.listed.version_id
    elif as_of:
        current = current_at(store, state, key, as_of)
        version_id = current.listed.version_id
    version = require_version(store, key, version_id)
    receipt = receipt_of(state, version)
    if not is_manifest(key):
        place = Place(output or Path(), force).below(key.rpartition("/")[2])
        fetched = _fetch(version, receipt, place)
    elif one_file:
        fetched = _fetch_as_one(found, version, Place(output or Path(), force))
    else:
        fetched = _fetch_parts(version, extract, output or Path(found.name))
    if as_json:
        print_answer(GetAnswer, _plain(found, partition, version, receipt, fetched))
    else:
        _say(fetched.place, version, fetched.what)


def _fetch(version: Version, receipt: Receipt | None, place: Place) -> _Fetched:
    digest = receipt.data_sha256 if receipt else None
    codec = _codec(version, place)
    one = Download(version.key, version.version_id, version.size, place, digest, codec)
    download(version, [one])
    return _Fetched(
        place, "verified" if digest else "without a receipt", [place], verified=bool(digest)
    )


def _fetch_as_one(extract: Extract, version: Version, place: Place) -> _Fetched:
    from extract_project.history.reading import parts_format

    manifest = load_manifest(version)
    file_format = parts_format(manifest)
    one = place.below(f"{extract.name}{file_format.extension}")
    _write_one(version, _written_as(file_format, one), one)
    return _Fetched(one, f"{len(manifest.parts)} parts as one file", [one], verified=False)


def _fetch_parts(version: Version, extract: str, directory: Path) -> _Fetched:
    """All parts, and their manifest, into an empty directory."""
    manifest = load_manifest(version)
    count = len(manifest.parts)
    if Place(directory).is_stream:
        raise ExtractError(
            f"{extract} is published in {count} parts, and {Place(directory)} takes one file: add "
            f"--one-file"
        )
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ExtractError(f"{directory} is not empty: choose another directory with -o")
    downloads = _parts(manifest, directory)
    download(version, downloads)
    listed = Place(directory / PARTS_MANIFEST)
    listed.path.write_text(manifest.text)
    files = [*(each.place for each in downloads), listed]
    # The bytes of parts that a warehouse has written are not known: their sizes are compared.
    verified = all(part.sha256 for part in manifest.parts)
    told = f"{count} parts, {'verified' if verified else 'their sizes verified'}"
    return _Fetched(Place(directory), told, files, verified=verified)


def _plain(
    extract: Extract,
    partition: str | None,
    version: Version,
    receipt: Receipt | None,
    fetched: _Fetched,
) -> dict[str, object]:
    files = [place.path for place in fetched.files]
    return {
        "extract": extract.path,
        "partition": partition,
        "uri": version.uri,
        "version_id": version.version_id,
        "rows": receipt and receipt.rows,
        "bytes": receipt.bytes if receipt else version.size,
        "data_sha256": receipt and receipt.data_sha256,
        "verified": fetched.verified,
        "files": [
            {"file": str(file), "bytes": file.stat().st_size if file.is_file() else None}
            for file in files
        ],
    }


def _say(place: Place, version: Version, what: str) -> None:
    """Print to standard error if the data goes to standard output."""
    (err if place.is_stream else out).print(f"{place}: {version.uri}, {what}")


def _codec(version: Version, place: Place) -> str | None:
    """The compression to remove so that the content matches the file's name, or None; raises
    ExtractError if the name does not fit the version's format.
    """
    from extract_project.history.reading import version_format

    stored = version_format(version)
    return None if _written_as(stored, place) == stored else stored.text_codec


def _written_as(stored: FileFormat, place: Place) -> FileFormat:
    """The format in which a version is written to a place."""
    wanted = None if place.is_stream else named_format(place.path.name)
    if wanted is None or wanted.extension == stored.extension:
        return stored
    if wanted.name == stored.name and wanted.text_codec is None:
        return replace(wanted, options=stored.options)
    raise ExtractError(
        f"{place} has the extension of another format, but the version is {stored.extension}: "
        f"use that extension, or publish with another 'format' or 'compression'"
    )


def _parts(manifest: PartsManifest, directory: Path) -> list[Download]:
    return [
        Download(
            part.key,
            part.version_id,
            part.bytes,
            Place(directory / part.key.rpartition("/")[2]),
            part.sha256,
        )
        for part in manifest.parts
    ]


def _write_one(version: Version, file_format: FileFormat, place: Place) -> None:
    """Write the rows of all parts into one new file."""

    from extract_project.history.reading import open_version
    from extract_project.pipeline.rowgroups import row_groups

    reader = open_version(version)
    with place.opened() as file:
        encoder = file_format.encoder(file, reader.schema)
        for rows in row_groups(reader, reader.schema):
            encoder.write(rows)
        encoder.close()

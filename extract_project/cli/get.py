"""`extract get`: download a published version to a file or a pipe, and verify it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import DownloadColumn, Progress

from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    as_of_option,
    err,
    explains_itself,
    out,
    partition_option,
    to_option,
    transfer_columns,
)
from extract_project.cli.saving import Place
from extract_project.cli.versions import published_at, resolve_at
from extract_project.errors import ExtractError, StagingError
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import named_format
from extract_project.history.history import as_of as current_at
from extract_project.history.history import chosen
from extract_project.history.parts import PartsManifest, is_manifest, load_manifest
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import Version, require_version
from extract_project.layout import PARTS_MANIFEST
from extract_project.settings import load_settings
from extract_project.store.protocol import Store

_CHUNK = 1 << 20
_RANGE = 8 << 20
"""Bytes per request, so that a broken request does not repeat the whole download."""


@dataclass(frozen=True)
class Download:
    """One object version, its destination, and its expected checksum."""

    key: str
    version_id: str
    bytes: int
    place: Place
    sha256: str | None
    codec: str | None = None
    """The compression to remove, or None."""


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
    if not is_manifest(key):
        place = Place(output or Path(), force).below(key.rpartition("/")[2])
        receipt = receipt_of(state, version)
        digest = receipt.data_sha256 if receipt else None
        codec = _codec(version, place)
        _download(version, [Download(key, version.version_id, version.size, place, digest, codec)])
        _say(place, version, "verified" if receipt else "without a receipt")
        return
    manifest = load_manifest(version)
    if one_file:
        from extract_project.history.reading import parts_format

        file_format = parts_format(manifest)
        place = Place(output or Path(), force).below(f"{found.name}{file_format.extension}")
        _write_one(version, _written_as(file_format, place), place)
        _say(place, version, f"{len(manifest.parts)} parts as one file")
        return
    directory = output or Path(found.name)
    if Place(directory).is_stream:
        raise ExtractError(
            f"{extract} is published in {len(manifest.parts)} parts, and {Place(directory)} takes "
            f"one file: add --one-file"
        )
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ExtractError(f"{directory} is not empty: choose another directory with -o")
    _download(version, _parts(manifest, directory))
    (directory / PARTS_MANIFEST).write_text(manifest.model_dump_json(indent=1))
    _say(Place(directory), version, f"{len(manifest.parts)} parts, verified")


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


def _download(version: Version, downloads: list[Download]) -> None:
    """Download the files. Each gets its name when it is complete; StagingError if one is
    damaged."""
    with Progress(*transfer_columns(), DownloadColumn(), console=err) as progress:
        for each in downloads:
            task = progress.add_task(str(each.place), total=each.bytes)
            source = Verified(version.store, each)
            with each.place.opened() as file:
                for chunk in source.chunks():
                    file.write(chunk)
                    progress.update(task, completed=source.tell())
                source.verify()


class Verified(io.RawIOBase):
    """An object version as a stream of bytes that computes its checksum on the way."""

    def __init__(self, store: Store, download: Download) -> None:
        from extract_project.history.reading import ObjectFile

        self._file = ObjectFile(store, download.key, download.version_id, download.bytes)
        self._uri = f"{store.uri(download.key)} version {download.version_id}"
        self._download = download
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        size = self._file.readinto(buffer)
        self._digest.update(memoryview(buffer)[:size])
        return size

    def chunks(self) -> Iterator[bytes]:
        """The bytes for the file, decompressed if asked for."""
        import pyarrow as pa

        source = io.BufferedReader(self, _RANGE)
        codec = self._download.codec
        stream: Any = pa.input_stream(source, compression=codec) if codec else source
        while chunk := stream.read(_CHUNK):
            yield chunk

    def verify(self) -> None:
        """Raise StagingError unless everything has been read and has the published checksum."""
        expected, found = self._download.sha256, self._digest.hexdigest()
        if expected and expected != found:
            raise StagingError(
                f"{self._uri} is not the content that was published (sha256 {found}, expected "
                f"{expected}): it was replaced or damaged"
            )


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

"""`extract get`: what is published, on local disk or in a pipe, whole and verified."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import DownloadColumn, Progress

from extract_project.cli.console import (
    as_of_option,
    err,
    explains_itself,
    out,
    partition_option,
    transfer_columns,
)
from extract_project.cli.saving import Place
from extract_project.cli.versions import key_of, resolve
from extract_project.errors import ExtractError, StagingError
from extract_project.formats.protocol import FileFormat
from extract_project.formats.registry import named_format
from extract_project.history.history import as_of as current_at
from extract_project.history.history import chosen
from extract_project.history.parts import PartsManifest, is_manifest, load_manifest
from extract_project.history.receipt import receipt_of
from extract_project.history.versions import Version, require_version
from extract_project.manifest.extract import PARTS_MANIFEST
from extract_project.settings import load_settings
from extract_project.store.protocol import Store

_CHUNK = 1 << 20
_RANGE = 8 << 20
"""Bytes of one request: one that breaks is made again, and not the whole download."""


@dataclass(frozen=True)
class Download:
    """One object version, where it goes, and the checksum that it must have."""

    key: str
    version_id: str
    bytes: int
    place: Place
    sha256: str | None
    codec: str | None = None
    """What it is decompressed with on its way."""


@click.command()
@click.argument("extract")
@partition_option
@click.option("--version", "version_id", help="As in extract diff; default: the current version.")
@as_of_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A file, a directory, a pipe, or - for standard output; default: the file's name.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--one-file", is_flag=True, help="Of a split extract, one file instead of its parts.")
@explains_itself
def get(
    *,
    extract: str,
    partition: str | None,
    version_id: str | None,
    as_of: datetime | None,
    output: Path | None,
    force: bool,
    one_file: bool,
) -> None:
    """Download a version of EXTRACT (folder/name), and verify it.

    The checksum is compared with the one recorded when it was published. A split extract becomes a
    directory with its parts and their manifest. What is published as .csv.gz is decompressed when
    the output is named .csv; a pipe gets it as it is published.

    \b
    extract get sales/orders
    extract get sales/orders --version 3HL4 -o old.parquet
    extract get sales/orders --as-of 24h --force
    extract get sales/orders -o - | zcat | head
    """
    if version_id and as_of:
        raise click.UsageError("--version and --as-of both say which version: leave one out")
    settings = load_settings()
    folders = settings.connect()
    found = resolve(settings, extract)
    key = key_of(settings, found, partition)
    if version_id:
        named = chosen(folders.data.store, folders.state, key, version_id)
        version_id = named.listed.version_id
    elif as_of:
        current = current_at(folders.data.store, folders.state, key, as_of)
        version_id = current.listed.version_id
    version = require_version(folders.data.store, key, version_id)
    if not is_manifest(key):
        place = Place(output or Path(), force).below(key.rpartition("/")[2])
        receipt = receipt_of(folders.state, version)
        digest = receipt.data_sha256 if receipt else None
        codec = _codec(version, place)
        _download(version, [Download(key, version.version_id, version.size, place, digest, codec)])
        _say(place, version, "verified" if receipt else "without a receipt")
        return
    manifest = load_manifest(version)
    if one_file:
        file_format = _parts_format(manifest)
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
        raise ExtractError(f"{directory} is not empty: name another directory with -o")
    _download(version, _parts(manifest, directory))
    (directory / PARTS_MANIFEST).write_text(manifest.model_dump_json(indent=1))
    _say(Place(directory), version, f"{len(manifest.parts)} parts, verified")


def _say(place: Place, version: Version, what: str) -> None:
    """Where the data may be on standard output, words go beside it."""
    (err if place.is_stream else out).print(f"{place}: {version.uri}, {what}")


def _codec(version: Version, place: Place) -> str | None:
    """What a file is decompressed with, because its name says so; raises ExtractError where its
    name says what it cannot be.
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
        return wanted
    raise ExtractError(
        f"{place} is named like another format than the version's, {stored.extension}: "
        f"name it so, or publish it with another 'format' or 'compression'"
    )


def _parts_format(manifest: PartsManifest) -> FileFormat:
    from extract_project.history.reading import key_format

    return key_format(manifest.parts[0].key)


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
    """Each file gets its name when all of it is there; raises StagingError for another content."""
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
    """An object version as a stream of bytes, whose checksum is known at its end."""

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
        """What goes into the file: decompressed, where it is to be."""
        import pyarrow as pa

        source = io.BufferedReader(self, _RANGE)
        codec = self._download.codec
        stream: Any = pa.input_stream(source, compression=codec) if codec else source
        while chunk := stream.read(_CHUNK):
            yield chunk

    def verify(self) -> None:
        """Raise StagingError unless all has been read, and is what was published."""
        expected, found = self._download.sha256, self._digest.hexdigest()
        if expected and expected != found:
            raise StagingError(
                f"{self._uri} does not have the content that was published (sha256 {found} instead "
                f"of {expected}): it was replaced or damaged"
            )


def _write_one(version: Version, file_format: FileFormat, place: Place) -> None:
    """The rows of all parts, encoded anew."""

    from extract_project.history.reading import open_version
    from extract_project.pipeline.rowgroups import row_groups

    reader = open_version(version)
    with place.opened() as file:
        encoder = file_format.encoder(file, reader.schema)
        for rows in row_groups(reader, reader.schema):
            encoder.write(rows)
        encoder.close()

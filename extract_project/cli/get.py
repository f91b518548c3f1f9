"""`extract get`: what is published, on local disk, whole and verified."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from extract_project.cli.versions import key_of, resolve
from extract_project.errors import ExtractError, StagingError
from extract_project.manifest.extract import PARTS_MANIFEST, Extract
from extract_project.publish.history import as_of as current_at
from extract_project.publish.history import chosen
from extract_project.publish.parts import PartsManifest, is_manifest, load_manifest
from extract_project.publish.receipt import receipt_of
from extract_project.publish.versions import Version, require_version
from extract_project.settings import load_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Download:
    """One object version, where it goes, and the checksum that it must have."""

    key: str
    version_id: str
    bytes: int
    path: Path
    sha256: str | None


@click.command()
@click.argument("extract")
@partition_option
@click.option("--version", "version_id", help="As in extract diff; default: the current version.")
@as_of_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: the file's name.")
@click.option("--one-file", is_flag=True, help="Of a split extract, one file instead of its parts.")
@explains_itself
def get(
    *,
    extract: str,
    partition: str | None,
    version_id: str | None,
    as_of: datetime | None,
    output: Path | None,
    one_file: bool,
) -> None:
    """Download a version of EXTRACT (folder/name), and verify it.

    The checksum must be that of its receipt. Of a split extract: a directory with its parts and
    their manifest.

    \b
    extract get sales/orders
    extract get sales/orders --version 3HL4 -o old.parquet
    extract get sales/orders --as-of 24h
    """
    if version_id and as_of:
        raise click.UsageError("--version and --as-of both say which version: leave one out")
    settings = load_settings()
    s3 = settings.connect()
    found = resolve(settings, extract)
    key = key_of(settings, found, partition)
    if version_id:
        named = chosen(s3, settings.state_location, settings.data.bucket, key, version_id)
        version_id = named.listed.version_id
    elif as_of:
        current = current_at(s3, settings.state_location, settings.data.bucket, key, as_of)
        version_id = current.listed.version_id
    version = require_version(s3, settings.data.bucket, key, version_id)
    if not is_manifest(key):
        receipt = receipt_of(s3, settings.state_location, version)
        target = output or Path(key.rpartition("/")[2])
        digest = receipt.data_sha256 if receipt else None
        _download(s3, version, [Download(key, version.version_id, version.size, target, digest)])
        out.print(f"{target}: {version.uri}, {'verified' if receipt else 'without a receipt'}")
        return
    manifest = load_manifest(s3, version)
    if one_file:
        target = output or Path(f"{found.name}{found.file_format.extension}")
        _write_one(s3, version, found, target)
        out.print(f"{target}: {version.uri}, {len(manifest.parts)} parts as one file")
        return
    target = output or Path(found.name)
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise ExtractError(f"{target} is not empty: name another directory with -o")
    _download(s3, version, _parts(manifest, target))
    (target / PARTS_MANIFEST).write_text(manifest.model_dump_json(indent=1))
    out.print(f"{target}: {version.uri}, {len(manifest.parts)} parts, verified")


def _parts(manifest: PartsManifest, directory: Path) -> list[Download]:
    return [
        Download(
            part.key,
            part.version_id,
            part.bytes,
            directory / part.key.rpartition("/")[2],
            part.sha256,
        )
        for part in manifest.parts
    ]


def _download(s3: S3Client, version: Version, downloads: list[Download]) -> None:
    """Each file gets its name when all of it is there; raises StagingError for another content."""
    with Progress(*transfer_columns(), DownloadColumn(), console=err) as progress:
        for each in downloads:
            task = progress.add_task(each.path.name, total=each.bytes)
            unfinished = _unfinished(each.path)
            digest = hashlib.sha256()
            of_it: Any = {"VersionId": each.version_id}
            body = s3.get_object(Bucket=version.bucket, Key=each.key, **of_it)["Body"]
            with unfinished.open("wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    progress.advance(task, len(chunk))
            if each.sha256 and each.sha256 != digest.hexdigest():
                unfinished.unlink()
                raise StagingError(
                    f"s3://{version.bucket}/{each.key} version {each.version_id} does not have the "
                    f"content that was published (sha256 {digest.hexdigest()} instead of "
                    f"{each.sha256}): it was replaced or damaged"
                )
            unfinished.replace(each.path)


def _write_one(s3: S3Client, version: Version, extract: Extract, target: Path) -> None:
    """The rows of all parts, encoded anew."""
    import pyarrow as pa

    from extract_project.publish.formats.encoder import open_encoder
    from extract_project.publish.reading import open_version
    from extract_project.publish.rowgroups import row_groups

    reader = open_version(s3, version)
    unfinished = _unfinished(target)
    with pa.OSFile(str(unfinished), "wb") as file:
        encoder = open_encoder(extract.file_format, file, reader.schema)
        for rows in row_groups(reader, reader.schema):
            encoder.write(rows)
        encoder.close()
    unfinished.replace(target)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")

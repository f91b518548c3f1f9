"""`extract get`: a published file on local disk, whole and verified."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import DownloadColumn, Progress

from extract_project.cli.console import as_of_option, err, explains_itself, out, partition_option
from extract_project.cli.versions import key_of, resolve
from extract_project.errors import StagingError
from extract_project.publish.history import as_of as current_at
from extract_project.publish.receipt import receipt_of
from extract_project.publish.versions import require_version
from extract_project.s3 import connect
from extract_project.settings import load_settings

_CHUNK = 1 << 20


@click.command()
@click.argument("extract")
@partition_option
@click.option("--version", "version_id", help="A VersionId; default: the current version.")
@as_of_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: the file's name.")
@explains_itself
def get(
    *,
    extract: str,
    partition: str | None,
    version_id: str | None,
    as_of: datetime | None,
    output: Path | None,
) -> None:
    """Download a version of EXTRACT (folder/name) and verify it against its receipt.

    \b
    extract get sales/orders
    extract get sales/orders --version 3HL4 -o old.parquet
    extract get sales/orders --as-of 24h
    """
    if version_id and as_of:
        raise click.UsageError("--version and --as-of both say which version: leave one out")
    settings = load_settings()
    s3 = connect()
    key = key_of(settings, resolve(settings, extract), partition)
    if as_of:
        found = current_at(s3, settings.state_location, settings.data.bucket, key, as_of)
        version_id = found.listed.version_id
    version = require_version(s3, settings.data.bucket, key, version_id)
    target = output or Path(key.rpartition("/")[2])
    unfinished = target.with_name(f"{target.name}.unfinished")
    digest = hashlib.sha256()
    chosen: Any = {"VersionId": version.version_id}
    body = s3.get_object(Bucket=version.bucket, Key=version.key, **chosen)["Body"]
    with (
        Progress(*Progress.get_default_columns(), DownloadColumn(), console=err) as progress,
        unfinished.open("wb") as file,
    ):
        task = progress.add_task(target.name, total=version.size)
        for chunk in body.iter_chunks(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            progress.advance(task, len(chunk))
    receipt = receipt_of(s3, settings.state_location, version)
    if receipt and receipt.data_sha256 != digest.hexdigest():
        unfinished.unlink()
        raise StagingError(
            f"{version.uri} does not have the content of its receipt (sha256 "
            f"{digest.hexdigest()} instead of {receipt.data_sha256}): it was replaced or damaged"
        )
    unfinished.replace(target)
    out.print(f"{target}: {version.uri}, {'verified' if receipt else 'without a receipt'}")

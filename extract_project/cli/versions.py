"""`extract versions`: the published history of one extract."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click
from rich.table import Table

from extract_project.cli.console import (
    explains_itself,
    json_option,
    out,
    partition_option,
    table,
)
from extract_project.errors import NotPublished
from extract_project.manifest.bucket import find_extract
from extract_project.manifest.extract import Extract
from extract_project.publish.receipt import Receipt, load_receipt
from extract_project.publish.versions import Version, list_versions, published_partitions
from extract_project.s3 import connect
from extract_project.settings import Settings, load_settings
from extract_project.units import format_bytes

_SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """A version with what its receipt says."""

    version: Version
    receipt: Receipt | None

    @property
    def bytes(self) -> int:
        """Of the object, or of all its parts."""
        return self.receipt.bytes if self.receipt else self.version.size


@click.command()
@click.argument("extract")
@partition_option
@click.option("--limit", default=20, show_default=True, help="How many, the newest first.")
@json_option
@explains_itself
def versions(extract: str, partition: str | None, limit: int, as_json: bool) -> None:
    """List the published versions of EXTRACT (folder/name), the current one first.

    \b
    extract versions sales/orders
    extract versions sales/order_lines --partition 2026-01-01
    """
    settings = load_settings()
    entries = history(settings, resolve(settings, extract), limit, partition)
    if as_json:
        click.echo(json.dumps([_plain(entry) for entry in entries], indent=2))
    else:
        out.print(history_table(entries))


def resolve(settings: Settings, path: str) -> Extract:
    """The extract of the manifest as it is now; raises NotPublished with what is close."""
    return find_extract(connect(), settings.manifest, path, settings.dialects)


def key_of(settings: Settings, extract: Extract, partition: str | None) -> str:
    """The published object's key; raises NotPublished where a partition must be named, or none."""
    if extract.header.partitions and partition is None:
        found = published_partitions(connect(), settings.data, extract)
        shown = f"the newest are {', '.join(found[-_SHOWN:])}" if found else "none is published yet"
        raise NotPublished(f"{extract.path} has partitions: name one with --partition; {shown}")
    if partition is not None and extract.header.partitions is None:
        raise NotPublished(f"{extract.path} has no partitions: leave --partition out")
    return settings.data.key(extract.published_path(partition))


def history(
    settings: Settings, extract: Extract, limit: int, partition: str | None = None
) -> list[Entry]:
    """The newest versions of an extract's object."""
    s3 = connect()
    key = key_of(settings, extract, partition)
    entries = []
    for version in list_versions(s3, settings.data.bucket, key):
        receipt_id = version.provenance.get("receipt")
        receipt = receipt_id and load_receipt(s3, settings.state_location, key, receipt_id)
        entries.append(Entry(version, receipt or None))
        if len(entries) == limit:
            break
    if not entries:
        which = f" --partition {partition}" if partition else ""
        raise NotPublished(
            f"{extract.path} has no version yet: materialize it with: "
            f"extract run {extract.path}{which}"
        )
    return entries


def history_table(entries: list[Entry]) -> Table:
    listed = table("", "VersionId", "published", "rows", "bytes", "SQL version", "run")
    for index, entry in enumerate(entries):
        receipt = entry.receipt
        listed.add_row(
            "current" if index == 0 else "",
            entry.version.version_id,
            f"{entry.version.modified:%Y-%m-%d %H:%M:%S}",
            f"{receipt.rows:,}" if receipt else "?",
            format_bytes(entry.bytes),
            entry.version.provenance.get("sql-version", "?"),
            entry.version.provenance.get("run-id", "?")[:8],
        )
    return listed


def _plain(entry: Entry) -> dict[str, object]:
    version = entry.version
    return {
        **version.provenance,
        "uri": version.uri,
        "version_id": version.version_id,
        "published_at": version.modified.isoformat(),
        "bytes": entry.bytes,
        "rows": entry.receipt.rows if entry.receipt else None,
    }

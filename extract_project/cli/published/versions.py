"""`extract versions`: the published history of one extract."""

from __future__ import annotations

from collections.abc import Mapping

import click

from extract_project.cli.answers import VersionsAnswer, print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    err,
    explains_itself,
    json_option,
    partition_option,
    to_option,
)
from extract_project.cli.listing import Column, Listing, print_listing, wide_option
from extract_project.cli.version_ids import shown_ids
from extract_project.errors import NotPublished
from extract_project.history.history import Entry, History, read_history
from extract_project.history.pins import Pin, read_pins
from extract_project.history.versions import published_partitions
from extract_project.manifest.bucket import find_extract
from extract_project.manifest.extract import Extract
from extract_project.settings import Settings, load_settings
from extract_project.store.destination import Destination
from extract_project.units import format_bytes

_SHOWN = 5
_COLUMNS = (
    Column(""),
    Column("VersionId"),
    Column("published (UTC)", drop=1),
    Column("rows", drop=2, right=True),
    Column("+/-", drop=3, right=True),
    Column("bytes", drop=6, right=True),
    Column("changed", drop=4),
    Column("SQL version", drop=8),
    Column("query id", drop=9),
    Column("run", drop=7),
    Column("note"),
)
_NOTES = ("restored", "released", "pinned")


@click.command()
@click.argument("extract", shell_complete=extract_names)
@partition_option
@to_option
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="The number of versions to list.",
)
@wide_option
@json_option
@explains_itself
def versions(
    *, extract: str, partition: str | None, to: str | None, limit: int, wide: bool, as_json: bool
) -> None:
    """List the published versions of EXTRACT (folder/name).

    The current one comes first. Each is compared with the version before it: the difference in
    rows, and whether the SQL or the columns changed.

    \b
    extract versions sales/orders
    extract versions sales/order_lines --partition 2026-01-01
    """
    settings = load_settings()
    found = resolve_at(settings, extract, to)
    history = published_history(settings, found, limit, partition)
    destination, key = published_at(settings, found, partition)
    pins = read_pins(destination.state, key)
    if as_json:
        print_answer(VersionsAnswer, [_plain(entry, pins) for entry in history.entries])
    else:
        print_history(history, pins, wide=wide)
    if history.older:
        err.print(f"and {history.older:,} older: --limit {len(history.entries) + history.older}")


def resolve(settings: Settings, path: str) -> Extract:
    """The extract in the current manifest; raises NotPublished with a suggestion."""
    return find_extract(settings.connect().manifest, path, settings.dialects)


def resolve_at(settings: Settings, path: str, to: str | None) -> Extract:
    """The extract at one of its destinations: without `to` at the first, which is then said.

    Raises as `resolve` does, and ManifestError for a destination that it does not have.
    """
    found = resolve(settings, path)
    first, *others = found.header.to
    if to is None and others:
        err.print(f"at destination {first}, the first of its own; --to {' or '.join(others)}")
    return found.at(to.lower() if to else first)


def published_at(
    settings: Settings, extract: Extract, partition: str | None
) -> tuple[Destination, str]:
    """Where an extract is published, and under which key; raises NotPublished if a partition is
    missing or does not belong.
    """
    destination = settings.connect().destination(extract.destination)
    if extract.header.partitions and partition is None:
        found = published_partitions(destination.data, extract)
        shown = f"the newest are {', '.join(found[-_SHOWN:])}" if found else "none is published yet"
        raise NotPublished(f"{extract.path} has partitions: choose one with --partition; {shown}")
    if partition is not None and extract.header.partitions is None:
        raise NotPublished(f"{extract.path} has no partitions: leave --partition out")
    return destination, destination.data.key(extract.published_path(partition))


def published_history(
    settings: Settings, extract: Extract, limit: int, partition: str | None = None
) -> History:
    """The newest versions of an extract's object; raises NotPublished if there are none."""
    destination, key = published_at(settings, extract, partition)
    history = read_history(destination.data.store, destination.state, key, limit=limit)
    if not history.entries:
        which = f" --partition {partition}" if partition else ""
        raise NotPublished(
            f"{extract.path} has no version yet: materialize it with: "
            f"extract run {extract.path}{which}"
        )
    return history


def print_history(
    history: History, pins: Mapping[str, Pin] | None = None, *, wide: bool = False
) -> None:
    """Print one line per version or delete marker; empty columns are left out.

    On a terminal, identifiers are shortened to as many characters as commands need, unless `wide`.
    """
    rows = [_cells(entry, pins or {}) for entry in history.entries]
    ids = shown_ids([row["VersionId"] for row in rows], wide=wide)
    rows = [{**row, "VersionId": ids[row["VersionId"]]} for row in rows]
    listing = Listing(_COLUMNS)
    for row in rows:
        note = "; ".join(f"{name} {row[name]}" for name in _NOTES if row[name])
        listing.add(*(row[column.name] for column in _COLUMNS[:-1]), note)
    print_listing(listing, wide=wide)


def _cells(entry: Entry, pins: Mapping[str, Pin]) -> dict[str, str]:
    version, receipt, change = entry.version, entry.receipt, entry.change
    provenance = version.provenance if version else {}
    release, pin = receipt and receipt.release, pins.get(entry.listed.version_id)
    changed = {"SQL": change.sql, "schema": change.schema}
    return {
        "": "current" if entry.is_current else "" if version else "deleted",
        "VersionId": entry.listed.version_id,
        "published (UTC)": f"{entry.at:%Y-%m-%d %H:%M:%S}",
        "rows": f"{receipt.rows:,}" if receipt else "?" if version else "",
        "+/-": f"{change.rows:+,}" if change.rows is not None else "",
        "bytes": format_bytes(entry.bytes) if version else "",
        "changed": ", ".join(what for what, has_changed in changed.items() if has_changed),
        "SQL version": provenance.get("sql-version", ""),
        "query id": provenance.get("query-id", ""),
        "run": provenance.get("run-id", "")[:8],
        "restored": _restored(entry),
        "released": f"by {release.by}: {release.reason}" if release else "",
        "pinned": f"by {pin.by}: {pin.reason}" if pin else "",
    }


def _restored(entry: Entry) -> str:
    restoration = entry.version.restoration if entry.version else None
    if restoration is None:
        return ""
    return f"from {restoration.restored_from} by {restoration.by}: {restoration.reason}"


def _plain(entry: Entry, pins: Mapping[str, Pin]) -> dict[str, object]:
    facts: dict[str, object] = {
        "version_id": entry.listed.version_id,
        "published_at": entry.at.isoformat(),
        "current": entry.is_current,
        "deleted": entry.version is None,
    }
    if entry.version is None:
        return facts
    return {
        **{key.replace("-", "_"): value for key, value in entry.version.provenance.items()},
        **facts,
        "uri": entry.version.uri,
        "bytes": entry.bytes,
        "rows": entry.receipt.rows if entry.receipt else None,
        "rows_change": entry.change.rows,
        "sql_changed": entry.change.sql,
        "schema_changed": entry.change.schema,
        "pinned": entry.listed.version_id in pins,
    }

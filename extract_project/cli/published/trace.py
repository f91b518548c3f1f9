"""`extract trace`: the SQL, run, query and checks behind a published object (G10)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import click
from pydantic import AwareDatetime, BaseModel, ConfigDict
from rich.syntax import Syntax

from extract_project.cli.answers import print_answer
from extract_project.cli.console import (
    BAD,
    GOOD,
    explains_itself,
    json_option,
    out,
)
from extract_project.cli.listing import Column, Listing, print_facts, print_listing, wide_option
from extract_project.cli.version_ids import shown_ids_of
from extract_project.errors import NotPublished
from extract_project.history.parts import run_receipt, whole_key
from extract_project.history.receipt import Receipt, load_receipt
from extract_project.history.release import Release
from extract_project.history.versions import Restoration, Version, require_version
from extract_project.settings import load_settings
from extract_project.store.folder import Location
from extract_project.units import format_bytes

_COLUMNS = (
    Column("column"),
    Column("type"),
    Column("nulls", drop=1, right=True),
    Column("lowest", drop=2),
    Column("highest", drop=3),
    Column(""),
)


class Restored(BaseModel):
    """A rollback that made an older version current again."""

    model_config = ConfigDict(frozen=True)

    restored_from: str
    replaced: str | None
    by: str
    reason: str
    at: AwareDatetime
    run_id: str | None


class TraceAnswer(Receipt):
    """`extract trace`: the receipt of a version, and its rollback, if it is one."""

    restored: Restored | None


@click.command()
@click.argument("uri")
@wide_option
@json_option
@explains_itself
def trace(uri: str, wide: bool, as_json: bool) -> None:
    """Show the SQL, run, query and checks behind an S3 URI.

    \b
    extract trace s3://bucket/extracts/sales/orders.parquet
    extract trace 's3://bucket/extracts/sales/orders.parquet?versionId=3HL4'
    """
    version, receipt = traced(uri)
    if as_json:
        told = {**receipt.model_dump(), "restored": _plain(version.restoration)}
        print_answer(TraceAnswer, told)
        return
    ids = shown_ids_of(version.store, version.key, wide=wide)
    print_facts(_facts(version, receipt, ids), wide=wide)
    columns = Listing(_COLUMNS)
    for column in receipt.columns:
        lowest, highest = (column.lowest or "", column.highest or "")
        columns.add(column.name, column.type, f"{column.nulls:,}", lowest, highest, "")
    print_listing(columns, wide=wide)
    checks = Listing((Column(""), Column("")))
    for record in receipt.checks:
        mark = GOOD if record.passed else BAD
        checks.add(mark.plain, record.summary, colour=str(mark.style))
    if checks.rows:
        print_listing(checks, wide=wide, heads=False)
    out.print(Syntax(receipt.sql.strip(), "sql", line_numbers=True, background_color="default"))


def traced(uri: str) -> tuple[Version, Receipt]:
    """The version that a URI names, or the current one, and its receipt."""
    address, _, query = uri.partition("?")
    location = _object(address)
    key = location.prefix
    wanted = parse_qs(query).get("versionId", [None])[0]
    settings = load_settings()
    folders = settings.connect()
    found = folders.destination_of(location)
    store = found.data.store if found else folders.stores.bucket(location)
    version = require_version(store, key, wanted)
    receipt_id = version.provenance.get("receipt") or run_receipt(key)
    if receipt_id is None:
        raise NotPublished(f"{version.uri} was not written by an extract: it has no receipt")
    receipt = load_receipt(found.state if found else folders.state, whole_key(key), receipt_id)
    if receipt is None:
        raise NotPublished(f"the receipt {receipt_id} of {version.uri} has been removed")
    return version, receipt


def _object(address: str) -> Location:
    """The location whose prefix is the key of an object."""
    with suppress(ValueError):
        location = Location.parse(address)
        if location.prefix:
            return location
    raise NotPublished(f"{address!r} is not an object's URI: expected s3://bucket/key?versionId=…")


def _facts(version: Version, receipt: Receipt, ids: Mapping[str, str]) -> list[tuple[str, str]]:
    """`ids` are the shown beginnings of VersionIds, where they are not shown whole."""
    short = ids.get(version.version_id)
    place = version.store.uri(version.key)
    return [
        *([("object", place), ("version", short)] if short else [("object", version.uri)]),
        *_restored(version.restoration, ids),
        ("extract", receipt.extract),
        ("published", f"{version.modified:%Y-%m-%d %H:%M:%S} UTC"),
        ("rows, bytes", f"{receipt.rows:,} rows, {format_bytes(receipt.bytes)}"),
        *_released(receipt.release),
        *([("parts", f"{receipt.parts:,}")] if receipt.parts else []),
        *([("added", f"{receipt.rows_added:,} rows")] if receipt.rows_added is not None else []),
        *([("watermark", receipt.watermark)] if receipt.watermark else []),
        ("SQL", f"{receipt.sql_key} version {receipt.sql_version or '(unversioned bucket)'}"),
        *(("defaults", each.version) for each in receipt.defaults),
        ("warehouse", receipt.warehouse),
        ("query id", receipt.query_id or "(this warehouse has none)"),
        *([("query", receipt.query_url)] if receipt.query_url else []),
        ("run", receipt.run_id),
        ("snapshot", receipt.snapshot or "(none)"),
        ("started", f"{receipt.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("data sha256", receipt.data_sha256),
        ("schema sha256", receipt.schema_sha256),
    ]


def _released(release: Release | None) -> list[tuple[str, str]]:
    if release is None:
        return []
    return [
        ("released", f"by {release.by}, although {', '.join(release.checks)} failed"),
        ("reason", release.reason),
        ("refused in", f"run {release.of_run}"),
    ]


def _restored(restoration: Restoration | None, ids: Mapping[str, str]) -> list[tuple[str, str]]:
    """Facts of a rollback. The lines below them are about the version that was restored."""
    if restoration is None:
        return []
    source = restoration.restored_from
    return [
        ("restored", f"{restoration.at:%Y-%m-%d %H:%M:%S} UTC by {restoration.by}"),
        ("restored from", f"version {ids.get(source, source)}"),
        ("reason", restoration.reason),
        ("restored in", f"run {restoration.run_id}" if restoration.run_id else "(no run)"),
    ]


def _plain(restoration: Restoration | None) -> dict[str, Any] | None:
    return asdict(restoration) | {"at": restoration.at.isoformat()} if restoration else None

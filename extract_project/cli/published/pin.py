"""`extract pin` and `extract unpin`: protect versions from removal."""

from __future__ import annotations

import getpass

import click

from extract_project.cli.answers import print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    explains_itself,
    json_option,
    out,
    partition_option,
    to_option,
)
from extract_project.cli.outcomes import PinAnswer
from extract_project.cli.published.versions import published_at, resolve_at
from extract_project.errors import NotPublished
from extract_project.history import pins
from extract_project.history.history import chosen
from extract_project.history.versions import Version
from extract_project.manifest.extract import Extract
from extract_project.settings import Settings, load_settings
from extract_project.store.folder import Folder


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.argument("version")
@click.option("--reason", required=True, help="The reason, shown by extract versions.")
@click.option("--by", help="Your name; default: the user of this machine.")
@partition_option
@to_option
@json_option
@explains_itself
def pin(
    *,
    extract: str,
    version: str,
    reason: str,
    by: str | None,
    partition: str | None,
    to: str | None,
    as_json: bool,
) -> None:
    """Protect VERSION of EXTRACT (folder/name) from removal.

    S3 keeps it, with all its parts, under a legal hold until it is unpinned: neither extract prune
    nor the bucket's lifecycle removes it. VERSION is as in extract diff.

    \b
    extract pin sales/orders 3HL4kqtJ --reason 'annual accounts 2025'
    """
    settings = load_settings()
    at = resolve_at(settings, extract, to)
    state, found = _found(settings, at, version, partition)
    made = pins.pin(state, found, by or getpass.getuser(), reason)
    if as_json:
        print_answer(PinAnswer, _plain(at, partition, found, made))
    else:
        out.print(f"{found.uri}\nstays until: extract unpin {extract} {found.version_id}")


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.argument("version")
@partition_option
@to_option
@json_option
@explains_itself
def unpin(
    *, extract: str, version: str, partition: str | None, to: str | None, as_json: bool
) -> None:
    """Undo extract pin: VERSION may be removed like any other.

    \b
    extract unpin sales/orders 3HL4kqtJ
    """
    settings = load_settings()
    at = resolve_at(settings, extract, to)
    state, found = _found(settings, at, version, partition)
    pins.unpin(state, found)
    if as_json:
        print_answer(PinAnswer, _plain(at, partition, found, None))
    else:
        out.print(f"{found.uri}\nis no longer held")


def _plain(
    extract: Extract, partition: str | None, found: Version, made: pins.Pin | None
) -> dict[str, object]:
    return {
        "extract": extract.path,
        "partition": partition,
        "uri": found.uri,
        "version_id": found.version_id,
        "pinned": made is not None,
        "by": made and made.by,
        "reason": made and made.reason,
        "pinned_at": made and made.at,
    }


def _found(
    settings: Settings, extract: Extract, version: str, partition: str | None
) -> tuple[Folder, Version]:
    """The version, and the folder of its pins."""
    destination, key = published_at(settings, extract, partition)
    found = chosen(destination.data.store, destination.state, key, version).version
    if found is None:
        raise NotPublished(
            f"{extract.path} has no version {version}: list its versions with: "
            f"extract versions {extract.path}"
        )
    return destination.state, found

"""`extract prune`: remove old versions, and abandoned uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from extract_project.cli.answers import PruneAnswer, print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import duration, err, explains_itself, json_option, out
from extract_project.cli.listing import Column, Listing, print_listing, wide_option
from extract_project.errors import NotPublished
from extract_project.history.retention import (
    Prunable,
    Rule,
    find_prunable,
    key_prefixes,
    owns,
    remove,
)
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.extract import Extract
from extract_project.manifest.names import no_extract
from extract_project.manifest.others import read_others
from extract_project.publish.target import ABANDONED_AFTER, abandoned
from extract_project.settings import Settings, load_settings
from extract_project.store.destination import DATA, Destination
from extract_project.store.folder import Folder
from extract_project.store.protocol import Abandoned, Store
from extract_project.store.stores import Folders
from extract_project.units import format_bytes, parse_duration

_COLUMNS = (
    Column("extract"),
    Column("versions", drop=1, right=True),
    Column("parts", drop=3, right=True),
    Column("delete markers", drop=4, right=True),
    Column("bytes", drop=2, right=True),
    Column("replaced (UTC)"),
)


@click.command()
@click.argument("extracts", nargs=-1, shell_complete=extract_names)
@click.option(
    "--keep",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="Keep this many of each object's newest replaced versions.",
)
@click.option(
    "--older-than",
    default="90d",
    show_default=True,
    callback=duration,
    help="Remove only what was replaced longer ago than this.",
)
@click.option("--uploads", is_flag=True, help="Remove uploads that runs left behind, not versions.")
@click.option(
    "--yes", is_flag=True, help="Remove; without it, the command only lists what would be removed."
)
@wide_option
@json_option
@explains_itself
def prune(
    *,
    extracts: tuple[str, ...],
    keep: int,
    older_than: str,
    uploads: bool,
    yes: bool,
    wide: bool,
    as_json: bool,
) -> None:
    """Remove old versions of EXTRACTS (folder/name), or of all.

    Current and pinned versions are kept, with every part that a kept version needs. Most
    installations do not need this command: the bucket's lifecycle rule removes old versions.

    \b
    extract prune sales/orders --keep 5 --older-than 30d
    extract prune --older-than 90d --yes
    extract prune --uploads --yes
    """
    settings = load_settings()
    folders = settings.connect()
    chosen = _chosen(settings, folders, extracts)
    if uploads:
        _prune_uploads(folders, chosen, yes=yes, as_json=as_json)
        return
    rule = Rule(keep, datetime.now(UTC) - parse_duration(older_than))
    found: list[tuple[str, Store, Prunable]] = []
    with err.status("looking for old versions"):
        for path in chosen:
            for place in _places(folders, chosen[path]):
                prunable = find_prunable(place.state, place.data, path, rule, chosen[path])
                found += [(path, place.data.store, each) for each in prunable]
    if yes:
        with err.status(f"removing {len(found):,} of them"):
            for store in dict.fromkeys(store for _, store, _ in found):
                remove(store, [each for _, of, each in found if of == store])
    _say(found, yes=yes, wide=wide, as_json=as_json)


def _chosen(
    settings: Settings, folders: Folders, paths: Sequence[str]
) -> dict[str, Extract | None]:
    """The extracts of the manifest, or those named, even if they are no longer in the manifest."""
    snapshot = read_manifest(folders.manifest, settings.dialects, others=read_others(folders))
    known: dict[str, Extract | None] = {each.path: each for each in snapshot.extracts}
    known |= {each.path: None for each in snapshot.invalid}
    for path in paths:
        if path not in known and not _has_left(folders, path):
            raise NotPublished(no_extract(path, known))
    return {path: known.get(path) for path in paths} if paths else known


def _has_left(folders: Folders, path: str) -> bool:
    """Whether an extract without a SQL file still has published objects."""
    return any(
        owns(place.data, path, each.key)
        for place in folders.destinations()
        for each in place.data.store.history(place.data.key(path))
        if not each.is_deleted
    )


def _places(folders: Folders, extract: Extract | None) -> list[Destination]:
    """Where an extract may have versions: its destinations, and the default one, which may have
    been its destination before; every destination for one without a valid SQL file.
    """
    if extract is None:
        return list(folders.destinations())
    return [folders.destination(name) for name in dict.fromkeys((DATA, *extract.header.to))]


def _say(
    found: Sequence[tuple[str, Store, Prunable]], *, yes: bool, wide: bool, as_json: bool
) -> None:
    if as_json:
        print_answer(PruneAnswer, [_plain(*each) for each in found])
        return
    listed = Listing(_COLUMNS)
    for path in dict.fromkeys(path for path, _, _ in found):
        own = [each for of, _, each in found if of == path]
        kinds = [each.kind for each in own]
        moments = sorted(each.replaced_at for each in own)
        listed.add(
            path,
            *(f"{kinds.count(kind):,}" for kind in ("version", "part", "delete marker")),
            format_bytes(sum(each.stored.size for each in own)),
            f"{moments[0]:%Y-%m-%d} to {moments[-1]:%Y-%m-%d}",
        )
    if found:
        print_listing(listed, wide=wide)
    else:
        out.print(
            "nothing to remove: every replaced version is among the newest, too recent, or pinned"
        )
        return
    size = format_bytes(sum(each.stored.size for *_, each in found))
    done = "removed" if yes else "would be removed"
    out.print(f"{len(found):,} {done}, {size}" + ("" if yes else ": --yes removes them"))


def _plain(path: str, store: Store, each: Prunable) -> dict[str, Any]:
    stored = each.stored
    return {
        "extract": path,
        "kind": each.kind,
        "bucket": store.name,
        "key": stored.key,
        "version_id": stored.version_id,
        "bytes": stored.size,
        "replaced_at": each.replaced_at.isoformat(),
    }


def _prune_uploads(
    folders: Folders,
    chosen: dict[str, Extract | None],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    found = list(_abandoned(folders, chosen))
    if yes:
        for store, each in found:
            store.discard(each)
    if as_json:
        plain = [
            {"bucket": store.name, "key": each.key, "begun_at": each.begun_at.isoformat()}
            for store, each in found
        ]
        print_answer(PruneAnswer, plain)
        return
    for store, each in found:
        out.print(f"{each.begun_at:%Y-%m-%d %H:%M} {store.uri(each.key)}")
    done = "aborted" if yes else "would be aborted"
    out.print(
        f"{len(found):,} uploads {done}" + ("" if yes or not found else ": --yes aborts them")
    )


def _abandoned(
    folders: Folders, chosen: dict[str, Extract | None]
) -> Iterator[tuple[Store, Abandoned]]:
    """Uploads that cannot belong to a live run, and where they are."""
    for path, extract in chosen.items():
        for place in _places(folders, extract):
            data = place.data

            own = partial(_owns, data, path, extract)
            for prefix in key_prefixes(data, path, extract):
                for each in abandoned(data.store, prefix, own, ABANDONED_AFTER):
                    yield data.store, each


def _owns(data: Folder, path: str, extract: Extract | None, key: str) -> bool:
    return owns(data, path, key, extract)

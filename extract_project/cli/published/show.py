"""`extract show`: everything about one extract on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from cronsim import CronSim
from rich.syntax import Syntax
from rich.text import Text

from extract_project.catalog.build import entry_of
from extract_project.catalog.model import CatalogEntry
from extract_project.catalog.recipes import Recipe, recipes
from extract_project.cli.answers import ShowAnswer, print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import explains_itself, json_option, out
from extract_project.cli.listing import Column, Listing, print_facts, print_listing, wide_option
from extract_project.cli.published.versions import resolve
from extract_project.cli.version_ids import shown_ids
from extract_project.errors import ManifestError
from extract_project.manifest.effective import as_json, effective_keys
from extract_project.manifest.elsewhere import manifests_by_path
from extract_project.manifest.extract import Extract, InvalidExtract, is_sql
from extract_project.manifest.fields.schedule_words import words_of
from extract_project.manifest.folder import defaults_from_above, parse_file
from extract_project.manifest.names import named_elsewhere
from extract_project.manifest.others import found_elsewhere, read_others
from extract_project.settings import Settings, load_settings
from extract_project.store.stores import Folders


@dataclass(frozen=True)
class _Shown:
    """An extract, and what is known of it beside its SQL file."""

    extract: Extract
    everywhere: list[CatalogEntry]
    """As it is at each destination; none for a local file, which may be another one than the
    published extract's."""
    recipes: list[Recipe]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """The extracts of other manifests that it depends on, and the URIs of these."""

    @property
    def entry(self) -> CatalogEntry | None:
        """At the first destination."""
        return self.everywhere[0] if self.everywhere else None


@click.command()
@click.argument("extract", shell_complete=extract_names)
@wide_option
@json_option
@explains_itself
def show(extract: str, wide: bool, as_json: bool) -> None:
    """Show the header of EXTRACT, with its defaults.

    Each key of the header is shown with the file and line that its value comes from. EXTRACT is a
    path in the manifest, or a local SQL file; of that, only what the file says is shown.

    \b
    extract show sales/orders
    extract show sql_manifest/sales/orders.sql
    """
    settings = load_settings()
    shown = _found(settings, extract)
    if as_json:
        print_answer(ShowAnswer, _plain(shown))
        return
    print_facts(list(_facts(shown, wide=wide)), wide=wide)
    print_listing(_header(shown.extract), wide=wide)
    columns = _columns(shown)
    if columns.rows:
        print_listing(columns, wide=wide)
    for recipe in shown.recipes:
        out.print(Text(recipe.name, "bold"))
        out.print(Syntax(recipe.text, recipe.language, background_color="default"))


def _found(settings: Settings, extract: str) -> _Shown:
    file = Path(extract)
    if not (is_sql(file.name) and file.is_file()):
        found = resolve(settings, extract)
        folders = settings.connect()
        everywhere = [entry_of(folders, found.at(name)) for name in found.header.to]
        elsewhere = _elsewhere(folders, found)
        return _Shown(found, everywhere, recipes(everywhere[0], folders.data.uri), elsewhere)
    inherited = defaults_from_above(file.parent, settings.dialects, file.parent)
    parsed = parse_file(file.name, file, settings.dialects, inherited)
    if isinstance(parsed, InvalidExtract):
        raise ManifestError("\n".join(parsed.reasons))
    return _Shown(parsed, [], [])


def _elsewhere(folders: Folders, extract: Extract) -> Mapping[str, str]:
    upstream = extract.header.depends_on
    others = read_others(folders) if upstream else ()
    return manifests_by_path(found_elsewhere(upstream, others, folders.manifest.uri))


def _facts(shown: _Shown, *, wide: bool) -> Iterator[tuple[str, str]]:
    extract, entry = shown.extract, shown.entry
    yield "extract", extract.path
    version = f" version {extract.source.version_id}" if extract.source.version_id else ""
    yield "SQL", f"{extract.source.key}{version}"
    for each in extract.defaults:
        yield "defaults", each.version if entry else each.file
    yield "warehouse", f"{extract.warehouse} ({extract.kind})"
    yield "schedule", _schedule(shown)
    following = _next_start(extract)
    if following:
        yield "next start", f"{following:%Y-%m-%d %H:%M %Z}"
    if entry is None:
        return
    several = len(shown.everywhere) > 1
    for place in shown.everywhere:
        where = f" (destination {place.destination})" if several else ""
        yield "published as", f"{place.uri}{where}"
        yield "current", _current(place, wide=wide)


def _current(entry: CatalogEntry, *, wide: bool) -> str:
    if not entry.published:
        return f"nothing is published yet: extract run {entry.path}"
    newest = entry.published.versions[0]
    ids = shown_ids([each.version_id for each in entry.published.versions], wide=wide)
    rows = f", {newest.rows:,} rows" if newest.rows is not None else ""
    return f"version {ids[newest.version_id]} of {newest.published_at:%F %H:%M} UTC{rows}"


def _schedule(shown: _Shown) -> str:
    """In words, with the crons behind them."""
    header = shown.extract.header
    if not header.schedule:
        upstream = [named_elsewhere(each, shown.elsewhere) for each in header.depends_on]
        return f"on demand, when {' or '.join(upstream)} has new data" if upstream else "on demand"
    crons = f" ({'; '.join(header.crons)})" if header.crons else ""
    words = "; ".join(words_of(each) or each for each in header.schedule)
    off = "" if header.enabled else ", but enabled: false"
    return f"{words}{crons if crons != f' ({words})' else ''}, {header.timezone}{off}"


def _next_start(extract: Extract) -> datetime | None:
    header = extract.header
    if not header.enabled:
        return None
    now = datetime.now(ZoneInfo(header.timezone))
    return min((next(CronSim(cron, now)) for cron in header.crons), default=None)


def _header(extract: Extract) -> Listing:
    listed = Listing((Column("key"), Column("from"), Column("value")))
    for each in effective_keys(extract):
        colour = None if each.written_in else "bright_black"
        listed.add(each.key, each.written_in or "default", each.text, colour=colour)
    return listed


def _columns(shown: _Shown) -> Listing:
    """Return the columns of the published version, or else those that the header promises.

    There are none of a local file.
    """
    listed = Listing((Column("column"), Column("nulls", drop=1, right=True), Column("type")))
    if shown.entry is None:
        return listed
    if shown.entry.published and shown.entry.published.columns:
        for column in shown.entry.published.columns:
            listed.add(column.name, f"{column.nulls:,}", column.type)
        return listed
    for name, declared in (shown.extract.header.columns or {}).items():
        listed.add(name, "", str(declared.type))
    return listed


def _plain(shown: _Shown) -> dict[str, Any]:
    extract, entry = shown.extract, shown.entry
    following = _next_start(extract)
    found: dict[str, Any] = {
        "extract": extract.path,
        "sql": extract.source.model_dump(mode="json", exclude={"etag"}),
        "defaults": [
            {"file": each.file, **each.source.model_dump(mode="json", exclude={"etag"})}
            for each in extract.defaults
        ],
        "warehouse": extract.warehouse,
        "warehouse_type": extract.kind,
        "header": [
            {"key": each.key, "value": as_json(each.value), "written_in": each.written_in}
            for each in effective_keys(extract)
        ],
        "schedule": {
            "text": _schedule(shown),
            "crons": extract.header.crons,
            "timezone": extract.header.timezone,
            "next_start": following and following.isoformat(),
        },
    }
    if entry is not None:
        found["uri"] = entry.uri
        found["destinations"] = [
            {
                "destination": each.destination,
                "uri": each.uri,
                "version_id": each.published and each.published.versions[0].version_id,
            }
            for each in shown.everywhere
        ]
        found["published"] = entry.published and entry.published.model_dump(mode="json")
        found["recipes"] = [
            {"name": each.name, "language": each.language, "text": each.text}
            for each in shown.recipes
        ]
    return found

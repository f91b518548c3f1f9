"""`extract diff`: compare two versions of one extract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.syntax import Syntax

from extract_project.cli.answers import DiffAnswer, print_answer
from extract_project.cli.completion import extract_names
from extract_project.cli.console import (
    NO,
    OK,
    err,
    explains_itself,
    json_option,
    out,
    partition_option,
    to_option,
)
from extract_project.cli.listing import Column, Listing, print_listing, print_words, wide_option
from extract_project.cli.published.versions import published_at, resolve_at
from extract_project.cli.version_ids import shown_ids_of
from extract_project.history.diff.column_metrics import ColumnMetrics
from extract_project.history.diff.difference import Difference, compare
from extract_project.history.diff.row_difference import Row, RowDifference
from extract_project.history.history import Entry, chosen
from extract_project.schema.display import shown
from extract_project.settings import load_settings

_SIDES = (Column(""), Column("VersionId"), Column("published"), Column("rows", drop=1), Column(""))
_COLUMNS = (
    Column("column"),
    Column("changed", drop=1, right=True),
    Column("nulls", drop=5),
    Column("sum", drop=4),
    Column("lowest", drop=2),
    Column("highest", drop=3),
    Column(""),
)


@click.command()
@click.argument("extract", shell_complete=extract_names)
@click.argument("old", default="previous")
@click.argument("new", default="current")
@partition_option
@to_option
@click.option("--key", help="Columns that identify a row: id, or order_id,line_number.")
@wide_option
@json_option
@explains_itself
def diff(
    *,
    extract: str,
    old: str,
    new: str,
    partition: str | None,
    to: str | None,
    key: str | None,
    wide: bool,
    as_json: bool,
) -> None:
    """Compare two versions of EXTRACT (folder/name): SQL and data.

    OLD and NEW are each a VersionId or its beginning, 'current', 'previous', a time (for the
    version that was current then), or how long ago. By default the current version is compared with
    the one before it. Rows are matched by --key, or by the 'unique' check of the SQL file. Exit
    code 0 when columns and rows are the same, 1 when they differ.

    \b
    extract diff sales/orders
    extract diff sales/orders 24h
    extract diff sales/orders 3HL4kqtJ 2026-01-31T06:00 --key order_id,line_number
    """
    settings = load_settings()
    found = resolve_at(settings, extract, to)
    destination, object_key = published_at(settings, found, partition)
    before, after = (
        chosen(destination.data.store, destination.state, object_key, word) for word in (old, new)
    )
    columns = [name.strip() for name in key.split(",")] if key else []
    with err.status(f"comparing {extract}"):
        difference = compare(before, after, columns)
    if as_json:
        print_answer(DiffAnswer, _plain(difference, before, after))
    else:
        both = (before.listed.version_id, after.listed.version_id)
        ids = shown_ids_of(destination.data.store, object_key, wide=wide, known=both)
        _show(difference, before, after, ids, wide=wide)
    raise SystemExit(OK if difference.same else NO)


def _show(
    difference: Difference,
    before: Entry,
    after: Entry,
    ids: Mapping[str, str],
    *,
    wide: bool,
) -> None:
    print_words(difference.verdict)
    sides = Listing(_SIDES)
    for sign, entry in (("-", before), ("+", after)):
        rows = f"{entry.receipt.rows:,} rows" if entry.receipt else ""
        moment = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
        sides.add(sign, ids[entry.listed.version_id], moment, rows, _restored(entry, ids))
    print_listing(sides, wide=wide, heads=False)
    if difference.sql.text:
        out.print()
        out.print(Syntax(difference.sql.text, "diff", background_color="default"))
    if difference.schema:
        out.print()
        for line in difference.schema.lines():
            print_words(line)
    if difference.rows:
        _show_rows(difference.rows, wide=wide)


def _restored(entry: Entry, ids: Mapping[str, str]) -> str:
    restoration = entry.version.restoration if entry.version else None
    if restoration is None:
        return ""
    return f"restored from {ids.get(restoration.restored_from, restoration.restored_from)}"


def _show_rows(rows: RowDifference, *, wide: bool) -> None:
    if rows.note:
        out.print()
        print_words(f"whole rows are compared: {rows.note}")
    elif rows.key and not rows.same:
        out.print()
        print_words(f"rows by {', '.join(rows.key)}")
    differing = [column for column in rows.columns if column.differs]
    if differing:
        out.print()
        print_listing(_column_table(rows), wide=wide)
    for title, samples in (
        ("changed", [_changes(each.key, each.old, each.new) for each in rows.samples_changed]),
        ("added", [_values(each) for each in rows.samples_added]),
        ("removed", [_values(each) for each in rows.samples_removed]),
    ):
        total = {"changed": rows.changed, "added": rows.added, "removed": rows.removed}[title]
        if samples:
            first = f", the first {len(samples)}" if total > len(samples) else ""
            out.print(f"\n{total:,} {title}{first}:")
            for line in samples:
                print_words(line, "  ")


def _column_table(rows: RowDifference) -> Listing:
    listed = Listing(_COLUMNS)
    differing = [column for column in rows.columns if column.differs]
    for column in differing:
        old, new = column.old, column.new
        where = "" if old and new else " (new)" if new else " (removed)"
        listed.add(
            column.name + where,
            f"{column.changed:,}" if column.changed else "",
            *(_both(old, new, metric) for metric in ("nulls", "total", "lowest", "highest")),
            "",
        )
    same = len(rows.columns) - len(differing)
    if same:
        listed.add(f"{same} others: unchanged", *[""] * (len(_COLUMNS) - 1), colour="bright_black")
    return listed


def _both(old: ColumnMetrics | None, new: ColumnMetrics | None, metric: str) -> str:
    """`before → now`, or a single value if nothing changed."""
    values = [getattr(side, metric) if side else None for side in (old, new)]
    texts = ["" if value is None else _number(value) for value in values]
    if texts[0] == texts[1] or not all(texts):
        return texts[0] or texts[1]
    return " → ".join(texts)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _values(row: Row) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in row.items())


def _changes(key: Row, old: Row, new: Row) -> str:
    changed = (f"{name}: {shown(old[name])} → {shown(new[name])}" for name in old)
    return f"{_values(key)}: {', '.join(changed)}"


def _plain(difference: Difference, before: Entry, after: Entry) -> dict[str, Any]:
    return {
        "verdict": difference.verdict,
        "same": difference.same,
        "old": _side(before),
        "new": _side(after),
        "sql": asdict(difference.sql),
        "schema": difference.schema.lines(),
        "rows": asdict(difference.rows) if difference.rows else None,
    }


def _side(entry: Entry) -> dict[str, Any]:
    return {
        "version_id": entry.listed.version_id,
        "published_at": entry.at.isoformat(),
        "rows": entry.receipt.rows if entry.receipt else None,
    }

"""The difference between two versions of a key, in the SQL and in the data."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import pyarrow as pa

from extract_project.checks.unique import Unique
from extract_project.errors import NotPublished
from extract_project.history.diff.comparison import Key, compare_rows
from extract_project.history.diff.row_difference import RowDifference
from extract_project.history.history import Entry
from extract_project.history.reading import open_version
from extract_project.history.receipt import Receipt, read_schema
from extract_project.manifest.defaults import merged_front_matter
from extract_project.manifest.header.frontmatter import read_front_matter
from extract_project.problem import Refused
from extract_project.schema.change import SchemaChange, compare_schemas
from extract_project.source import DefaultsFile
from extract_project.wording import some


@dataclass(frozen=True)
class SqlDifference:
    """The difference between the SQL of two versions."""

    verdict: str
    """`the SQL is the same`, …"""
    text: str
    """A unified diff; empty if the texts are the same."""


@dataclass(frozen=True)
class Difference:
    """Everything that differs."""

    sql: SqlDifference
    schema: SchemaChange
    rows: RowDifference | None
    """None if the two are the same, byte for byte."""

    @property
    def same(self) -> bool:
        """Whether columns and rows are the same, even if the SQL differs."""
        return not self.schema and (self.rows is None or self.rows.same)

    @property
    def verdict(self) -> str:
        """One line that says whether the SQL or the data differs."""
        parts = [self.sql.verdict]
        if self.schema:
            parts.append(f"the schema differs: {_schema_words(self.schema)}")
        parts.append(_row_words(self.rows, bool(self.schema)))
        return "; ".join(parts)


def compare(old: Entry, new: Entry, key: Sequence[str] = ()) -> Difference:
    """Compare two versions of a key, in bounded memory, with local disk.

    Without `key`, the `unique` check of the new version's SQL file identifies rows. Raises
    NotPublished for a delete marker, ExtractError as `compare_rows` does.
    """
    readers = [_open(entry) for entry in (old, new)]
    schema = compare_schemas(readers[0].schema, readers[1].schema)
    sql = _compare_sql(old.receipt, new.receipt)
    if old.receipt and new.receipt and old.receipt.data_sha256 == new.receipt.data_sha256:
        return Difference(sql, schema, None)
    chosen = Key(tuple(key), insisted=True) if key else _own_key(new.receipt)
    with tempfile.TemporaryDirectory(prefix="extract-diff-") as directory:
        rows = compare_rows(readers[0], readers[1], chosen, Path(directory))
    return Difference(sql, schema, rows)


def _open(entry: Entry) -> pa.RecordBatchReader:
    if entry.version is None:
        raise NotPublished(f"{entry.listed.version_id} is a delete marker: it has no rows")
    return open_version(entry.version, read_schema(entry.receipt) if entry.receipt else None)


def _own_key(receipt: Receipt | None) -> Key:
    """The columns that the header of a version's SQL declares unique."""
    if receipt is None:
        return Key()
    try:
        own = read_front_matter(receipt.sql)
        header = merged_front_matter(own, receipt.defaults).header
    except Refused:  # a header of another release
        return Key()
    uniques = [check for check in header.checks if isinstance(check, Unique)]
    return Key(tuple(uniques[0].unique)) if uniques else Key()


def _compare_sql(old: Receipt | None, new: Receipt | None) -> SqlDifference:
    if old is None or new is None:
        return SqlDifference("the SQL of one of them is not known: its receipt is gone", "")
    text = "\n".join(_changed_lines(old.sql, new.sql, _named(old), _named(new)))
    defaults = _changed_defaults(old.defaults, new.defaults)
    changed = "\n".join([text, *defaults.values()] if text else defaults.values())
    if old.code_version != new.code_version:
        if text:
            return SqlDifference("the SQL differs", changed)
        if old.warehouse != new.warehouse:
            reason = f"in warehouse {old.warehouse} before, in {new.warehouse} now"
        elif defaults:
            reason = f"with other defaults ({', '.join(defaults)})"
        else:
            reason = f"with other settings of warehouse {new.warehouse}"
        return SqlDifference(f"the SQL text is the same, run otherwise: {reason}", changed)
    cosmetic = ", but for what does not change the data (comments, layout, other header keys)"
    return SqlDifference(f"the SQL is the same{cosmetic if changed else ''}", changed)


def _named(receipt: Receipt) -> str:
    return f"{receipt.sql_key} {receipt.sql_version or ''}".strip()


def _changed_lines(old: str, new: str, old_name: str, new_name: str) -> list[str]:
    return list(unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""))


def _changed_defaults(old: Sequence[DefaultsFile], new: Sequence[DefaultsFile]) -> dict[str, str]:
    """The changed lines of the defaults that differ, by file."""
    before, after = ({each.file: each for each in files} for files in (old, new))
    changed = {}
    for file in sorted(before.keys() | after.keys()):
        texts = [side[file].text if file in side else "" for side in (before, after)]
        names = [side[file].version if file in side else "/dev/null" for side in (before, after)]
        if texts[0] != texts[1]:
            changed[file] = "\n".join(_changed_lines(*texts, *names))
    return changed


def _schema_words(schema: SchemaChange) -> str:
    """`region added, total retyped`"""
    places = ((change.after or change.before, change.kind) for change in schema.changes)
    return some([f"{place.name} {kind}" for place, kind in places if place])


def _row_words(rows: RowDifference | None, in_common: bool) -> str:
    if rows is None:
        return "the data is the same, byte for byte"
    if rows.same:
        where = "in the columns that both have" if in_common else "row for row"
        return f"the data is the same, {where}"
    names = [column.name for column in rows.columns if column.changed]
    counts = {
        "added": rows.added,
        "removed": rows.removed,
        f"changed (in {some(names)})": rows.changed,
    }
    parts = [f"{count:,} {what}" for what, count in counts.items() if count]
    parts[0] = parts[0].replace(" ", " row " if parts[0].startswith("1 ") else " rows ", 1)
    counted = "" if rows.key else " (there is no key: a changed row is one removed and one added)"
    return f"the data differs: {', '.join(parts)}{counted}"

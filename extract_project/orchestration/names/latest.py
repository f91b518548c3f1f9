"""The latest run and materialization of many extracts, read at once.

`DagsterInstance.get_asset_records` makes an object of every metadata entry, which takes 2 seconds
for 5,000 extracts (measured on Dagster 1.13.27); reading the stored JSON takes a tenth of that. A
record in any other form than the one known here is read by Dagster.

The stored JSON of an extract has some kilobytes, most of it the same from one look to the next.
`Materializations` keeps what was read of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic_core import from_json

from extract_project.orchestration.dagster_internals import stored_asset_ends, stored_asset_rows
from extract_project.orchestration.names.keys import asset_key

_BATCH = 2_000
"""Assets in one query; SQLite and Postgres allow 32,766 parameters."""
_OF_WIPED = ("asset_details", "wipe_timestamp")
"""Columns that only an asset that was ever wiped has. Whether there is such a column depends on the
query; `get` of one that a row lacks builds an exception, which took a fifth of the whole time."""
_END = 200
"""Characters of a stored record: its storage id, and before it, its time and its run."""
_IDENTIFIES = re.compile(r'"storage_id": \d+}$')


@dataclass(frozen=True)
class Materialization:
    """A materialization of an extract or of one of its partitions."""

    storage_id: int
    run_id: str
    at: datetime
    partition: str | None
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    """The entries that are numbers or text, by label."""


@dataclass(frozen=True)
class Latest:
    """An extract's latest run, in any of its partitions, as the instance knows it."""

    run_id: str | None
    """The run that planned or materialized it last."""
    materialized: Materialization | None


class Materializations:
    """Latest materializations that were read before, each kept until another is stored.

    A stored event never changes, and its record ends with its storage id: an equal end is the same
    event. What has changed is found by asking for the ends, which are a thirtieth of the records.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Materialization]] = {}
        self._keys: dict[str, str] = {}

    def look(
        self, instance: dg.DagsterInstance, paths: Sequence[str]
    ) -> tuple[Mapping[str, Latest], Sequence[str]]:
        """The latest of each extract that is known, and the paths of those to read."""
        keys = {self._key(path): path for path in paths}
        rows = stored_asset_ends(instance, list(keys), _END)
        if rows is None:
            return {}, paths
        known: dict[str, Latest] = {}
        unread = []
        for key, run_id, details, end in rows:
            before, materialized = self._kept.get(key, (None, None))
            if details is None and end is None:
                known[keys[key]] = Latest(run_id or None, None)
            elif details is None and end == before:
                known[keys[key]] = Latest(run_id or None, materialized)
            else:
                unread.append(keys[key])
        return known, unread

    def keep(self, key: str, written: str | None, read: Materialization | None) -> None:
        """Keep what was read; `key` and `written` are as the storage has them."""
        if written and read and _IDENTIFIES.search(end := written[-_END:]):
            self._kept[key] = end, read

    def _key(self, path: str) -> str:
        if path not in self._keys:
            self._keys[path] = asset_key(path).to_string()
        return self._keys[path]


def read_latest(
    instance: dg.DagsterInstance, paths: Iterable[str], before: Materializations | None = None
) -> Mapping[str, Latest]:
    """The latest run and materialization of each extract that ever had one, by path.

    `before`: what was read earlier, which is not read again.
    """
    found: dict[str, Latest] = {}
    for chunk in _chunks(list(paths)):
        known, unread = before.look(instance, chunk) if before else ({}, chunk)
        found |= known
        keys = {asset_key(path): path for path in unread}
        found |= {keys[key]: latest for key, latest in _read(instance, list(keys), before)}
    return found


def _read(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], before: Materializations | None
) -> Iterator[tuple[dg.AssetKey, Latest]]:
    if not keys:
        return
    rows = stored_asset_rows(instance, keys)
    unread = list(keys) if rows is None else []
    stored = {key.to_string(): key for key in keys}
    for row in rows or ():
        key = stored.get(row["asset_key"]) or dg.AssetKey.from_db_string(row["asset_key"])
        if key is None:
            continue
        try:
            latest = _from_row(row)
        except (KeyError, TypeError, ValueError):
            unread.append(key)
            continue
        if before:
            before.keep(row["asset_key"], row["last_materialization"], latest.materialized)
        yield key, latest
    for record in instance.get_asset_records(unread) if unread else ():
        entry = record.asset_entry
        last = entry.last_materialization_record
        yield entry.asset_key, Latest(entry.last_run_id, last and _from_record(last))


def _from_row(row: Mapping[str, Any]) -> Latest:
    """Raises KeyError, TypeError or ValueError if the form is not the one known here."""
    written, run_id = row["last_materialization"], row["last_run_id"] or None
    if any(row[name] for name in _OF_WIPED if name in row):
        raise ValueError("a wiped asset: what was before does not count")
    if written is None:
        return Latest(run_id, None)
    record = from_json(written)
    entry = record["event_log_entry"]
    event = entry["dagster_event"]["event_specific_data"]["materialization"]
    data = ((each["label"], each["entry_data"]) for each in event["metadata_entries"])
    return Latest(
        run_id,
        Materialization(
            int(record["storage_id"]),
            entry["run_id"],
            datetime.fromtimestamp(entry["timestamp"], UTC),
            event["partition"],
            event["tags"] or {},
            {
                label: each.get("value", each.get("text"))
                for label, each in data
                if "value" in each or "text" in each
            },
        ),
    )


def _from_record(record: dg.EventLogRecord) -> Materialization | None:
    event = record.event_log_entry.asset_materialization
    if event is None:
        return None
    partition = event.partition
    return Materialization(
        record.storage_id,
        record.run_id,
        datetime.fromtimestamp(record.timestamp, UTC),
        str(partition) if partition is not None else None,
        event.tags or {},
        {label: getattr(value, "value", None) for label, value in event.metadata.items()},
    )


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH):
        yield paths[start : start + _BATCH]

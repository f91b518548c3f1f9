"""Compare the rows of two versions: by a key, or, without one, by counting whole rows.

Both versions are streamed to local disk once, in a form in which they can be compared, and
compared by an embedded DuckDB that spills to disk: memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from extract_project.errors import ExtractError
from extract_project.history.diff.column_metrics import ColumnMetrics, Tally
from extract_project.history.diff.comparable import Comparable, comparable
from extract_project.history.diff.row_difference import (
    ChangedRow,
    ColumnDifference,
    Row,
    RowDifference,
)
from extract_project.lockdown import locked_down
from extract_project.problem import suggestion

if TYPE_CHECKING:
    import duckdb

SAMPLES = 5
_MEMORY_LIMIT = "256MB"


@dataclass(frozen=True)
class Key:
    """Columns that identify a row. If `insisted`, it is an error if they do not."""

    columns: tuple[str, ...] = ()
    insisted: bool = False


def compare_rows(
    old: pa.RecordBatchReader, new: pa.RecordBatchReader, key: Key, directory: Path
) -> RowDifference:
    """Compare two versions; `directory` needs about as much local disk as both take in Parquet.

    Raises ExtractError if a key that was insisted on names a column that one of them does not have,
    or does not identify a row.
    """
    names = [name for name in old.schema.names if name in new.schema.names]
    columns = [
        comparable(name, old.schema.field(name).type, new.schema.field(name).type) for name in names
    ]
    with ThreadPoolExecutor(2) as pool:
        spooling = [
            pool.submit(_spool, reader, columns, directory / f"{table}.parquet")
            for table, reader in (("old", old), ("new", new))
        ]
        before, after = (each.result() for each in spooling)
    if not columns:
        return _nothing_in_common(before, after)
    tables = {table: directory / f"{table}.parquet" for table in ("old", "new")}
    with locked_down(tables, directory / "spill", _MEMORY_LIMIT) as connection:
        key_columns, note = _usable(key, columns, connection)
        if key_columns:
            return _by_key(connection, columns, key_columns, before, after)
        return _as_counted(connection, columns, before, after, note)


@dataclass
class _Spooled:
    """The metrics of a version, collected while it was written to disk."""

    metrics: dict[str, ColumnMetrics] = field(default_factory=dict)
    rows: int = 0


def _spool(reader: pa.RecordBatchReader, columns: Sequence[Comparable], path: Path) -> _Spooled:
    schema = pa.schema([(f"c{i}", column.stored) for i, column in enumerate(columns)])
    tallies = {each.name: Tally(each.type) for each in reader.schema}
    seen = _Spooled()
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=False) as writer:
        for batch in reader:
            seen.rows += batch.num_rows
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                tallies[name].observe(values)
            arrays = [column.encode(batch.column(column.name)) for column in columns]
            if arrays:
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    seen.metrics = {name: tally.metrics() for name, tally in tallies.items()}
    return seen


def _usable(
    key: Key, columns: Sequence[Comparable], connection: duckdb.DuckDBPyConnection
) -> tuple[list[int], str]:
    """The positions of the key's columns, or none, with the reason."""
    names = [column.name for column in columns]
    for name in key.columns:
        if name not in names:
            if key.insisted:
                raise ExtractError(
                    f"the key names column {name!r}, which the two versions do not both have: "
                    f"{suggestion(name, names)}"
                )
            return [], f"the key {', '.join(key.columns)} is not in both versions"
    positions = [names.index(name) for name in key.columns]
    for table in ("old", "new") if positions else ():
        listed = _list("c{}", positions)
        repeated = connection.execute(
            f"select count(*) from (from {table} select 1 group by {listed} having count(*) > 1)"
        ).fetchall()[0][0]
        if repeated:
            problem = (
                f"{', '.join(key.columns)} does not identify a row of the {table} version: "
                f"{repeated:,} of its values stand in several rows"
            )
            if key.insisted:
                raise ExtractError(f"{problem}; name more columns, as in --key a,b")
            return [], problem
    return positions, ""


def _by_key(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[Comparable],
    key: Sequence[int],
    before: _Spooled,
    after: _Spooled,
) -> RowDifference:
    every = range(len(columns))
    others = [i for i in every if i not in key]
    matches = " and ".join(f"old.c{i} is not distinct from new.c{i}" for i in key)
    differs = {i: f"(old.c{i} is distinct from new.c{i})" for i in others}
    changed = " or ".join(differs.values()) or "false"
    counts = ", ".join(f"count(*) filter (old.here and new.here and {d})" for d in differs.values())
    old_row, new_row = _list("old.c{}", every), _list("new.c{}", every)
    old_key, new_key = _list("old.c{}", key), _list("new.c{}", key)
    (found,) = connection.execute(
        f"select count(*) filter (old.here is null), count(*) filter (new.here is null), "
        f"count(*) filter (old.here and new.here and ({changed})), "
        f"arg_min(row({new_row}), row({new_key}), {SAMPLES}) filter (old.here is null), "
        f"arg_min(row({old_row}), row({old_key}), {SAMPLES}) filter (new.here is null), "
        f"arg_min(row({old_row}, {new_row}), row({old_key}), {SAMPLES}) "
        f"filter (old.here and new.here and ({changed}))"
        f"{f', {counts}' if counts else ''} "
        f"from (select *, true as here from old) as old "
        f"full outer join (select *, true as here from new) as new on {matches}"
    ).fetchall()
    added, removed, changed_rows, new_rows, gone_rows, pairs, *per_column = found
    changes = {columns[i].name: count for i, count in zip(others, per_column, strict=True)}
    return RowDifference(
        key=tuple(columns[i].name for i in key),
        note="",
        old_rows=before.rows,
        new_rows=after.rows,
        added=added,
        removed=removed,
        changed=changed_rows,
        columns=_columns(before, after, {**{columns[i].name: 0 for i in key}, **changes}),
        samples_added=tuple(_row(columns, row, new=True) for row in new_rows or ()),
        samples_removed=tuple(_row(columns, row, new=False) for row in gone_rows or ()),
        samples_changed=tuple(_changed_row(columns, key, pair) for pair in pairs or ()),
    )


def _as_counted(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[Comparable],
    before: _Spooled,
    after: _Spooled,
    note: str,
) -> RowDifference:
    row = _list("c{}", range(len(columns)))
    (found,) = connection.execute(
        f"select coalesce(sum(n) filter (n > 0), 0)::bigint, "
        f"coalesce(-sum(n) filter (n < 0), 0)::bigint, "
        f"arg_min(row({row}), row({row}), {SAMPLES}) filter (n > 0), "
        f"arg_min(row({row}), row({row}), {SAMPLES}) filter (n < 0) "
        f"from (select {row}, sum(n) as n "
        f"from (select *, 1 as n from new union all select *, -1 as n from old) "
        f"group by {row} having sum(n) <> 0)"
    ).fetchall()
    added, removed, new_rows, gone_rows = found
    return RowDifference(
        key=(),
        note=note,
        old_rows=before.rows,
        new_rows=after.rows,
        added=added,
        removed=removed,
        changed=0,
        columns=_columns(before, after, {}),
        samples_added=tuple(_row(columns, row, new=True) for row in new_rows or ()),
        samples_removed=tuple(_row(columns, row, new=False) for row in gone_rows or ()),
    )


def _nothing_in_common(before: _Spooled, after: _Spooled) -> RowDifference:
    return RowDifference(
        key=(),
        note="the two versions have no column in common",
        old_rows=before.rows,
        new_rows=after.rows,
        added=after.rows,
        removed=before.rows,
        changed=0,
        columns=_columns(before, after, {}),
    )


def _columns(
    before: _Spooled, after: _Spooled, changes: Mapping[str, int]
) -> tuple[ColumnDifference, ...]:
    names = dict.fromkeys([*after.metrics, *before.metrics])
    return tuple(
        ColumnDifference(name, changes.get(name), before.metrics.get(name), after.metrics.get(name))
        for name in names
    )


def _row(columns: Sequence[Comparable], row: Sequence[Any], *, new: bool) -> Row:
    return {
        column.name: column.decode(value, column.new if new else column.old)
        for column, value in zip(columns, row, strict=True)
    }


def _changed_row(columns: Sequence[Comparable], key: Sequence[int], pair: Any) -> ChangedRow:
    old, new = pair[: len(columns)], pair[len(columns) :]
    differing = [i for i in range(len(columns)) if i not in key and not _equal(old[i], new[i])]
    return ChangedRow(
        key={columns[i].name: columns[i].decode(new[i], columns[i].new) for i in key},
        old={columns[i].name: columns[i].decode(old[i], columns[i].old) for i in differing},
        new={columns[i].name: columns[i].decode(new[i], columns[i].new) for i in differing},
    )


def _equal(old: Any, new: Any) -> bool:
    """Equality as in DuckDB's `is not distinct from`: NULL equals NULL, and NaN equals NaN."""
    return bool(old == new or (old != old and new != new))  # noqa: PLR0124


def _list(form: str, positions: Sequence[int]) -> str:
    return ", ".join(form.format(position) for position in positions)

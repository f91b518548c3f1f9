"""Compare what a warehouse says that it has written with what is there.

Four witnesses must agree on every file: the warehouse's list, the bucket's listing, the object
itself (its size and version), and the footer of the file (its rows and types). The result is a list
of versions, so whatever happens to the keys later, readers get what was compared.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.daemons import DaemonPool
from extract_project.errors import StagingError, TypeMappingError
from extract_project.history.parts import HEADS_AT_ONCE, Part
from extract_project.history.reading import ObjectFile
from extract_project.schema.change import compare_schemas
from extract_project.schema.display import display
from extract_project.schema.spelling import spelled
from extract_project.store.protocol import ListedVersion, Store
from extract_project.warehouses.unloading import ColumnSummary, Summary, Unloaded, WrittenFile

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_FOOTER_BYTES = 64 << 10
_INTEGERS = ("INT32", "INT64")


def reconciled(
    store: Store,
    folder: str,
    unloaded: Unloaded,
    schema: pa.Schema,
    summary: Summary,
) -> list[Part]:
    """The parts below a folder, by name.

    Raises StagingError if the witnesses disagree, or the files have other rows, NULLs or ends than
    the warehouse says of the result; TypeMappingError if a file has other columns than `schema`.
    """
    listed = _listed(store, folder)
    for name in unloaded.beside:
        listed.pop(name, None)
    said = {each.name: each for each in unloaded.files}
    if len(said) < len(unloaded.files) or said.keys() != listed.keys():
        missing, foreign = sorted(said.keys() - listed.keys()), sorted(listed.keys() - said.keys())
        raise _disagreement(
            store.uri(folder),
            f"the warehouse says that it has written {len(unloaded.files):,} files, and there are "
            f"{len(listed):,}"
            + (f"; missing: {missing[0]}" if missing else "")
            + (f"; not listed by the warehouse: {foreign[0]}" if foreign else ""),
        )
    names = sorted(said)
    with DaemonPool(HEADS_AT_ONCE, "reconcile") as pool:
        found = list(pool.map(lambda name: _found(store, listed[name], said[name], schema), names))
    rows = sum(each.part.rows for each in found)
    if rows != summary.rows:
        raise _disagreement(
            store.uri(folder), f"the files have {rows:,} rows, and the result has {summary.rows:,}"
        )
    for index, (field, column) in enumerate(zip(schema, summary.columns, strict=True)):
        counts = [each.nulls[index] for each in found]
        nulls = sum(count or 0 for count in counts)
        if None not in counts and nulls != column.nulls:
            raise _disagreement(
                store.uri(folder),
                f"the files have {nulls:,} NULLs in {field.name!r}, and the result has "
                f"{column.nulls:,}",
            )
        _require_ends(store.uri(folder), field, [each.ends[index] for each in found], column)
    return [each.part for each in found]


@dataclass(frozen=True)
class _Found:
    """A file that agrees with what is said of it."""

    part: Part
    nulls: Sequence[int | None]
    """The NULLs of each column, where its statistics have them."""
    ends: Sequence[Sequence[int] | None]
    """Of each column the lowest and highest values of its row groups, as they are stored."""


def parquet_part(store: Store, part: Part) -> pq.ParquetFile:
    """A part, opened by its version; reading it takes bounded memory."""
    import pyarrow.parquet as pq

    file = ObjectFile(store, part.key, part.version_id, part.bytes)
    return pq.ParquetFile(io.BufferedReader(file, _FOOTER_BYTES), buffer_size=1 << 20)


def _listed(store: Store, folder: str) -> dict[str, ListedVersion]:
    """The versions below a folder, by name; each key must have one, and no delete marker."""
    found: dict[str, ListedVersion] = {}
    for each in store.history(folder):
        name = each.key.removeprefix(folder)
        if name in found or each.is_deleted:
            raise _disagreement(store.uri(each.key), "it was written more than once, or deleted")
        found[name] = each
    return found


def _found(store: Store, listed: ListedVersion, said: WrittenFile, schema: pa.Schema) -> _Found:
    import pyarrow as pa

    uri = store.uri(listed.key)
    head = store.find(listed.key, listed.version_id)
    sizes = {said.bytes, listed.size, head.size if head else -1}
    if head is None or len(sizes) > 1:
        raise _disagreement(
            uri,
            f"the warehouse says {said.bytes:,} bytes, the listing {listed.size:,}, the object "
            f"{'is gone' if head is None else f'has {head.size:,}'}",
        )
    part = Part(key=listed.key, version_id=listed.version_id, bytes=listed.size, rows=said.rows)
    try:
        with parquet_part(store, part) as file:
            rows, found = file.metadata.num_rows, file.schema_arrow
            columns = range(file.metadata.num_columns)
            nulls = [_nulls(file.metadata, index) for index in columns]
            ends = [_ends(file.metadata, index) for index in columns]
    except pa.ArrowInvalid as error:
        raise _disagreement(uri, f"it is not a whole Parquet file: {error}") from None
    if rows != said.rows:
        raise _disagreement(uri, f"the warehouse says {said.rows:,} rows, its footer {rows:,}")
    _require_columns(uri, found, schema)
    return _Found(part, nulls, ends)


def _nulls(footer: pq.FileMetaData, index: int) -> int | None:
    """The NULLs of a column; None if a row group does not say."""
    groups = (footer.row_group(group).column(index) for group in range(footer.num_row_groups))
    known = [each.statistics for each in groups]
    if any(each is None or not each.has_null_count for each in known):
        return None
    return sum(int(each.null_count) for each in known)


def _ends(footer: pq.FileMetaData, index: int) -> Sequence[int] | None:
    """The lowest and highest values of each row group; None if one does not say, or has others
    than integers, whose order in statistics is not the same with every writer.
    """
    found: list[int] = []
    for number in range(footer.num_row_groups):
        column = footer.row_group(number).column(index)
        known = column.statistics
        if known is None or column.physical_type not in _INTEGERS:
            return None
        if known.has_min_max:
            found += (known.min_raw, known.max_raw)
        elif not known.has_null_count or known.null_count < column.num_values:
            return None
    return found


def _require_ends(
    uri: str, field: pa.Field, ends: Sequence[Sequence[int] | None], said: ColumnSummary
) -> None:
    """Raise StagingError if the files have other lowest and highest values than the result: of the
    right type, and shifted by a zone or cut to another unit.
    """
    import pyarrow as pa

    known = [each for each in ends if each is not None]
    kind = field.type
    is_date = pa.types.is_date32(kind)
    is_stored_so = is_date or any(
        is_kind(kind) for is_kind in (pa.types.is_int64, pa.types.is_time64, pa.types.is_timestamp)
    )
    if len(known) < len(ends) or not is_stored_so:
        return
    stored = pa.int32() if is_date else pa.int64()
    values = [value for each in known for value in each]
    found = pa.array([min(values), max(values)] if values else [], stored).view(kind)
    expected = pa.array([], kind) if said.extremes is None else said.extremes
    if not found.equals(expected):
        raise _disagreement(
            uri,
            f"the values of {field.name!r} in the files are {_shown(found)}, and those of the "
            f"result are {_shown(expected)}",
        )


def _shown(ends: pa.Array) -> str:
    return " to ".join(display(ends)) or "NULL"


def _require_columns(uri: str, found: pa.Schema, schema: pa.Schema) -> None:
    if found.names != schema.names:
        raise _disagreement(
            uri, f"its columns are {', '.join(found.names)}, not {', '.join(schema.names)}"
        )
    wrong = [
        f"{new.name!r} is {spelled(new.type)}, not {spelled(old.type)}"
        for old, new in compare_schemas(schema, found).retyped
    ]
    if wrong:
        raise TypeMappingError(
            f"the warehouse has written other types than promised ({uri}): {'; '.join(wrong)}: "
            f"cast the columns in the SQL, or write 'engine: stream'"
        )


def _disagreement(uri: str, what: str) -> StagingError:
    return StagingError(
        f"what the warehouse has written is not what it says ({uri}): {what}: run the extract "
        f"again, and if it stays, write 'engine: stream'",
        transient=True,
    )

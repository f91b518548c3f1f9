"""What the API says of a finished result: its columns, its chunks and its number of rows.

Everything that is fetched afterwards is compared with it: a result that is cut, or of which a chunk
is missing, is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extract_project.errors import Cause, WarehouseError
from extract_project.warehouses.meaning import incomplete, understood


@dataclass(frozen=True)
class Column:
    """A column as Databricks describes it, before any row."""

    name: str
    type_text: str
    """The SQL type, as in `DECIMAL(10,2)` or `ARRAY<INT>`."""


@dataclass(frozen=True)
class Chunk:
    """A chunk of the result: which rows are in it."""

    number: int
    first_row: int | None
    """None, as in `rows`, where the manifest lists no chunks: then their links say it."""
    rows: int | None
    size: int
    """Bytes, roughly: the service counts its own form."""


@dataclass(frozen=True)
class Manifest:
    """The whole result."""

    columns: tuple[Column, ...]
    chunks: tuple[Chunk, ...]
    rows: int


def manifest_of(answer: Mapping[str, Any]) -> Manifest:
    """The manifest of a statement that has succeeded.

    Raises WarehouseError where the result is truncated, and a transient one where the manifest is
    missing, or does not agree with itself or with what stands beside it.
    """
    with understood("databricks' manifest of the result"):
        return _manifest_of(answer)


def _manifest_of(answer: Mapping[str, Any]) -> Manifest:
    said = answer.get("manifest")
    if not isinstance(said, Mapping) or not (said.get("schema") or {}).get("columns"):
        raise incomplete("databricks said that the query had succeeded, and described no result")
    if said.get("truncated"):
        raise WarehouseError(
            f"databricks truncated the result, at {int(said.get('total_row_count') or 0):,} rows: "
            f"it hands out 100 GiB of one query at most; publish less at a time, as with "
            f"'partitions' in the header",
            cause=Cause.SQL,
        )
    if said.get("format", "ARROW_STREAM") != "ARROW_STREAM":
        raise incomplete(f"databricks sent the result as {said['format']}, not as ARROW_STREAM")
    columns = tuple(
        Column(str(each.get("name") or ""), _type_of(each)) for each in said["schema"]["columns"]
    )
    count = (said["schema"]).get("column_count")
    if count is not None and count != len(columns):
        raise incomplete(f"databricks announced {count} columns and described {len(columns)}")
    rows = int(said.get("total_row_count") or 0)
    if not said.get("chunks") and not said.get("total_chunk_count"):
        _require_none(answer.get("result") or {})
    if said.get("chunks") is None and said.get("total_chunk_count"):
        numbers = range(int(said["total_chunk_count"]))
        return Manifest(columns, tuple(Chunk(each, None, None, 0) for each in numbers), rows)
    chunks = tuple(
        Chunk(
            int(each.get("chunk_index") or 0),
            int(each.get("row_offset") or 0),
            int(each.get("row_count") or 0),
            int(each.get("byte_count") or 0),
        )
        for each in sorted(said.get("chunks") or (), key=lambda each: each.get("chunk_index") or 0)
    )
    _require_whole(chunks, rows, said.get("total_chunk_count"))
    return Manifest(columns, chunks, rows)


def _require_none(result: Mapping[str, Any]) -> None:
    """A result without rows has no chunks, and its manifest does not speak of any."""
    if result.get("external_links") or result.get("data_array") or result.get("attachment"):
        raise incomplete("databricks announced a result without rows, and sent some")


def _require_whole(chunks: Sequence[Chunk], rows: int, count: Any) -> None:
    if count is not None and int(count) != len(chunks):
        raise incomplete(f"databricks announced {count} chunks and listed {len(chunks)}")
    first_row = 0
    for number, each in enumerate(chunks):
        assert each.rows is not None
        if (each.number, each.first_row) != (number, first_row):
            raise incomplete(
                f"databricks listed chunk {each.number} with rows from {each.first_row:,}: "
                f"expected chunk {number} with rows from {first_row:,}"
            )
        first_row += each.rows
    if first_row != rows:
        raise incomplete(f"databricks announced {rows:,} rows, and chunks of {first_row:,}")


def _type_of(column: Mapping[str, Any]) -> str:
    if column.get("type_text"):
        return str(column["type_text"])
    name = str(column.get("type_name") or "")
    if column.get("type_precision") is None:
        return name
    return f"{name}({column['type_precision']},{column.get('type_scale') or 0})"

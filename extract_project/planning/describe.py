"""Ask warehouses which columns planned extracts have, and compare them with the published ones.

Warehouses describe the queries; nothing is run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from extract_project.errors import (
    Cause,
    SchemaError,
    TypeMappingError,
    WarehouseError,
)
from extract_project.history.receipt import load_receipt, read_schema
from extract_project.history.versions import find_version, published_partitions
from extract_project.manifest.example_partition import example_partition
from extract_project.manifest.extract import Extract
from extract_project.manifest.named_columns import missing_columns
from extract_project.pipeline.file_columns import promised_schema, undescribed
from extract_project.planning.plan import Planned
from extract_project.schema.change import SchemaChange, compare_schemas
from extract_project.schema.choices import WIDEST
from extract_project.store.destination import Destination
from extract_project.store.stores import Folders
from extract_project.units import format_bytes
from extract_project.warehouses.protocol import BillsBytes, Label, Query, Session, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.schema.narrowed import Narrowed

_TIMEOUT = timedelta(minutes=1)
_UNREACHABLE = {Cause.SIGN_IN, Cause.NETWORK, Cause.SETTINGS, Cause.BUSY}

Faults = Iterable[tuple[tuple[str | int, ...], str]]


@dataclass(frozen=True)
class Described:
    """The schema of a new or changed extract, and that of its published version."""

    published: pa.Schema | None
    """None if nothing is published, or its schema is unknown."""
    planned: pa.Schema | None
    """None if the warehouse refuses the query."""
    refusal: str = ""
    """Why it does, or how the header's `columns` differ; with the position in the file."""
    narrowed: tuple[Narrowed, ...] = ()
    """Columns of which the file would not keep every value that their type in the warehouse has."""
    by_position: bool = False
    """Whether readers find columns by position, as in CSV."""
    doubts: tuple[str, ...] = ()
    """What is wrong and does not keep the extract from running, with the position in the file."""
    bytes_billed: int | None = None
    """How many bytes the query would be billed for, at most, where a warehouse bills them."""

    @property
    def difference(self) -> SchemaChange:
        """The changes of the columns; none if one of the schemas is unknown."""
        if self.published is None or self.planned is None:
            return SchemaChange(())
        return compare_schemas(self.published, self.planned, by_position=self.by_position)

    @property
    def changes(self) -> list[str]:
        """The changes of the columns, one line each."""
        return self.difference.lines()


def describe(
    folders: Folders,
    warehouses: Mapping[str, Warehouse],
    planned: Iterable[Planned],
) -> Iterator[tuple[Planned, Described]]:
    """The schema of each new and changed extract, as its warehouse describes it, and the published
    one.

    Raises WarehouseError if a warehouse cannot be reached.
    """
    waiting: dict[str, deque[tuple[Planned, Extract]]] = {}
    for each in planned:
        if isinstance(each.after, Extract):
            waiting.setdefault(each.after.warehouse, deque()).append((each, each.after))
    for name, extracts in waiting.items():
        for each, extract, answer in _ask(warehouses[name], extracts):
            published = _published_schema(folders, extract)
            by_position = extract.file_format.format.by_position
            yield each, replace(answer, published=published, by_position=by_position)


def _ask(
    warehouse: Warehouse, waiting: deque[tuple[Planned, Extract]]
) -> Iterator[tuple[Planned, Extract, Described]]:
    """Each warehouse's description, without a published schema to compare with."""
    label = Label("plan", "local", "plan")
    while waiting:
        with warehouse.connect(label, _TIMEOUT) as session:
            while waiting:
                each, extract = waiting.popleft()
                query = extract.query(example_partition(extract))
                try:
                    found = session.describe(query)
                    answer = promised_schema(extract, found)
                    wide = _narrowed(session, query, found)
                    billed = _billed(session, query)
                except SchemaError as error:
                    refusal = placed_faults(error.faults, extract, extract.file)
                    yield each, extract, Described(None, None, refusal)
                    continue
                except (WarehouseError, TypeMappingError) as error:
                    if error.cause in _UNREACHABLE:
                        raise
                    yield each, extract, Described(None, None, placed(error, extract, extract.file))
                    break  # after a failure, the transaction accepts nothing more
                faults = [*missing_columns(extract.header, answer.names), *_dear(extract, billed)]
                refusal = placed_faults(faults, extract, extract.file)
                planned = None if refusal else answer
                doubts = tuple(undescribed(extract, answer.names))
                yield (
                    each,
                    extract,
                    Described(None, planned, refusal, wide, doubts=doubts, bytes_billed=billed),
                )


def _billed(session: Session, query: Query) -> int | None:
    return session.bytes_read(query) if isinstance(session, BillsBytes) else None


def _dear(extract: Extract, billed: int | None) -> Faults:
    """The fault of `max_bytes`, if the query would be billed for more."""
    limit = extract.header.max_bytes
    if limit is not None and billed is not None and billed > limit:
        yield (
            ("max_bytes",),
            f"the query would be billed for {format_bytes(billed)}, more than 'max_bytes' allows: "
            f"read less, as by a partition of the table, or raise it",
        )


def _narrowed(session: Session, query: Query, found: pa.Schema) -> tuple[Narrowed, ...]:
    from extract_project.schema.narrowed import narrowed

    try:
        widest = session.describe(replace(query, types=WIDEST))
    except TypeMappingError:  # more digits than any decimal: only int64 is left
        return ()
    return tuple(narrowed(widest, found))


def placed_faults(faults: Faults, extract: Extract, file: str) -> str:
    """Faults of header keys, one line each, with their positions in a file."""
    return "\n".join(extract.problem(path, fault).at(file) for path, fault in faults)


def placed(error: Exception, extract: Extract, file: str) -> str:
    """An error with its position in a SQL file, if it has one."""
    key = getattr(error, "key", None)
    if key is not None:
        return placed_faults([((key,), str(error))], extract, file)
    line, column = getattr(error, "line", None), getattr(error, "column", None)
    return ":".join(str(each) for each in (file, line, column) if each is not None) + f": {error}"


def _published_schema(folders: Folders, extract: Extract) -> pa.Schema | None:
    """The published schema at the first of its destinations that has one."""
    at_each = (_schema_at(folders.destination(name), extract) for name in extract.header.to)
    return next((schema for schema in at_each if schema is not None), None)


def _schema_at(destination: Destination, extract: Extract) -> pa.Schema | None:
    """The schema of the current version; for a partitioned extract, of the newest partition."""
    data, newest = destination.data, None
    if extract.header.partitions:
        found = published_partitions(data, extract)
        if not found:
            return None
        newest = found[-1]
    version = find_version(data.store, data.key(extract.published_path(newest)))
    receipt_id = version.provenance.get("receipt") if version else None
    receipt = (
        load_receipt(destination.state, version.key, receipt_id) if version and receipt_id else None
    )
    return read_schema(receipt) if receipt else None

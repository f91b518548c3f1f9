"""What the tests need from a warehouse, in its own SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa

from extract_project.manifest.extract import Extract
from extract_project.manifest.parsing import Dialects, parse_extract
from extract_project.schema.choices import DEFAULTS, TypeChoices
from extract_project.source import SqlSource
from extract_project.warehouses.protocol import Label, Query, Session, Warehouse

LABEL = Label("sales/orders", "v1", "run-1")


@dataclass(frozen=True)
class TypeNames:
    """The names of types that differ between warehouses."""

    text: str = "varchar"
    double: str = "double precision"
    timestamp: str = "timestamp"
    """Without a time zone."""
    timestamptz: str | None = "timestamptz"
    """An instant; None if only columns of tables are of such a type."""
    bigint: str = "bigint"
    decimal: str = "decimal(15, 2)"
    decimal_in_file: str = "decimal128(15, 2)"
    """Arrow's name of the type that a file has for it."""
    integer: str = "decimal(38, 0)"
    """Integers; of any size, if there are such."""
    digits: str = "decimal(38, 0)"
    """Numbers of 38 digits before the point."""
    date: str = "date"
    timestamp_in_file: str = "timestamp[us]"
    """Arrow's name of the type that a file has for `timestamp`."""


@dataclass(frozen=True)
class Rig:
    """A warehouse with a table `shop.orders` (one row: id 1), and the queries of the tests."""

    warehouse: Warehouse
    series: Callable[[int], str]
    """`select n from …` that returns the integers from 1 to a limit."""
    slow: str
    """A query with a column `n` that does not end by itself."""
    running: Callable[[], int]
    """The number of queries of the session that run in the warehouse."""
    insert: Callable[[], object]
    """Add a row to shop.orders."""
    unreachable: Warehouse
    """The same with a wrong address, so that nobody answers."""
    unreachable_name: str
    """What the error about that must name."""
    types: TypeNames = field(default_factory=TypeNames)
    has_pages: bool = False
    """Whether the warehouse has an id for each query, and a page about it."""
    runs_here: bool = False
    """Whether queries run in this process: then `running` is 0."""
    knows_no_tables: bool = False
    """Whether the warehouse knows changes of the whole database, but not of a table."""
    has_wide_integers: bool = True
    """Whether there are integers beyond 64 bits."""
    fails: str = "select nope from shop.orders"
    """A statement that fails after it has got an id, if it gets one."""
    has_booleans: bool = True
    """Whether `true` is something else than the number 1."""
    refused_dates: frozenset[str] = frozenset()
    """Of the dates 0000-01-01 and 12022-01-01, those that are refused rather than kept."""

    @contextmanager
    def session(self, timeout: timedelta = timedelta(hours=1)) -> Iterator[Session]:
        with self.warehouse.connect(LABEL, timeout) as session:
            yield session

    def query(self, text: str, **params: Any) -> Query:
        """Prepare a statement as the manifest does: placeholders, and the end of the statement."""
        names = ", ".join(f"{name}: 0" for name in params)
        header = f"/*---\nparams: {{{names}}}\n---*/\n" if params else ""
        source = SqlSource(key="k", version_id="v", etag="e", sha256="s")
        extract = parse_extract(
            "a/b", f"{header}{text}".encode(), source, Dialects({"w": self.warehouse.dialect}, "w")
        )
        assert isinstance(extract, Extract), extract.reasons
        return replace(extract.query(), values=params)

    def table(self, text: str, **params: Any) -> pa.Table:
        with self.session() as session:
            result = session.execute(self.query(text, **params))
            return pa.Table.from_batches(list(result.batches()), result.schema)


def read(session: Session, sql: str, types: TypeChoices = DEFAULTS) -> pa.Table:
    """The whole result of a statement without parameters."""
    result = session.execute(Query(sql, types=types))
    return pa.Table.from_batches(list(result.batches()), result.schema)

"""The protocol of a warehouse: connect, execute, stream, cancel.

The call chain of a run is

    with warehouse.connect(label, timeout) as session:       sign in
        result = session.execute(query)             the query runs; its schema is known
        for batch in result.batches(): ...          bounded memory, batches in `result.schema`

`session.cancel()`, from any thread, ends whichever of these is running. In addition,
`session.describe(query)` returns the schema without running the query, and `session.last_changes`
tells whether the tables that a query reads have changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from extract_project.metrics import Usage
from extract_project.schema.choices import TypeChoices
from extract_project.sql.dialect import Dialect
from extract_project.sql.query import Placeholder, Query, Rendered
from extract_project.warehouses.facts import TableFacts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "BillsBytes",
    "Driver",
    "FunctionNames",
    "Label",
    "Placeholder",
    "Query",
    "Rendered",
    "Result",
    "Session",
    "TableChange",
    "Usage",
    "Warehouse",
]


@dataclass(frozen=True)
class Label:
    """The origin of a query, which the warehouse shows in its own query history."""

    extract: str
    sql_version: str
    run_id: str
    partition: str | None = None


@dataclass(frozen=True)
class TableChange:
    """A table's last change. Equal tokens mean that nothing has changed."""

    token: str
    at: datetime | None = None
    """The time of the change, if the warehouse knows it."""


class Result(Protocol):
    """A running query whose columns are known and whose rows have not been read."""

    @property
    def schema(self) -> pa.Schema:
        """The schema of the file, built only from column metadata, so it is the same for zero
        rows.

        A field may have the warehouse's own comment on the column as its description (see
        `schema.annotations`).
        """

    @property
    def query_id(self) -> str | None:
        """The warehouse's own id of this query, if it has one."""

    @property
    def query_url(self) -> str | None:
        """The page about this query, if the warehouse has such a page."""

    @property
    def usage(self) -> Usage | None:
        """The time and cost of the query, once its rows are read; None if the warehouse does not
        say."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, once, in `schema`; raises WarehouseError or TypeMappingError."""


class Session(Protocol):
    """One signed-in connection, for one query at a time."""

    def execute(self, query: Query) -> Result:
        """Start the query; raises WarehouseError, with the line if the warehouse knows it."""

    def describe(self, query: Query) -> pa.Schema:
        """The schema that `execute` would give, without running the query; raises as it does."""

    def facts(self, table: str) -> TableFacts:
        """The columns, comments and keys of a table, named as in SQL; raises WarehouseError."""

    def last_changes(self, tables: Sequence[str]) -> Mapping[str, TableChange]:
        """The last change of each table, by its name. Tables without information are missing.

        Raises WarehouseError if the warehouse could not be asked.
        """

    def cancel(self) -> None:
        """End the running query in the warehouse; safe from any thread, and when nothing runs.

        A query that is about to start may not notice it: call it again until the query has ended.
        """


@runtime_checkable
class BillsBytes(Protocol):
    """A session of a warehouse that bills what a query reads."""

    def bytes_read(self, query: Query) -> int:
        """How many bytes the query would be billed for, at most; it does not run."""


def _listed(value: Any) -> Any:
    names = value.split(",") if isinstance(value, str) else value
    return [name.strip().lower() for name in names if name.strip()]


FunctionNames = Annotated[
    frozenset[str],
    NoDecode,  # not JSON
    BeforeValidator(_listed),
    Field(
        description="Functions that no extract may call, separated by commas, as in "
        "`notify_shop, audit.log`: your own functions that do more than read. The engine's own "
        "are known."
    ),
]
"""Names in lower case: `f` in any schema, or `s.f`."""


@dataclass(frozen=True)
class Driver:
    """The client of a warehouse, where it is installed separately."""

    module: str
    """Whether it is there, is found out by looking for this module, without importing it."""
    install: str
    """The command that installs it."""


class Warehouse(Protocol):
    """Connection settings that know how to connect.

    A class may have `driver`, a `Driver`: settings without it are refused.
    """

    @property
    def type(self) -> str: ...

    @property
    def dialect(self) -> Dialect:
        """Its SQL dialect: one of those in `sql`, or its own."""

    @property
    def forbidden_functions(self) -> frozenset[str]:
        """User-defined functions that no extract may call."""

    @property
    def types(self) -> TypeChoices:
        """The types chosen for its wide types, if the header does not choose."""

    def connect(self, label: Label, timeout: timedelta) -> AbstractContextManager[Session]:
        """Sign in; raises WarehouseError that names the setting to correct.

        `timeout` is the extract's time limit. If the server can end a query by itself, it should be
        told to do so some time after that.
        """

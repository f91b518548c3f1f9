"""What a dry run says of a statement: it runs nothing, and costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extract_project.sql.query import Rendered
from extract_project.warehouses.bigquery.client import Job
from extract_project.warehouses.bigquery.names import TableName, table_name
from extract_project.warehouses.bigquery.parameters import Parameters
from extract_project.warehouses.meaning import understood

if TYPE_CHECKING:
    from extract_project.warehouses.bigquery.types import Column


@dataclass(frozen=True)
class Checked:
    """A statement that BigQuery has checked, and would run."""

    rendered: Rendered
    parameters: Parameters
    answer: Job

    @property
    def location(self) -> str | None:
        """The location of the tables that the statement reads."""
        found = self.answer.get("jobReference") or {}
        return found.get("location")

    @property
    def _query(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (self.answer.get("statistics") or {}).get("query") or {}
        return found

    @property
    def kind(self) -> str:
        """The kind of statement, as in `SELECT`."""
        return str(self._query.get("statementType") or "")

    @property
    def columns(self) -> Sequence[Column]:
        from extract_project.warehouses.bigquery.types import columns_of

        with understood("what bigquery says of the statement"):
            return columns_of(self._query["schema"])

    @property
    def bytes(self) -> int:
        """How many bytes the query would read, at most."""
        return int(self._query.get("totalBytesProcessed") or 0)

    @property
    def tables(self) -> list[TableName]:
        """The tables that it reads, also behind views."""
        return [table_name(each) for each in self._query.get("referencedTables") or ()]

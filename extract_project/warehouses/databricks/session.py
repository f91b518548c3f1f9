"""One signed-in session: a query that can be cancelled while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from extract_project.errors import WarehouseError
from extract_project.warehouses.databricks.changes import last_changes
from extract_project.warehouses.databricks.client import Client, Names
from extract_project.warehouses.databricks.errors import of_statement
from extract_project.warehouses.databricks.facts import table_facts
from extract_project.warehouses.databricks.manifest import manifest_of
from extract_project.warehouses.databricks.parameters import bound, markers
from extract_project.warehouses.databricks.result import DatabricksResult
from extract_project.warehouses.databricks.statement import Statement
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.protocol import Query, Rendered, TableChange
from extract_project.warehouses.remote import run

if TYPE_CHECKING:
    import pyarrow as pa

_SUCCEEDED = "SUCCEEDED"
_BEFORE, _AFTER = "select * from (", "\n) limit 0"


class DatabricksSession:
    """One signed-in session."""

    def __init__(
        self,
        client: Client,
        session: Names,
        tags: Sequence[Mapping[str, str]],
        catalog: str | None = None,
    ) -> None:
        self._client = client
        self._session = session
        self._tags = tags
        self._catalog = catalog

    def execute(self, query: Query) -> DatabricksResult:
        rendered = query.render(markers(query))
        statement = self._statement(query, rendered.text)
        ended = run(statement)
        status = ended.answer["status"]
        if status["state"] != _SUCCEEDED:
            raise statement.located(of_statement(status, rendered), ended.id)
        try:
            return DatabricksResult(
                self._client,
                query,
                manifest_of(ended.answer),
                query_id=ended.id,
                url=statement.url(ended.id),
            )
        except WarehouseError as error:
            raise statement.located(error, ended.id) from None

    def describe(self, query: Query) -> pa.Schema:
        """Get the columns by running the statement for no rows.

        The optimizer makes it an empty relation, so no table is read. `describe query` would be
        simpler, but binds no values.
        """
        from extract_project.warehouses.databricks.types import databricks_columns

        rendered: Rendered = query.statement(markers(query))
        statement = self._statement(query, f"{_BEFORE}{rendered.text}{_AFTER}")
        ended = run(statement)
        status = ended.answer["status"]
        if status["state"] != _SUCCEEDED:
            raise statement.located(of_statement(status, rendered, len(_BEFORE)), ended.id)
        return databricks_columns(manifest_of(ended.answer).columns, query).schema

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table, self._catalog)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        return last_changes(self.execute, tables)

    def cancel(self) -> None:
        """End the current wait; the thread that waits for a statement then cancels it."""
        self._client.http.cancellation.set()

    def _statement(self, query: Query, text: str) -> Statement:
        return Statement(self._client, self._session, self._tags, text, bound(query))

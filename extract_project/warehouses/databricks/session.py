"""One signed-in session: a query that can be cancelled while it runs.

A statement is started asynchronously, which gives its id at once, and its status is asked for until
it has ended. Nobody but us ends it: a statement whose client is gone runs on until its timeout.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.databricks.changes import last_changes
from extract_project.warehouses.databricks.client import Client, Names
from extract_project.warehouses.databricks.errors import of_statement
from extract_project.warehouses.databricks.facts import table_facts
from extract_project.warehouses.databricks.manifest import manifest_of
from extract_project.warehouses.databricks.parameters import bound, markers
from extract_project.warehouses.databricks.result import DatabricksResult
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.protocol import Query, Rendered, TableChange
from extract_project.warehouses.waiting import answer_of, begin, is_confirmed

if TYPE_CHECKING:
    import pyarrow as pa

_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "CLOSED")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
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
        answer = self._run(query, rendered.text)
        status = answer["status"]
        if status["state"] != "SUCCEEDED":
            raise self._located(of_statement(status, rendered), answer)
        try:
            return DatabricksResult(
                self._client,
                query,
                manifest_of(answer),
                query_id=answer["statement_id"],
                url=self._url(answer["statement_id"]),
            )
        except WarehouseError as error:
            raise self._located(error, answer) from None

    def describe(self, query: Query) -> pa.Schema:
        """As the columns of no rows, of which the optimizer makes an empty relation: it reads no
        table. `describe query` binds no values.
        """
        from extract_project.warehouses.databricks.types import databricks_columns

        rendered: Rendered = query.statement(markers(query))
        answer = self._run(query, f"{_BEFORE}{rendered.text}{_AFTER}")
        status = answer["status"]
        if status["state"] != "SUCCEEDED":
            raise self._located(of_statement(status, rendered, len(_BEFORE)), answer)
        return databricks_columns(manifest_of(answer).columns, query).schema

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table, self._catalog)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        return last_changes(self.execute, tables)

    def cancel(self) -> None:
        """End whatever is waited for; who waits for a statement then has it cancelled."""
        self._client.http.cancellation.set()

    def _run(self, query: Query, text: str) -> dict[str, Any]:
        """Start a statement and wait for its end, whichever that is."""
        answer = self._start(text, bound(query))
        statement_id = str(answer["statement_id"])
        try:
            ended = self._await(answer)
        except QueryCancelled:
            self._abort(statement_id)
            raise
        except WarehouseError as error:  # nobody else would end it
            self._has_ended(statement_id, self._client.http.patience.start_seconds)
            raise self._located(error, answer) from None
        return {**ended, "statement_id": statement_id}

    def _start(self, text: str, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The answer with its id. One that starts while the run is being cancelled is ended too."""
        http = self._client.http
        http.cancellation.require_not()
        detached = self._client.detached()
        return http.cancellation.started(
            begin("start", lambda: detached.submit(self._session, text, values, self._tags)),
            http.patience.start_seconds,
            "the run was ended while its statement was starting, and databricks has not "
            "said whether it has: if so, it ends by itself at its timeout",
            lambda answer: self._abort(str(answer["statement_id"])),
        )

    def _await(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for its status until it has ended. The wait for a warehouse to start is logged."""
        http = self._client.http
        statement_id = str(answer["statement_id"])
        begun = said = time.monotonic()
        pause = _FIRST_PAUSE
        while True:
            state = (answer.get("status") or {}).get("state")
            if state in _ENDED:
                return answer
            now = time.monotonic()
            if state == "PENDING" and now - said >= http.patience.quiet_seconds:
                said = now
                self._log_wait(statement_id, now - begun)
            http.cancellation.pause(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            answer = self._client.statement(statement_id)

    def _log_wait(self, statement_id: str, seconds: float) -> None:
        try:
            state = self._client.warehouse_state().lower()
        except QueryCancelled:
            raise
        except WarehouseError:  # the right to use a warehouse is not the right to look at it
            state = "not known"
        logging.getLogger(__name__).warning(
            "databricks statement %s has waited %.0f s for SQL warehouse %s, whose state is %s",
            statement_id,
            seconds,
            self._client.warehouse_id,
            state,
        )

    def _abort(self, statement_id: str) -> None:
        """Cancel a statement until Databricks says that it has ended.

        Raises QueryCancelled with what is known where it does not, which must not hold up the end
        of the run for ever.
        """
        has_ended = partial(self._has_ended, statement_id)
        seconds = self._client.http.patience.abort_seconds
        if not is_confirmed(has_ended, seconds, _FIRST_PAUSE, _LONGEST_PAUSE):
            raise QueryCancelled(
                f"the run was ended, and databricks has not confirmed that statement "
                f"{statement_id} was: it ends by itself at its timeout, or run: "
                f"databricks api post /api/2.0/sql/statements/{statement_id}/cancel"
            )

    def _has_ended(self, statement_id: str, seconds: float) -> bool:
        detached = self._client.detached()

        def ask() -> bool:
            detached.cancel(statement_id)
            status = detached.statement(statement_id).get("status") or {}
            return status.get("state") in _ENDED

        return answer_of(ask, seconds)

    def _located(self, error: WarehouseError, answer: Mapping[str, Any]) -> WarehouseError:
        error.query_id = str(answer["statement_id"])
        error.query_url = self._url(error.query_id)
        return error

    def _url(self, statement_id: str) -> str:
        """The statement's page in the query history."""
        return f"{self._client.http.address}/sql/history?queryId={statement_id}"

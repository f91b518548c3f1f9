"""One statement at the API: started, asked for, cancelled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.databricks.client import Client, Names
from extract_project.warehouses.meaning import incomplete, understood
from extract_project.warehouses.remote import Status
from extract_project.warehouses.rest import Http

_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "CLOSED")


@dataclass(frozen=True)
class Statement:
    """A statement with its values, in a session."""

    client: Client
    session: Names
    tags: Sequence[Mapping[str, str]]
    text: str
    values: Sequence[Mapping[str, Any]]
    name = "databricks statement"

    @property
    def http(self) -> Http:
        return self.client.http

    def detached(self) -> Statement:
        return replace(self, client=self.client.detached())

    def start(self) -> Status:
        answer = self.client.submit(self.session, self.text, self.values, self.tags)
        return Status(str(answer["statement_id"]), answer)

    def status(self, query_id: str) -> Status:
        answer = self.client.statement(query_id)
        with understood("what databricks says of the statement"):
            state = answer["status"]["state"]
        if answer.get("statement_id", query_id) != query_id:
            raise incomplete(
                f"databricks was asked about statement {query_id}, and answered about "
                f"{answer['statement_id']}"
            )
        return Status(query_id, answer, state in _ENDED, state == "PENDING")

    def cancel(self, query_id: str) -> None:
        self.client.cancel(query_id)

    def told_to_wait(self, query_id: str, seconds: float) -> None:
        """Log that the statement waits, and the state of its SQL warehouse."""
        try:
            state = self.client.warehouse_state().lower()
        except QueryCancelled:
            raise
        except WarehouseError:  # the right to use a warehouse is not the right to look at it
            state = "not known"
        logging.getLogger(__name__).warning(
            "databricks statement %s has waited %.0f s for SQL warehouse %s, whose state is %s",
            query_id,
            seconds,
            self.client.warehouse_id,
            state,
        )

    def located(self, error: WarehouseError, query_id: str) -> WarehouseError:
        error.query_id = query_id
        error.query_url = self.url(query_id)
        return error

    def by_hand(self, query_id: str) -> str:
        return f"databricks api post /api/2.0/sql/statements/{query_id}/cancel"

    def url(self, query_id: str) -> str:
        """The statement's page in the query history."""
        return f"{self.http.service.address}/sql/history?queryId={query_id}"

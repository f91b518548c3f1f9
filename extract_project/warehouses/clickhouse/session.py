"""One session: queries with our settings, one at a time, each of which can be cancelled.

ClickHouse keeps nothing between requests. A statement is described first, since its Arrow output
loses types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.clickhouse.changes import last_changes
from extract_project.warehouses.clickhouse.client import Client, Sent
from extract_project.warehouses.clickhouse.errors import of_text
from extract_project.warehouses.clickhouse.facts import table_facts
from extract_project.warehouses.clickhouse.parameters import bound, markers
from extract_project.warehouses.clickhouse.result import ClickHouseResult
from extract_project.warehouses.clickhouse.running import Running
from extract_project.warehouses.facts import TableFacts
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Query, TableChange
from extract_project.warehouses.waiting import Cancellation

if TYPE_CHECKING:
    import pyarrow as pa

    from extract_project.warehouses.clickhouse.types import ClickHouseColumns

_BEFORE, _AFTER = "describe (", "\n)"


class ClickHouseSession:
    """Requests with the same settings."""

    def __init__(self, client: Client, settings: Mapping[str, str], seconds: float) -> None:
        """`seconds`: the longest that a query may take."""
        self._client = client
        self._settings = settings
        self._seconds = seconds
        self._cancellation = Cancellation()
        self._running: Running | None = None

    def execute(self, query: Query) -> ClickHouseResult:
        from extract_project.warehouses.clickhouse.stream import Stream

        columns = self._columns(query)
        rendered = query.render(markers(query))
        sent = Sent(rendered.text, str(uuid4()), self._settings, bound(query), rendered)
        running = self._begun(sent)
        try:
            reply = running.start("ArrowStream")
            stream = running.read(lambda: Stream(reply, rendered))
            columns.require_agreement(stream.schema)
        except WarehouseError as error:
            error.query_id = sent.query_id
            raise
        return ClickHouseResult(running, stream, columns, sent.query_id)

    def describe(self, query: Query) -> pa.Schema:
        return self._columns(query).schema

    def facts(self, table: str) -> TableFacts:
        return table_facts(self, table)

    def last_changes(self, tables: Sequence[str]) -> dict[str, TableChange]:
        return last_changes(self.execute, tables)

    def cancel(self) -> None:
        """End the current wait; the thread that waits for a query then kills the query."""
        self._cancellation.set()

    def close(self) -> None:
        """Kill a query whose rows nobody has read to the end."""
        if self._running is not None:
            with suppress(QueryCancelled):
                self._running.abort()

    def _begun(self, sent: Sent) -> Running:
        self.close()
        self._running = Running(self._client, self._cancellation, sent, self._seconds)
        return self._running

    def _columns(self, query: Query) -> ClickHouseColumns:
        """The columns of a statement: `describe` reads no table, but computes what is constant."""
        from extract_project.warehouses.clickhouse.types import Column, clickhouse_columns

        rendered = query.statement(markers(query))
        text = f"{_BEFORE}{rendered.text}{_AFTER}"
        query_id = str(uuid4())
        sent = Sent(text, query_id, self._settings, bound(query), rendered, len(_BEFORE))
        running = self._begun(sent)
        try:
            reply = running.start("JSON")
            rows = running.read(lambda: _rows(reply, sent))
            running.finish()
            described = [Column(str(row["name"]), str(row["type"])) for row in rows]
            return clickhouse_columns(described, query)
        except WarehouseError as error:
            error.query_id = query_id
            raise


def _rows(reply: HTTPResponse, sent: Sent) -> list[dict[str, Any]]:
    try:
        with reply:
            body = reply.read()
    except IncompleteRead as error:
        body = error.partial
    except (OSError, HTTPException):
        body = b""
    try:
        return list(json.loads(body)["data"])
    except (ValueError, KeyError, TypeError):
        told = of_text(body.decode(errors="replace"), sent.rendered, sent.before)
        said = "clickhouse's description of the statement broke off"
        raise (told or incomplete(said)) from None

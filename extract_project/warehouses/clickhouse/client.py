"""The requests of ClickHouse's HTTP interface: https://clickhouse.com/docs/interfaces/http.

The statement is the body, in the author's own words; settings and values are in the URL. Each
request is a query with an id of ours.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request

from extract_project.errors import Cause, WarehouseError
from extract_project.sql_quoting import backslashed
from extract_project.warehouses.clickhouse.errors import of_reply
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.protocol import Rendered
from extract_project.warehouses.rest import Patience, body_of, opener


@dataclass(frozen=True)
class Sent:
    """One statement, as it is sent."""

    text: str
    query_id: str
    settings: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    rendered: Rendered | None = None
    """Leads from a place in `text` back to the SQL file."""
    before: int = 0
    """How many characters at the start of its first line are not the author's."""


@dataclass(frozen=True)
class Look:
    """What a server says of a query."""

    runs: bool
    host: str
    """The server that answered: several may be behind one address."""


@dataclass(frozen=True)
class Client:
    """The requests to one server."""

    address: str
    """As in `https://abc.clickhouse.cloud:8443`."""
    sign_in: Mapping[str, str] = field(repr=False)
    """The headers that sign in: secrets."""
    database: str | None = None
    cluster: str | None = None
    """The cluster on which queries are looked for and killed; None if there is one server."""
    patience: Patience = field(default_factory=Patience)

    def open(self, sent: Sent, form: str, seconds: float) -> HTTPResponse:
        """Run a statement; the reply has its rows in this format.

        Blocks until the server begins to send. Raises WarehouseError.
        """
        names = {"default_format": form, "query_id": sent.query_id}
        database = {"database": self.database} if self.database else {}
        url = f"{self.address}/?{urlencode({**names, **database, **sent.settings, **sent.values})}"
        request = Request(url, sent.text.encode(), dict(self.sign_in), method="POST")
        try:
            reply: HTTPResponse = opener().open(request, timeout=seconds)
        except HTTPError as error:
            body = body_of(error)
            raise of_reply(error.code, body, str(self), sent.rendered, sent.before) from None
        except (OSError, HTTPException) as error:
            raise self.unreachable(error) from None
        said = reply.headers.get("X-ClickHouse-Format")
        if said not in (None, form):
            reply.close()
            raise incomplete(f"clickhouse was asked for {form} and sends {said}")
        return reply

    def rows(self, sent: Sent) -> list[dict[str, Any]]:
        """The rows of a small statement, by column name."""
        try:
            with self.open(sent, "JSON", self.patience.answer_seconds) as reply:
                answer = json.loads(reply.read())
            return [dict(each) for each in answer["data"]]
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise self.unreachable(error) from None

    def look(self, query_id: str) -> Look:
        """Ask whether this query runs, and on which server."""
        host = "'the cluster'" if self.cluster else "hostName()"
        asked = (
            f"select count() as n, {host} as host from {self._everywhere} "
            f"where query_id = {backslashed(query_id)} and is_initial_query"
        )
        found = self.rows(Sent(asked, f"{query_id}-asked-{time.monotonic_ns()}"))
        return Look(bool(int(found[0]["n"])), str(found[0]["host"]))

    def kill(self, query_id: str) -> None:
        """Ask the server to end a query; each user may end their own."""
        sent = Sent(self.kill_statement(query_id), f"{query_id}-kill-{time.monotonic_ns()}")
        self.rows(sent)

    def kill_statement(self, query_id: str) -> str:
        """The statement that ends a query."""
        where = f" on cluster {backslashed(self.cluster)}" if self.cluster else ""
        return f"kill query{where} where query_id = {backslashed(query_id)} async"

    def unreachable(self, error: Exception) -> WarehouseError:
        reason = str(error) or type(error).__name__
        return WarehouseError(
            f"{self}: no proper answer ({reason}): check HOST, PORT and PROTOCOL, or run it again",
            cause=Cause.NETWORK,
            transient=True,
        )

    @property
    def _everywhere(self) -> str:
        if not self.cluster:
            return "system.processes"
        return f"clusterAllReplicas({backslashed(self.cluster)}, system.processes)"

    def __str__(self) -> str:
        return f"clickhouse {self.address.partition('://')[2]}"

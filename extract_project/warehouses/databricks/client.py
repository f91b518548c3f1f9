"""The requests of the Statement Execution API, and those of sessions.

Statements: https://docs.databricks.com/api/workspace/statementexecution. Sessions are the only way
to set parameters for a statement; the reference does not have them, and Databricks' own clients do
(databricks-sql-connector, `backend/sea/`), from which their requests were taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from extract_project.warehouses.meaning import incomplete, understood
from extract_project.warehouses.rest import Http, RequestRefused

_BASE = "/api/2.0/sql"
_NOT_FOUND = 404
_NO_SESSIONS = ("", "ENDPOINT_NOT_FOUND")

Names = Mapping[str, str]
"""The session, or the catalog and the schema, of a statement."""


@dataclass(frozen=True)
class Link:
    """The address of a chunk, valid for some minutes. Address and headers are secrets."""

    address: str
    headers: Mapping[str, str]
    number: int
    first_row: int | None
    """None, as in `rows`, where the service does not say."""
    rows: int | None
    following: int | None
    """The number of the chunk after it; None behind the last one."""


@dataclass(frozen=True)
class Client:
    """The requests of one SQL warehouse."""

    http: Http
    warehouse_id: str

    def detached(self) -> Client:
        """This client, for the requests that carry out a cancel, which a cancel must not end."""
        return replace(self, http=self.http.detached())

    def open_session(
        self, parameters: Mapping[str, str], catalog: str | None, schema: str | None
    ) -> Names:
        """Open a session with these parameters; returns what to send with each statement.

        That is the session's id. If the service has no sessions, it is catalog and schema alone.
        """
        names = {
            **({"catalog": catalog} if catalog else {}),
            **({"schema": schema} if schema else {}),
        }
        body = {"warehouse_id": self.warehouse_id, "session_confs": parameters, **names}
        try:
            answer = self.http.ask("POST", f"{_BASE}/sessions", body, doing="signing in")
        except RequestRefused as refused:
            if refused.status != _NOT_FOUND or refused.code not in _NO_SESSIONS:
                raise
            return names
        if not answer.get("session_id"):
            raise incomplete("databricks opened a session without an id")
        return {"session_id": str(answer["session_id"])}

    def close_session(self, session_id: str) -> None:
        body = {"warehouse_id": self.warehouse_id, "session_id": session_id}
        self.http.ask("DELETE", f"{_BASE}/sessions/{quote(session_id)}", body)

    def submit(
        self,
        session: Names,
        statement: str,
        parameters: Sequence[Mapping[str, Any]],
        tags: Sequence[Mapping[str, str]],
    ) -> dict[str, Any]:
        """Start a statement; the answer has its id. It is sent once: a second request could run the
        statement twice."""
        body = {
            "warehouse_id": self.warehouse_id,
            **session,
            "statement": statement,
            "disposition": "EXTERNAL_LINKS",
            "format": "ARROW_STREAM",
            "wait_timeout": "0s",
            "query_tags": tags,
            **({"parameters": parameters} if parameters else {}),
        }
        answer = self.http.ask("POST", f"{_BASE}/statements", body, repeatable=False)
        if not answer.get("statement_id"):
            raise incomplete("databricks started a statement without an id")
        return answer

    def statement(self, statement_id: str) -> dict[str, Any]:
        """Its status; if it has succeeded, its manifest too."""
        return self.http.ask("GET", f"{_BASE}/statements/{statement_id}")

    def cancel(self, statement_id: str) -> None:
        """Ask Databricks to end a statement; its status tells when it has ended."""
        self.http.ask("POST", f"{_BASE}/statements/{statement_id}/cancel", {})

    def link(self, statement_id: str, number: int) -> Link:
        """A fresh link to a chunk."""
        answer = self.http.ask(
            "GET",
            f"{_BASE}/statements/{statement_id}/result/chunks/{number}",
            doing="asked for a link to the result",
        )
        with understood("databricks' link to the result"):
            for each in answer.get("external_links") or ():
                if each.get("chunk_index", number) == number and each.get("external_link"):
                    return _link(each, number)
        raise incomplete(f"databricks gave no link to chunk {number} of the result")

    def warehouse_state(self) -> str:
        """The state of the SQL warehouse, as in STARTING.

        Raises WarehouseError, for example without the right to ask.
        """
        answer = self.http.ask("GET", f"{_BASE}/warehouses/{quote(self.warehouse_id)}")
        return str(answer.get("state") or "UNKNOWN")


def _link(said: Mapping[str, Any], number: int) -> Link:
    first_row, rows, following = (
        None if said.get(name) is None else int(said[name])
        for name in ("row_offset", "row_count", "next_chunk_index")
    )
    headers = dict(said.get("http_headers") or {})
    return Link(str(said["external_link"]), headers, number, first_row, rows, following)

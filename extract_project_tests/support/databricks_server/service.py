"""What the API does: sessions, statements in their threads, links to chunks, tokens."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa

from extract_project_tests.support.databricks_server.engine import (
    Answer,
    Engine,
    Interrupted,
    StatementError,
    table,
    value_of,
)
from extract_project_tests.support.http_faults import Faults

Reply = dict[str, Any]
_PARAMETERS = {"ansi_mode", "timezone", "legacy_time_parser_policy", "statement_timeout"}
_ASKED = re.compile(r"set (\w+)")
_OAUTH_SECONDS = 3600


class Refused(Exception):
    """A request that is not accepted: an HTTP status, and the API's code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reply = {"error_code": code, "message": message}


@dataclass
class Statement:
    """A statement, from its start to its end."""

    id: str
    sql: str
    request: Mapping[str, Any]
    session: Mapping[str, str]
    state: str = "PENDING"
    answer: Answer | None = None
    error: StatementError | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass
class Service:
    """A workspace with one SQL warehouse, `abc123`."""

    engine: Engine
    tokens: set[str] = field(default_factory=set)
    clients: dict[str, str] = field(default_factory=dict)
    """Secrets of service principals, by application id."""
    address: str = ""
    has_sessions: bool = True
    running: threading.Event = field(default_factory=threading.Event)
    """Whether the warehouse has started; statements wait for it."""
    cancels_refused: int = 0
    """How many requests to cancel are lost without a word, counted from the first."""
    cancels: int = 0
    faults: Faults = field(default_factory=Faults)
    parameters: dict[str, str] = field(
        default_factory=lambda: {
            "ansi_mode": "true",
            "timezone": "UTC",
            "legacy_time_parser_policy": "EXCEPTION",
        }
    )
    """Those of the workspace, which hold where a session sets nothing."""
    passes_over: tuple[str, ...] = ()
    """Parameters of which a session takes no notice."""
    statements: list[Statement] = field(default_factory=list)
    asking: list[Statement] = field(default_factory=list)
    """The statements that ask for a parameter."""
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    closed_sessions: int = 0
    issued: int = 0
    """The number of OAuth tokens that were given out."""
    links: int = 0
    """The number of links that were given out."""
    link_generation: int = 0
    """Links of an earlier generation have expired."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.running.set()

    # What a test can make happen.

    def expire_links(self) -> None:
        """Refuse all links that were given out so far."""
        self.link_generation += 1

    def expire_tokens(self) -> None:
        """Refuse all tokens that OAuth has given out so far."""
        self.tokens = {each for each in self.tokens if not each.startswith("oauth-")}

    # The protocol's requests.

    def issue(self, client_id: str, secret: str, form: Mapping[str, str]) -> Reply:
        if self.clients.get(client_id) != secret:
            raise Refused(401, "invalid_client", "Client authentication failed")
        if form != {"grant_type": "client_credentials", "scope": "all-apis"}:
            raise Refused(400, "invalid_request", f"unexpected form {form}")
        self.issued += 1
        token = f"oauth-{self.issued}"
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": _OAUTH_SECONDS}

    def require(self, token: str) -> None:
        if token not in self.tokens:
            raise Refused(
                401, "UNAUTHENTICATED", "Credential was not sent or was of an unknown type"
            )

    def open_session(self, body: Mapping[str, Any]) -> Reply:
        if not self.has_sessions:
            raise Refused(404, "ENDPOINT_NOT_FOUND", "No API found for 'POST /sql/sessions'")
        self._require_warehouse(body)
        given = dict(body.get("session_confs") or {})
        unknown = given.keys() - _PARAMETERS
        if unknown:
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"unknown {sorted(unknown)}")
        session_id = uuid4().hex
        self.sessions[session_id] = {
            name: value for name, value in given.items() if name not in self.passes_over
        }
        return {"session_id": session_id}

    def close_session(self, session_id: str) -> Reply:
        self.closed_sessions += self.sessions.pop(session_id, None) is not None
        return {}

    def submit(self, body: Mapping[str, Any]) -> Reply:
        self._require_warehouse(body)
        if (body["disposition"], body["format"]) != ("EXTERNAL_LINKS", "ARROW_STREAM"):
            raise Refused(400, "INVALID_PARAMETER_VALUE", "this double has no other form of result")
        session = self.sessions.get(str(body["session_id"])) if "session_id" in body else {}
        if session is None:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "there is no such session")
        statement = Statement(str(uuid4()), str(body["statement"]), body, session)
        asks = _ASKED.fullmatch(statement.sql)
        (self.asking if asks else self.statements).append(statement)
        pending = self._reply(statement)  # also where the statement would be done meanwhile
        threading.Thread(target=self._run, args=(statement,), daemon=True).start()
        return pending

    def status(self, statement_id: str) -> Reply:
        return self._reply(self._statement(statement_id))

    def cancel(self, statement_id: str) -> Reply:
        """Answers at once, whether or not it helps."""
        self.cancels += 1
        if self.cancels > self.cancels_refused:
            self._finish(self._statement(statement_id), "CANCELED")
        return {}

    def cancel_all(self) -> None:
        """End what still runs, when the server stops: nobody else would."""
        for statement in [*self.statements, *self.asking]:
            self._finish(statement, "CANCELED")

    def link(self, statement_id: str, number: int) -> Reply:
        statement = self._statement(statement_id)
        if statement.state != "SUCCEEDED":
            raise Refused(404, "NOT_FOUND", f"the statement is {statement.state}")
        return self._result(statement, number)

    def warehouse(self) -> Reply:
        return {"id": "abc123", "state": "RUNNING" if self.running.is_set() else "STARTING"}

    def chunk(self, statement_id: str, number: int, generation: int) -> bytes | None:
        """The body behind a link; None if it has expired."""
        answer = self._statement(statement_id).answer
        if answer is None or generation < self.link_generation:
            return None
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, answer.schema) as writer:
            writer.write_batch(answer.chunks[number])
        return bytes(sink.getvalue())

    # Inside.

    def _require_warehouse(self, body: Mapping[str, Any]) -> None:
        if body.get("warehouse_id") != "abc123":
            raise Refused(
                404, "NOT_FOUND", f"SQL warehouse {body.get('warehouse_id')} does not exist"
            )

    def _statement(self, statement_id: str) -> Statement:
        known = (*self.statements, *self.asking)
        found = next((each for each in known if each.id == statement_id), None)
        if found is None:
            raise Refused(404, "NOT_FOUND", f"there is no statement {statement_id}")
        return found

    def _run(self, statement: Statement) -> None:
        """The statement's own thread, with the server's own timeout."""
        while not self.running.wait(0.02):
            if statement.done.is_set():
                return
        cursor = self.engine.cursor()
        ended = threading.Event()
        threading.Thread(target=_interrupt, args=(statement, cursor, ended), daemon=True).start()
        limit = float(statement.session.get("statement_timeout") or 172_800)
        timer = threading.Timer(limit, self._time_out, (statement,))
        timer.daemon = True
        timer.start()
        with self._lock:
            if not statement.done.is_set():
                statement.state = "RUNNING"
        try:
            parameters = statement.request.get("parameters") or ()
            values = {each["name"]: value_of(each) for each in parameters}
            parameters_now = {**self.parameters, **statement.session}
            if asks := _ASKED.fullmatch(statement.sql):
                answer = _told(asks[1], parameters_now)
            else:
                answer = self.engine.run(cursor, statement.sql, values, parameters_now["timezone"])
            self._finish(statement, "SUCCEEDED", answer=answer)
        except StatementError as error:
            self._finish(statement, "FAILED", error=error)
        except Interrupted:
            pass
        finally:
            ended.set()
            timer.cancel()

    def _time_out(self, statement: Statement) -> None:
        message = "[STATEMENT_TIMEOUT] The statement ran longer than STATEMENT_TIMEOUT."
        self._finish(statement, "FAILED", error=StatementError("57KD0", message))

    def _finish(
        self,
        statement: Statement,
        state: str,
        answer: Answer | None = None,
        error: StatementError | None = None,
    ) -> None:
        with self._lock:
            if not statement.done.is_set():
                statement.state, statement.answer, statement.error = state, answer, error
                statement.done.set()

    def _reply(self, statement: Statement) -> Reply:
        reply: Reply = {"statement_id": statement.id, "status": {"state": statement.state}}
        if statement.error:
            error = statement.error
            reply["status"] |= {
                "sql_state": error.sqlstate,
                "error": {"error_code": error.code, "message": error.message},
            }
        if statement.answer and statement.state == "SUCCEEDED":
            reply["manifest"] = _manifest(statement.answer)
            if statement.answer.chunks:
                reply["result"] = self._result(statement, 0)
        return reply

    def _result(self, statement: Statement, number: int) -> Reply:
        assert statement.answer is not None
        chunks = statement.answer.chunks
        if not 0 <= number < len(chunks):
            raise Refused(404, "NOT_FOUND", f"there is no chunk {number}")
        self.links += 1
        expiration = datetime.now(UTC) + timedelta(minutes=15)
        path = f"/external/{statement.id}/{number}/{self.link_generation}"
        link = {
            "chunk_index": number,
            "row_offset": sum(each.num_rows for each in chunks[:number]),
            "row_count": chunks[number].num_rows,
            "byte_count": chunks[number].nbytes,
            "external_link": f"{self.address}{path}?X-Amz-Signature=hunter2",
            "expiration": expiration.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "http_headers": {"x-amz-server-side-encryption-customer-key": "hunter2"},
        }
        if number + 1 < len(chunks):
            link["next_chunk_index"] = number + 1
        return {"external_links": [link]}


def _told(name: str, parameters: Mapping[str, str]) -> Answer:
    """The answer to `set <name>`."""
    told = {"key": name, "value": parameters.get(name, "<undefined>")}
    return table({column: ("STRING", pa.array([text])) for column, text in told.items()})


def _manifest(answer: Answer) -> Reply:
    offsets = [0]
    for each in answer.chunks:
        offsets.append(offsets[-1] + each.num_rows)
    manifest: Reply = {
        "format": "ARROW_STREAM",
        "schema": {
            "column_count": len(answer.types),
            "columns": [
                {
                    "name": name,
                    "position": position,
                    "type_name": kind.partition("<")[0].partition("(")[0],
                    "type_text": kind,
                }
                for position, (name, kind) in enumerate(
                    zip(answer.schema.names, answer.types, strict=True)
                )
            ],
        },
        "total_chunk_count": len(answer.chunks),
        "chunks": [
            {
                "chunk_index": number,
                "row_offset": offsets[number],
                "row_count": each.num_rows,
                "byte_count": each.nbytes,
            }
            for number, each in enumerate(answer.chunks)
        ],
        "total_row_count": offsets[-1],
        "total_byte_count": sum(each.nbytes for each in answer.chunks),
        "truncated": False,
    }
    manifest |= answer.manifest
    return {key: value for key, value in manifest.items() if key not in answer.without}


def _interrupt(statement: Statement, cursor: Any, ended: threading.Event) -> None:
    """Interrupt an abandoned statement, repeatedly: DuckDB ignores an interrupt that comes before
    it has begun.
    """
    statement.done.wait()
    while not ended.wait(0.02):
        cursor.interrupt()

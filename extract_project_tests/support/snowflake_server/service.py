"""The service behind the protocol: sessions, queries and results, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from extract_project_tests.support.http_faults import Faults
from extract_project_tests.support.snowflake_server.engine import (
    CANCELLED,
    Answer,
    Engine,
    SnowflakeError,
)
from extract_project_tests.support.snowflake_server.parameters import Parameters, applied
from extract_project_tests.support.snowflake_server.wire import Column

Reply = dict[str, Any]
_SELECT = 4096
_RENEW = "390112"
_GONE = "390111"


@dataclass
class Session:
    """One session, from its sign-in."""

    id: int
    user: str
    given: Parameters
    token: str = field(default_factory=lambda: uuid4().hex)
    master: str = field(default_factory=lambda: uuid4().hex)
    state: str = "open"
    """`open`, `expired` (its token wants renewal) or `gone`."""

    @property
    def parameters(self) -> dict[str, str]:
        """The effective value of each parameter in this session."""
        return self.given.values


@dataclass
class Query:
    """One statement, running or done."""

    id: str
    sql: str
    binds: Sequence[Any]
    session: Session
    parameters: Mapping[str, Any]
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: SnowflakeError | None = None

    @property
    def tag(self) -> str:
        """As QUERY_HISTORY would show it."""
        return str(self.parameters.get("QUERY_TAG") or self.session.parameters.get("QUERY_TAG", ""))

    @property
    def state(self) -> str:
        if not self.done.is_set():
            return "RUNNING"
        if self.error is None:
            return "SUCCESS"
        return "ABORTED" if self.error is CANCELLED else "FAILED_WITH_ERROR"


@dataclass
class Service:
    """All state of one server. What tests read or set is public."""

    engine: Engine = field(default_factory=Engine)
    passwords: dict[str, str] = field(default_factory=lambda: {"LOADER": "secret"})
    tokens: set[str] = field(default_factory=set)
    """OAuth and programmatic access tokens that are accepted."""
    public_keys: dict[str, Any] = field(default_factory=dict)
    """RSA public keys by user."""
    account_parameters: dict[str, str] = field(default_factory=dict)
    user_parameters: dict[str, str] = field(default_factory=dict)
    """Parameters set by `alter account set …` and `alter user set …`."""
    unsettable: set[str] = field(default_factory=set)
    """Parameters that this account ignores when a session sets them."""
    address: str = ""
    """The server's own address, which it sets itself: chunks have absolute addresses."""
    hold: float = 5.0
    """How long a request waits for its query before it answers `in progress`, in seconds."""
    inline_rows: bool = True
    """Whether the reply contains the first chunk, as Snowflake's does."""
    monitored: Reply = field(default_factory=dict)
    """Further fields of the reply to a request for the status of a query."""
    aborts: int = 0
    """The number of requests to abort a query."""
    aborts_refused: int = 0
    """How many of them are refused, counted from the first."""
    faults: Faults = field(default_factory=Faults)
    sessions: list[Session] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    logins: list[Reply] = field(default_factory=list)
    url_generation: int = 0
    """The generation of chunk addresses; addresses of an earlier generation are invalid."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._by_request: dict[str, Query] = {}
        self._bodies: dict[tuple[int, int], bytes] = {}

    # What a test can make happen.

    def expire_sessions(self) -> None:
        """Expire the tokens of all sessions; they must be renewed (390112)."""
        for session in self.sessions:
            session.state = "expired"

    def end_sessions(self) -> None:
        """End all sessions (390111)."""
        for session in self.sessions:
            session.state = "gone"

    def expire_urls(self) -> None:
        """Refuse all addresses of chunks that were given out so far (403)."""
        self.url_generation += 1

    # The protocol's requests.

    def login(self, data: Mapping[str, Any]) -> Reply:
        self.logins.append(dict(data))
        user = str(data.get("LOGIN_NAME") or "").upper()
        refusal = self._refusal(user, data)
        if refusal:
            return _failed(SnowflakeError(*refusal))
        with self._lock:
            given = {
                name: str(value)
                for name, value in dict(data.get("SESSION_PARAMETERS") or {}).items()
                if name not in self.unsettable
            }
            parameters = Parameters(self.account_parameters, self.user_parameters, given)
            session = Session(len(self.sessions) + 1, user, parameters)
            self.sessions.append(session)
        shown = ("TIMEZONE", "CLIENT_PREFETCH_THREADS")
        return _succeeded(
            {
                "token": session.token,
                "masterToken": session.master,
                "sessionId": session.id,
                "validityInSeconds": 3600,
                "masterValidityInSeconds": 14400,
                "parameters": [
                    {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    *({"name": name, "value": session.parameters[name]} for name in shown),
                ],
                "sessionInfo": {},
            }
        )

    def _refusal(self, user: str, data: Mapping[str, Any]) -> tuple[str, str, str] | None:
        method = data.get("AUTHENTICATOR")
        if method == "SNOWFLAKE_JWT":
            if not self._signed_by(user, str(data.get("TOKEN"))):
                return ("390144", "08001", "JWT token is invalid.")
        elif method in ("OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"):
            if data.get("TOKEN") not in self.tokens:
                return ("390303", "08001", "Invalid OAuth access token.")
        elif method == "WORKLOAD_IDENTITY":
            if data.get("PROVIDER") not in ("AWS", "OIDC"):
                return ("390100", "08001", "Workload identity is not configured.")
        elif self.passwords.get(user) != data.get("PASSWORD"):
            return ("390100", "08001", "Incorrect username or password was specified.")
        return None

    def _signed_by(self, user: str, token: str) -> bool:
        import base64

        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        signed, _, signature = token.rpartition(".")
        key = self.public_keys.get(user)
        if key is None:
            return False
        padded = signature + "=" * (-len(signature) % 4)
        try:
            key.verify(base64.urlsafe_b64decode(padded), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def renew(self, master: str) -> Reply:
        for session in self.sessions:
            if session.master == master and session.state != "gone":
                session.token, session.state = uuid4().hex, "open"
                return _succeeded(
                    {
                        "sessionToken": session.token,
                        "masterToken": session.master,
                        "sessionId": session.id,
                        "validityInSecondsST": 3600,
                        "validityInSecondsMT": 14400,
                    }
                )
        return _failed(SnowflakeError("390114", "08001", "Authentication token has expired."))

    def end_session(self, token: str) -> Reply:
        for session in self.sessions:
            if session.token == token:
                session.state = "gone"
        return _succeeded(None)

    def submit(self, token: str, request_id: str, body: Mapping[str, Any]) -> Reply:
        session = self._session(token)
        if isinstance(session, SnowflakeError):
            return _failed(session)
        sql, binds = str(body["sqlText"]), _binds(body.get("bindings") or {})
        if body.get("describeOnly"):
            return self._describe(session, sql, binds)
        if (answer := self._about_the_session(session, sql)) is not None:
            return _succeeded(self._data(str(uuid4()), answer))
        query = self._by_request.get(request_id)
        if query is None:
            query = Query(str(uuid4()), sql, binds, session, body.get("parameters") or {})
            self._by_request[request_id] = query
            self.queries.append(query)
            threading.Thread(target=self._run, args=(query,), daemon=True).start()
        if body.get("asyncExec"):
            return _in_progress(query, "333334")
        return self._reply(query)

    def _about_the_session(self, session: Session, sql: str) -> Answer | None:
        """What needs no warehouse, and is not among the `queries`."""
        words = sql.casefold().split()
        if words[:2] == ["show", "parameters"]:
            columns, rows = session.given.rows()
            return Answer(columns, [], rowset=rows)
        if words[:3] == ["alter", "session", "set"]:
            session.given.alter(sql)
            return Answer([Column("status", "TEXT", length=100)], [], rowset=[["done"]])
        return None

    def result(self, token: str, query_id: str) -> Reply:
        session = self._session(token)
        if isinstance(session, SnowflakeError):
            return _failed(session)
        query = self._query(query_id)
        if query is None:
            return _failed(SnowflakeError("000612", "02000", "Result not found"))
        return self._reply(query)

    def status(self, query_id: str) -> Reply:
        query = self._query(query_id)
        if query is None:
            return _succeeded({"queries": []})
        error = query.error
        return _succeeded(
            {
                "queries": [
                    {
                        "id": query.id,
                        "status": query.state,
                        **self.monitored,
                        "errorCode": error.code if error else None,
                        "errorMessage": error.message if error else None,
                    }
                ]
            }
        )

    def abort(self, query_id: str) -> Reply:
        query = self._query(query_id)
        self.aborts += 1
        if self.aborts <= self.aborts_refused:
            return _failed(SnowflakeError("000603", "XX000", "not now"))
        if query is None or query.done.is_set():
            return _failed(
                SnowflakeError(
                    "000605", "02000", "Identified SQL statement is not currently executing."
                )
            )
        self._finish(query, error=CANCELLED)
        return _succeeded(None)

    def abort_all(self) -> None:
        """End what still runs, when the server stops: nobody else would."""
        for query in list(self.queries):
            self._finish(query, error=CANCELLED)

    def chunk(self, query_id: str, number: int, generation: int) -> bytes | None:
        """The compressed body of a chunk; None if its address is no longer valid."""
        query = self._query(query_id)
        if query is None or query.answer is None or generation < self.url_generation:
            return None
        chunks = query.answer.chunks
        key = (id(query.answer), number % len(chunks))
        if key not in self._bodies:
            self._bodies[key] = chunks[number % len(chunks)].compressed()
        return self._bodies[key]

    # Inside.

    def _session(self, token: str) -> Session | SnowflakeError:
        for session in self.sessions:
            if session.token == token:
                if session.state == "open":
                    return session
                if session.state == "expired":
                    return SnowflakeError(_RENEW, "08001", "Session token has expired.")
                break
        return SnowflakeError(_GONE, "08001", "Session no longer exists. New login required.")

    def _query(self, query_id: str) -> Query | None:
        return next((each for each in self.queries if each.id == query_id), None)

    def _describe(self, session: Session, sql: str, binds: Sequence[Any]) -> Reply:
        try:
            cursor = self.engine.cursor()
            answer = self.engine.describe(cursor, sql, binds, session.parameters)
        except SnowflakeError as error:
            return _failed(error)
        return _succeeded(self._data(str(uuid4()), answer))

    def _run(self, query: Query) -> None:
        """The statement's own thread, with the server's own timeout."""
        cursor = self.engine.cursor()
        ended = threading.Event()
        threading.Thread(target=_interrupt, args=(query, cursor, ended), daemon=True).start()
        limit = query.parameters.get(
            "STATEMENT_TIMEOUT_IN_SECONDS",
            query.session.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS"),
        )
        timer = threading.Timer(float(limit or 172_800), self._time_out, (query, limit))
        timer.daemon = True
        timer.start()
        try:
            values = {**query.session.parameters, **query.parameters}
            answer = self.engine.run(cursor, query.sql, query.binds, values, query.id)
            chunks = applied(answer.columns, answer.chunks, values)
            self._finish(query, answer=replace(answer, chunks=chunks))
        except SnowflakeError as error:
            self._finish(query, error=error)
        finally:
            ended.set()
            timer.cancel()

    def _time_out(self, query: Query, limit: Any) -> None:
        message = (
            f"Statement reached its statement or warehouse timeout of {limit} second(s) "
            f"and was canceled."
        )
        self._finish(query, error=SnowflakeError("000630", "57014", message))

    def _finish(
        self, query: Query, answer: Answer | None = None, error: SnowflakeError | None = None
    ) -> None:
        with self._lock:
            if not query.done.is_set():
                query.answer, query.error = answer, error
                query.done.set()

    def _reply(self, query: Query) -> Reply:
        deadline = time.monotonic() + self.hold
        while not query.done.wait(0.02):
            if query.session.state == "gone":
                return _failed(SnowflakeError(_GONE, "08001", "Session no longer exists."))
            if time.monotonic() >= deadline:
                return _in_progress(query, "333333")
        if query.error is not None:
            return _failed(query.error, query.id)
        assert query.answer is not None
        return _succeeded(self._data(query.id, query.answer))

    def _data(self, query_id: str, answer: Answer) -> Reply:
        first = answer.chunks[0] if answer.chunks and self.inline_rows else None
        data: Reply = {
            "queryId": query_id,
            "statementTypeId": _SELECT,
            "rowtype": [column.rowtype() for column in answer.columns],
            "queryResultFormat": "arrow",
            "rowsetBase64": first.inline if first else "",
            "total": answer.rows,
            "returned": answer.rows,
            "parameters": [],
        }
        if answer.rowset is not None:
            data |= {"queryResultFormat": "json", "rowset": answer.rowset}
        start = 1 if first else 0
        if len(answer.chunks) * answer.times > start:
            data["chunkHeaders"] = {"x-amz-server-side-encryption-customer-key": "k"}
            data["chunks"] = [
                {
                    "url": f"{self.address}/chunks/{query_id}/{number}/{self.url_generation}",
                    "rowCount": each.rows,
                    "uncompressedSize": len(each.stream),
                    "compressedSize": len(each.stream) // 4,
                }
                for number in range(start, len(answer.chunks) * answer.times)
                for each in (answer.chunks[number % len(answer.chunks)],)
            ]
        return {key: value for key, value in data.items() if key not in answer.without}


def _interrupt(query: Query, cursor: Any, ended: threading.Event) -> None:
    """Interrupt an abandoned query, repeatedly: DuckDB ignores an interrupt that comes before it
    has begun.
    """
    query.done.wait()
    while not ended.wait(0.02):
        cursor.interrupt()


def _binds(bindings: Mapping[str, Any]) -> list[Any]:
    ordered = sorted(bindings.items(), key=lambda item: int(item[0]))
    return [_bound(bind["type"], bind["value"]) for _, bind in ordered]


def _bound(kind: str, value: str | None) -> Any:
    if value is None:
        return None
    if kind == "FIXED":
        return Decimal(value) if "." in value else int(value)
    if kind == "REAL":
        return float(value)
    if kind == "BOOLEAN":
        return value.lower() == "true"
    if kind == "DATE":
        return date(1970, 1, 1) + timedelta(milliseconds=int(value))
    if kind.startswith("TIMESTAMP"):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value) // 1000)
    return value


def _succeeded(data: Any) -> Reply:
    return {"success": True, "code": None, "message": None, "data": data}


def _failed(error: SnowflakeError, query_id: str | None = None) -> Reply:
    return {
        "success": False,
        "code": error.code,
        "message": error.message,
        "data": {"sqlState": error.sqlstate, "queryId": query_id or str(UUID(int=0))},
    }


def _in_progress(query: Query, code: str) -> Reply:
    """333333: still running; 333334: started asynchronously."""
    return {
        "success": code == "333334",
        "code": code,
        "message": "Query execution in progress.",
        "data": {"queryId": query.id, "getResultUrl": f"/queries/{query.id}/result"},
    }

"""One connection to a server of PostgreSQL's protocol, with libpq's non-blocking calls.

libpq's blocking calls hold Python's lock, or delay a signal, until the server has answered
(measured: describing a statement did, as long as the network was silent). So every wait is on the
socket, in Python: other threads run, signal handlers run, and `cancel` is noticed.

libpq frees the memory of a connection when it is closed, and psycopg calls libpq without Python's
lock. So every call holds a lock of ours, which `close` waits for: a thread that still reads then
gets an error, and does not end the process.

An author's statement is sent by the extended protocol, in which the server takes one at a time:
whatever the text holds, a second statement in it is an error.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from extract_project.errors import QueryCancelled

if TYPE_CHECKING:
    from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

_POLL_MILLISECONDS = 500
_GRACE_SECONDS = 5.0
"""Seconds that the server may take to answer after its query has been cancelled."""
_STATEMENT = b""
"""The unnamed prepared statement, since a pooled connection could already use another name."""


class Column(NamedTuple):
    """A column of a statement's result, as the server describes it."""

    name: str
    type: int
    """The object identifier of its type; for a domain, of its base type."""
    modifier: int
    table: int = 0
    """Object identifier of the table or view that it is a column of; 0 if it is computed."""
    number: int = 0
    """Its number in that table."""


class Connection:
    """One statement at a time; `cancel` from any thread. Raises psycopg's errors."""

    def __init__(self, server: PGconn) -> None:
        server.nonblocking = 1
        self._server = server
        self._calling = threading.RLock()
        """Held in each call of libpq. No call waits for the network, so none holds it for long."""
        self._cancelled = threading.Event()
        self._cancelled_at = 0.0
        self._sent_at = 0.0
        self._readable = _poller(server, select.POLLIN)
        self._writable = _poller(server, select.POLLIN | select.POLLOUT)

    def fileno(self) -> int:
        with self._calling:
            return self._server.socket

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def backend(self) -> int:
        """The process id of the server process."""
        with self._calling:
            return self._server.backend_pid

    @property
    def is_active(self) -> bool:
        """Whether a statement has been sent, and its end has not been read."""
        from psycopg import Error, pq

        try:
            with self._calling:
                return self._server.transaction_status == pq.TransactionStatus.ACTIVE
        except Error:  # the connection is closed
            return False

    @property
    def elapsed(self) -> float:
        """Seconds since the last statement was sent, at least as many as the server counts."""
        return time.monotonic() - self._sent_at

    def query(self, sql: str, values: Sequence[str] = ()) -> list[tuple[str | None, ...]]:
        """The rows of a statement, as text, with `values` for `$1`, `$2`, …"""
        self._begin()
        with self._calling:
            self._server.send_query_params(sql.encode(), [value.encode() for value in values])
        result = self._ended()
        return [
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        ]

    def describe(self, sql: str, types: Sequence[int] = ()) -> list[Column]:
        """The columns of a statement, which is parsed but does not run.

        `types`: object identifiers of the types of `$1`, `$2`, …; by default the server finds
        them. In a transaction, the tables that it names stay locked: until it ends, none of them
        changes its columns.
        """
        self._begin()
        with self._calling:
            self._server.send_prepare(_STATEMENT, sql.encode(), types or None)
        self._ended()
        self._begin()
        with self._calling:
            self._server.send_describe_prepared(_STATEMENT)
        return columns_of(self._ended())

    def script(self, sql: str) -> None:
        """Run statements of ours, separated by semicolons, that return nothing."""
        self._begin()
        with self._calling:
            self._server.send_query(sql.encode())
        self._ended()

    def cancel(self) -> None:
        """End the running statement, and every later one before it is sent."""
        from psycopg import Error

        if not self._cancelled.is_set():
            self._cancelled_at = time.monotonic()
            self._cancelled.set()
        try:
            if self.is_active:
                with self._calling:
                    request = self._server.cancel_conn()
                _send(request)
        except Error:  # the connection is lost, and with it the statement
            return

    def close(self) -> None:
        """Close the connection; the server rolls back the transaction.

        A statement that waits for a lock does not notice the end of the connection, so it is
        cancelled.
        """
        try:
            if not self._cancelled.is_set():
                self.cancel()
        finally:
            with self._calling:
                self._server.finish()

    def _begin(self) -> None:
        if self._cancelled.is_set():
            raise QueryCancelled("the run was stopped before the next statement was sent")
        self._sent_at = time.monotonic()

    def _ended(self) -> PGresult:
        """The result of the statement that was sent last."""
        self._flush()
        result = checked(self._next())
        while (more := self._next()) is not None:
            result = checked(more)
        return result

    def _flush(self) -> None:
        """Send all pending data, and read what the server sends meanwhile."""
        while self._has_unsent():
            self._wait(self._writable)
            self._consume()

    def _has_unsent(self) -> bool:
        with self._calling:
            return bool(self._server.flush())

    def _next(self) -> PGresult | None:
        while True:
            with self._calling:
                if not self._server.is_busy():
                    return self._server.get_result()
            self._wait(self._readable)
            self._consume()

    def _consume(self) -> None:
        """Take what the network has brought; raises psycopg's error if the connection is lost."""
        with self._calling:
            self._server.consume_input()

    def _wait(self, poller: select.poll) -> None:
        """Wait for the socket, half a second at most."""
        late = time.monotonic() - self._cancelled_at
        if self._cancelled.is_set() and late > _GRACE_SECONDS:
            raise QueryCancelled("the query was cancelled, but the server did not confirm it")
        poller.poll(_POLL_MILLISECONDS)


def columns_of(result: PGresult) -> list[Column]:
    """The columns of a description, or of rows."""
    return [
        Column(
            (result.fname(i) or b"").decode(),
            result.ftype(i),
            result.fmod(i),
            result.ftable(i),
            result.ftablecol(i),
        )
        for i in range(result.nfields)
    ]


def _poller(server: PGconn, events: int) -> select.poll:
    poller = select.poll()
    poller.register(server.socket, events)
    return poller


def checked(result: PGresult | None) -> PGresult:
    """The result; if it is an error, raise psycopg's exception for its code."""
    from psycopg import OperationalError, errors, pq

    if result is None:
        raise OperationalError("the server returned no result")
    if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
        raise errors.error_from_result(result)
    return result


def _send(request: PGcancelConn) -> None:
    """Ask the server, over a separate connection, to end a connection's statement."""
    from psycopg import pq

    try:
        request.start()
        end = time.monotonic() + _GRACE_SECONDS
        while (state := request.poll()) not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
            reading = state == pq.PollingStatus.READING
            poller = select.poll()
            poller.register(request.socket, select.POLLIN if reading else select.POLLOUT)
            poller.poll(_POLL_MILLISECONDS)
            if time.monotonic() > end:
                return
    finally:
        request.finish()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()

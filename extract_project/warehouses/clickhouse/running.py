"""One query, from its start to the end of its rows.

A request blocks until the server begins to send, and then whenever it has no more rows yet. So
each is in a thread, and whoever waits looks whether the run has been cancelled: then the query is
killed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPResponse
from typing import Any, TypeVar

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.clickhouse.client import Client, Sent
from extract_project.warehouses.meaning import incomplete
from extract_project.warehouses.waiting import Cancellation, answer_of, begin, is_confirmed

T = TypeVar("T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_FIRST_LOOK = 2.0


class Running:
    """A query that the server runs."""

    def __init__(
        self, client: Client, cancellation: Cancellation, sent: Sent, seconds: float
    ) -> None:
        """`seconds`: how long the query may be silent."""
        self._client = client
        self._cancellation = cancellation
        self._sent = sent
        self._seconds = seconds
        self._host: str | None = None
        """The server that was last seen running the query."""
        self._has_ended = False
        self._work: Future[Any] | None = None
        self._reply: Future[HTTPResponse] | None = None

    def start(self, form: str) -> HTTPResponse:
        """Send the query, and wait until the server begins to answer in this format."""
        self._cancellation.require_not()
        self._reply = begin("query", lambda: self._client.open(self._sent, form, self._seconds))
        try:
            return self._awaited(self._reply)
        except QueryCancelled:
            raise
        except Exception:  # the server has ended it itself
            self._has_ended = True
            raise

    def read(self, work: Callable[[], T]) -> T:
        """Do a piece of work that reads the answer, in a thread; a cancel ends the wait for it."""
        self._work = reading = begin("rows", work)
        return self._awaited(reading)

    def finish(self) -> None:
        """Record that the answer has been read to its end, so that nothing has to be killed."""
        self._has_ended = True

    def abort(self) -> None:
        """Kill the query, and make sure that it has ended.

        If the server does not confirm the end, raises QueryCancelled with the statement to run by
        hand.
        """
        if self._has_ended or self._reply is None:
            return
        self._has_ended = True
        if self._work is None or self._work.done():
            self._hang_up()  # a server that waits for us to read sees no kill
        seconds = self._client.patience.abort_seconds
        if not is_confirmed(self._is_killed, seconds, _FIRST_PAUSE, _LONGEST_PAUSE):
            query_id = self._sent.query_id
            raise QueryCancelled(
                f"the run was stopped, but clickhouse has not confirmed that query {query_id} has "
                f"ended: it ends at its timeout; to end it now, run: "
                f"{self._client.kill_statement(query_id)}"
            )
        self._hang_up_later()

    def _awaited(self, outcome: Future[T]) -> T:
        """Wait for a result; if the server is silent, ask it whether the query still runs."""
        patience = self._client.patience
        seconds = min(_FIRST_LOOK, patience.stall_seconds)
        was_gone = False
        while True:
            try:
                return self._cancellation.result(outcome, seconds)
            except QueryCancelled:
                self.abort()
                raise
            except TimeoutError:
                if outcome.done():
                    raise
                seconds = patience.stall_seconds
                is_gone = answer_of(self._is_gone, patience.answer_seconds)
                if is_gone and was_gone:
                    raise incomplete(
                        f"{self._client} has stopped answering, and no longer runs the query"
                    ) from None
                was_gone = is_gone

    def _is_gone(self) -> bool:
        """Whether the server that ran the query no longer runs it.

        The answer of another server means nothing.
        """
        try:
            look = self._client.look(self._sent.query_id)
        except WarehouseError:
            return self._host is not None
        if look.runs:
            self._host = look.host
        return not look.runs and look.host == self._host

    def _is_killed(self, seconds: float) -> bool:
        """Kill the query, and ask whether it has ended.

        A query that has not begun to answer may not have begun to run. It counts as running, so the
        caller kills it again.
        """
        reply = self._reply

        def ask() -> bool:
            self._client.kill(self._sent.query_id)
            is_there = self._client.look(self._sent.query_id).runs
            return reply is not None and reply.done() and not is_there

        return answer_of(ask, seconds)

    def _hang_up(self) -> None:
        if self._reply is not None and self._reply.done() and not self._reply.exception():
            self._reply.result().close()

    def _hang_up_later(self) -> None:
        """Close the reply once no other thread reads it: closing would wait for that thread."""
        if self._work is not None:
            self._work.add_done_callback(lambda _: self._hang_up())
        else:
            self._hang_up()

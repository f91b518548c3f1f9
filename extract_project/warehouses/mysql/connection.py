"""One connection to a MySQL or MariaDB server, and the statements on it.

Statements of an author are prepared at the server and executed with their values beside the text
(`COM_STMT_PREPARE`, `COM_STMT_EXECUTE`): the server takes exactly one statement, says what its
columns are before it runs, and sends rows in the binary protocol, which is exact for every type.
(In the text protocol a FLOAT has six digits.) Rows are sent as they are found, and no faster than
they are read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from struct import pack

from extract_project.errors import QueryCancelled
from extract_project.prefetch import in_thread
from extract_project.values import Value
from extract_project.warehouses.mysql.authentication import NotPossible
from extract_project.warehouses.mysql.columns import Column, column
from extract_project.warehouses.mysql.fields import Fields
from extract_project.warehouses.mysql.parameters import bound
from extract_project.warehouses.mysql.server_error import ServerError, server_error
from extract_project.warehouses.mysql.sign_in import SignedIn
from extract_project.warehouses.mysql.wire import Block, Lost

_QUIT, _QUERY, _PREPARE, _EXECUTE, _CLOSE = b"\1", b"\3", b"\x16", b"\x17", b"\x19"
_NO_CURSOR_ONCE = pack("<BI", 0, 1)
_END, _ERROR = 254, 255
_LONGEST_END = 8
"""Bytes of a packet that says that nothing follows; a longer one that begins so is a row."""
_GRACE_SECONDS = 5.0
"""Seconds that the server may take to answer after its query has been cancelled."""
_WHO = "select connection_id(), @@hostname, @@port, @@server_id"


@dataclass(frozen=True)
class Prepared:
    """A statement that the server has read, and not run."""

    id: bytes
    columns: tuple[Column, ...]


class Connection:
    """One statement at a time; `cancel` from any thread. Raises ServerError and Lost."""

    def __init__(self, signed_in: SignedIn, another: Callable[[], SignedIn]) -> None:
        """`another` makes a second connection to the same server, as the same user."""
        self._wire = signed_in.wire
        self._wire.pause = self._pause
        self._another = another
        self._cancelled = threading.Event()
        self._cancelled_at = 0.0
        self._sent_at = 0.0
        self._is_running = False
        self._who: tuple[str | None, ...] = ()
        self.version = signed_in.version
        self.warnings = 0
        """The number of warnings of the last statement, once its rows have been read."""
        (self._who,) = self.query(_WHO)

    @property
    def id(self) -> str:
        return str(self._who[0])

    @property
    def is_mariadb(self) -> bool:
        return "mariadb" in self.version.lower()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def elapsed(self) -> float:
        """Seconds since the last statement was sent, at least as many as the server counts."""
        return time.monotonic() - self._sent_at

    def query(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a small statement of ours, as text."""
        self._begin(_QUERY + sql.encode())
        columns = self._columns_of_result()
        rows: list[tuple[str | None, ...]] = []
        while columns and not self._is_end(payload := self._receive()):
            fields = Fields(payload)
            values = [fields.value() for _ in columns]
            rows.append(tuple(None if each is None else each.decode() for each in values))
        self._is_running = False
        return rows

    def prepare(self, sql: str) -> Prepared:
        self._begin(_PREPARE + sql.encode())
        fields = Fields(self._receive(), 1)
        statement = fields.take(4)
        columns, parameters = fields.number(2), fields.number(2)
        self._described(parameters)
        described = self._described(columns)
        self._is_running = False
        return Prepared(statement, described)

    def execute(self, prepared: Prepared, values: Sequence[Value]) -> tuple[Column, ...]:
        """Run a prepared statement with a value for each parameter; then read its `rows`."""
        self._begin(_EXECUTE + prepared.id + _NO_CURSOR_ONCE + bound(values))
        return self._columns_of_result()

    def rows(self) -> Iterator[Block]:
        """The rows of the executed statement, in the binary protocol; raises at their end if the
        server ended with an error."""
        yield from self._wire.rows()
        if not self._is_end(self._receive()):
            raise Lost("the packet after the rows is not their end")
        self._is_running = False

    def forget(self, prepared: Prepared) -> None:
        """Close a prepared statement at the server, which sends no answer."""
        self._wire.command(_CLOSE + prepared.id)

    def cancel(self) -> None:
        """End the running statement, and every later one before it is sent."""
        if not self._cancelled.is_set():
            self._cancelled_at = time.monotonic()
            self._cancelled.set()
        if self._is_running:
            # If this fails, nothing confirms the end, and whoever waits for it says so.
            with suppress(OSError, Lost, ServerError, NotPossible):
                in_thread("cancel", self._kill, _GRACE_SECONDS)

    def close(self) -> None:
        """Close the connection. A running statement does not notice that, so it is ended first."""
        try:
            if self._is_running and not self._cancelled.is_set():
                self.cancel()
            elif not self._is_running:
                with suppress(Lost):
                    self._wire.command(_QUIT)
        finally:
            self._wire.close()

    def _kill(self) -> None:
        """End the statement over a second connection, if that goes to the same server.

        Behind a balancer it may not, and there the id would be that of somebody else.
        """
        other = Connection(self._another(), self._another)
        try:
            if other._who[1:] == self._who[1:]:
                other.query(f"kill query {self.id}")
        finally:
            other.close()

    def _begin(self, command: bytes) -> None:
        if self._cancelled.is_set():
            raise QueryCancelled("the run was stopped before the next statement was sent")
        self._sent_at = time.monotonic()
        self._is_running = True
        self._wire.command(command)

    def _receive(self) -> bytearray:
        """The next packet; raises ServerError if it is one."""
        payload = self._wire.receive()
        if payload[0] == _ERROR:
            self._is_running = False
            raise server_error(payload)
        return payload

    def _columns_of_result(self) -> tuple[Column, ...]:
        """The columns of what a statement gives; none if it gives no rows."""
        count = Fields(self._receive()).length()
        if count is None:
            raise Lost("the server asks for a file of this machine")
        return self._described(count)

    def _described(self, count: int) -> tuple[Column, ...]:
        """Read this many descriptions of columns, and the packet that ends them."""
        columns = tuple(column(self._receive()) for _ in range(count))
        if count and not self._is_end(self._receive()):
            raise Lost("the packet after the columns is not their end")
        return columns

    def _is_end(self, payload: bytearray) -> bool:
        """Whether a packet says that no more columns or rows follow."""
        if payload[0] != _END or len(payload) > _LONGEST_END:
            return False
        self.warnings = Fields(payload, 1).number(2)
        return True

    def _pause(self) -> None:
        late = time.monotonic() - self._cancelled_at
        if self._cancelled.is_set() and late > _GRACE_SECONDS:
            raise QueryCancelled(
                f"the query was cancelled, but the server did not confirm it: if it still runs, "
                f"end it with 'KILL {self.id}'"
            )

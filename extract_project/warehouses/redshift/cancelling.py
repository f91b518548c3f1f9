"""Cancel a statement over a second connection, where the server does not hear libpq's request.

libpq's request is encrypted since version 17, and Amazon's JDBC driver sends it in the clear;
whether every endpoint of Redshift takes either is not documented. This is:
https://docs.aws.amazon.com/redshift/latest/dg/PG_CANCEL_BACKEND.html. A user may cancel its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from extract_project.warehouses.libpq.connection import Connection
from extract_project.warehouses.libpq.sign_in import SignInError
from extract_project.warehouses.waiting import begin

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_HEARD_SECONDS = 1.0
"""How long libpq's request has. A connection waits five seconds for its end."""
_LOOK_SECONDS = 0.05


class Cancelling:
    """Cancels what a connection waits for; safe from any thread, again and again.

    `sign_in` makes another connection of the same user.
    """

    def __init__(self, connection: Connection, sign_in: Callable[[], PGconn]) -> None:
        self._connection = connection
        self._sign_in = sign_in
        self._lock = threading.Lock()
        self._is_insisting = False

    def cancel(self) -> None:
        was_active = self._connection.is_active
        self._connection.cancel()
        with self._lock:
            if not was_active or self._is_insisting:
                return
            self._is_insisting = True
        begin("cancel", self._insist)

    def _insist(self) -> None:
        from psycopg import Error

        backend = str(self._connection.backend)
        end = time.monotonic() + _HEARD_SECONDS
        while time.monotonic() < end:
            if not self._connection.is_active:
                return
            time.sleep(_LOOK_SECONDS)
        # Without it, the statement ends at its timeout, and the run says that nobody confirmed it.
        with suppress(SignInError, Error):
            second = Connection(self._sign_in())
            try:
                second.query("select pg_cancel_backend($1::integer)", [backend])
            finally:
                second.close()

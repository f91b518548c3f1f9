"""Sign in to a server of PostgreSQL's protocol, and find the reason of a refusal.

libpq describes a failed sign-in in the server's language, without the error code. Its trace of the
protocol has the code, so a failed attempt is repeated with a trace into memory. Where that is not
possible (psycopg traces only on Linux), a refusal looks like an unreachable server.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extract_project.errors import Cause, WarehouseError
from extract_project.prefetch import in_thread
from extract_project.warehouses.meaning import Meaning

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

Options = Mapping[str, str | int | None]
"""Connection parameters by libpq's names; None is libpq's default."""
NETWORK: Options = {
    # Load balancers silently drop idle connections, some after 350 s. A query that takes longer
    # would never get its answer.
    "keepalives": 1,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
Meanings = Callable[[str], Meaning]
"""What the codes of a server mean."""

_POLL_MILLISECONDS = 500
_CODE = re.compile(r'\tErrorResponse\t.*? C "([0-9A-Z]{5})"')
_NO_TLS = re.compile(r"\tSSLResponse\t N")
_TLS = re.compile(r"\tSSLResponse\t S")


class SignInError(Exception):
    """The server cannot be reached, or refuses the sign-in.

    `answered` is true if the server refused.
    """

    def __init__(self, message: str, meaning: Meaning, *, answered: bool) -> None:
        super().__init__(message)
        self.meaning = meaning
        self.answered = answered


_UNREACHABLE = Meaning(Cause.NETWORK, transient=True)
_SETTINGS = Meaning(Cause.SETTINGS)


@dataclass
class _Trace:
    """The protocol trace of a sign-in. It contains secrets, so it is only searched."""

    text: str = field(default="", repr=False)

    @property
    def code(self) -> str | None:
        found = _CODE.search(self.text)
        return found.group(1) if found else None


def log_in(
    product: str,
    options: Options,
    seconds: float,
    meaning: Meanings,
    hint: Callable[[str], str] = lambda _: "",
) -> PGconn:
    """As `sign_in`, in a thread; raises WarehouseError with the server's reason and the settings to
    check. `hint` is asked what to add to the reason.
    """
    try:
        # Host names are resolved in C, where signals do not arrive.
        return in_thread("sign-in", lambda: sign_in(options, seconds, meaning))
    except SignInError as error:
        raise WarehouseError(
            f"login to database {options['dbname']!r} of {product} at "
            f"{options['host']}:{options['port']} failed for user {options['user']!r}: {error}"
            f"{hint(str(error))}",
            cause=error.meaning.cause,
            transient=error.meaning.transient,
        ) from None


def sign_in(options: Options, seconds: float, meaning: Meanings) -> PGconn:
    """A connection to the first host and address that accepts the sign-in; raises SignInError.

    `seconds` limits the attempt at each address.
    """
    import psycopg
    from psycopg.conninfo import conninfo_attempts, make_conninfo

    try:
        attempts = conninfo_attempts({k: v for k, v in options.items() if v is not None})
    except psycopg.OperationalError as error:
        raise SignInError(str(error), _UNREACHABLE, answered=False) from None
    failures = []
    for attempt in attempts:
        try:
            return _attempt(make_conninfo("", **attempt), seconds, meaning)
        except SignInError as error:
            failures.append(error)
    answers = [failure for failure in failures if failure.answered]
    raise (answers or failures)[0]


def _attempt(conninfo: str, seconds: float, meaning: Meanings) -> PGconn:
    from psycopg import pq

    end = time.monotonic() + seconds
    # The first attempt is not traced: each trace leaks some memory, since libpq's stream is never
    # closed, and sensors sign in every minute.
    for trace in (None, _Trace()):
        server = pq.PGconn.connect_start(conninfo.encode())
        with _traced(server, trace):
            while server.status not in (pq.ConnStatus.OK, pq.ConnStatus.BAD):
                state = server.connect_poll()
                if time.monotonic() > end:
                    message = f"no answer within {seconds:.0f} s"
                    raise SignInError(message, _UNREACHABLE, answered=False)
                _await(server, state)
        if server.status == pq.ConnStatus.OK:
            return server
    raise _refused(server, trace or _Trace(), meaning)


def _await(server: PGconn, state: int) -> None:
    from psycopg import pq

    events = {pq.PollingStatus.READING: select.POLLIN, pq.PollingStatus.WRITING: select.POLLOUT}
    if state in events:
        poller = select.poll()
        poller.register(server.socket, events[pq.PollingStatus(state)])
        poller.poll(_POLL_MILLISECONDS)


@contextmanager
def _traced(server: PGconn, trace: _Trace | None) -> Iterator[None]:
    """Trace the protocol inside the block, if a trace is given."""
    from psycopg import pq

    if trace is None or sys.platform != "linux" or server.status == pq.ConnStatus.BAD:
        yield
        return
    file = os.memfd_create("sign-in")
    try:
        server.trace(file)
        try:
            yield
        finally:
            server.untrace()
        size = os.lseek(file, 0, os.SEEK_END)
        trace.text = os.pread(file, size, 0).decode("utf-8", errors="replace")
    finally:
        os.close(file)


def _refused(server: PGconn, trace: _Trace, meaning: Meanings) -> SignInError:
    message = server.get_error_message()
    if trace.code is not None:
        known = meaning(trace.code)
        of_no_sql = _SETTINGS if known.cause is Cause.SQL else known
        return SignInError(f"{message} ({trace.code})", of_no_sql, answered=True)
    if server.needs_password:
        return SignInError(message, Meaning(Cause.SIGN_IN), answered=True)
    if _NO_TLS.search(trace.text):
        return SignInError(message, _SETTINGS, answered=True)
    # In libpq's own words, a lost connection is SYSCALL; else a certificate was refused.
    if _TLS.search(trace.text) and "SYSCALL" not in message:
        return SignInError(message, _SETTINGS, answered=True)
    return SignInError(message, _UNREACHABLE, answered=False)

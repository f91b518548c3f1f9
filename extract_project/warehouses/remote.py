"""A query that a service runs by itself: it is started, asked for until it has ended, cancelled.

Nobody but us ends it: one whose client is gone runs on until its timeout.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self

from extract_project.errors import QueryCancelled, WarehouseError
from extract_project.warehouses.rest import Http
from extract_project.warehouses.waiting import answer_of, begin, is_confirmed

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


@dataclass(frozen=True)
class Status:
    """What the service says of a query."""

    id: str
    answer: Mapping[str, Any]
    has_ended: bool = False
    """Whichever its end is."""
    waits: bool = False
    """Whether it has not begun."""


class Remote(Protocol):
    """A query, and the requests about it."""

    @property
    def http(self) -> Http: ...

    @property
    def name(self) -> str:
        """What it is, for people, as in `databricks statement`."""

    def detached(self) -> Self:
        """The same, for requests that a cancel must not end: those that carry it out."""

    def start(self) -> Status:
        """Start it."""

    def status(self, query_id: str) -> Status:
        """Ask how it is."""

    def cancel(self, query_id: str) -> None:
        """Ask for its end; whether it has ended, its status says."""

    def told_to_wait(self, query_id: str, seconds: float) -> None:
        """Called now and then while it has not begun."""

    def located(self, error: WarehouseError, query_id: str) -> WarehouseError:
        """The error, with what leads to the query."""

    def by_hand(self, query_id: str) -> str:
        """The command with which a person ends it."""


def run(remote: Remote) -> Status:
    """Start a query and wait for its end, whichever that is.

    Raises QueryCancelled when the run is cancelled, and then the query is too.
    """
    started = _started(remote)
    try:
        return _awaited(remote, started)
    except QueryCancelled:
        _abort(remote, started.id)
        raise
    except WarehouseError as error:  # nobody else would end it
        _has_ended(remote, started.id, remote.http.patience.start_seconds)
        raise remote.located(error, started.id) from None


def _started(remote: Remote) -> Status:
    """One that starts while the run is being cancelled is ended too."""
    http = remote.http
    http.cancellation.require_not()
    return http.cancellation.started(
        begin("start", remote.detached().start),
        http.patience.start_seconds,
        f"the run was ended while its {remote.name} was starting, and nobody has said whether it "
        f"has: if so, it ends by itself at its timeout",
        lambda status: _abort(remote, status.id),
    )


def _awaited(remote: Remote, status: Status) -> Status:
    http = remote.http
    begun = said = time.monotonic()
    pause = http.patience.first_pause / 4
    while not status.has_ended:
        now = time.monotonic()
        if status.waits and now - said >= http.patience.quiet_seconds:
            said = now
            remote.told_to_wait(status.id, now - begun)
        http.cancellation.pause(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)
        status = remote.status(status.id)
    return status


def _abort(remote: Remote, query_id: str) -> None:
    """Cancel a query until the service says that it has ended.

    Raises QueryCancelled with what is known where it does not, which must not hold up the end of
    the run for ever.
    """
    has_ended = partial(_has_ended, remote, query_id)
    seconds = remote.http.patience.abort_seconds
    if not is_confirmed(has_ended, seconds, _FIRST_PAUSE, _LONGEST_PAUSE):
        raise QueryCancelled(
            f"the run was ended, and nobody has confirmed that {remote.name} {query_id} was: it "
            f"ends by itself at its timeout, or run: {remote.by_hand(query_id)}"
        )


def _has_ended(remote: Remote, query_id: str, seconds: float) -> bool:
    detached = remote.detached()

    def ask() -> bool:
        detached.cancel(query_id)
        return detached.status(query_id).has_ended

    return answer_of(ask, seconds)

"""Waiting for a server, in a way that a cancel ends.

A client blocks in its own code, for minutes where a connection has died without a word, and
nothing ends such a call. So each runs in a thread of its own, and whoever waits for it looks
whether the run has been cancelled meanwhile. A call that is given up ends by itself, some time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from extract_project.errors import QueryCancelled

T = TypeVar("T")

_LOOK_SECONDS = 0.1


def begin(name: str, work: Callable[[], T]) -> Future[T]:
    """Do something that may block, in a daemon thread."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


class Cancellation:
    """Whether the run has been cancelled; safe from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def require_not(self) -> None:
        """Raises QueryCancelled when it has."""
        if self._event.is_set():
            raise QueryCancelled("the run was ended, and its query cancelled")

    def pause(self, seconds: float) -> None:
        """Sleep; raises QueryCancelled as soon as the run is cancelled."""
        self._event.wait(seconds)
        self.require_not()

    def result(self, outcome: Future[T], limit: float | None = None) -> T:
        """What the work gives or raises.

        Raises TimeoutError after `limit` seconds, and QueryCancelled as soon as the run is
        cancelled.
        """
        end = None if limit is None else time.monotonic() + limit
        while True:
            left = _LOOK_SECONDS if end is None else min(_LOOK_SECONDS, end - time.monotonic())
            try:
                return outcome.result(max(0.0, left))
            except TimeoutError:
                if outcome.done():
                    raise
                self.require_not()
                if end is not None and time.monotonic() >= end:
                    raise

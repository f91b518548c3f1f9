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
from extract_project.prefetch import in_thread

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


def is_confirmed(
    ask: Callable[[float], bool], seconds: float, first_pause: float, longest_pause: float
) -> bool:
    """Ask until the answer is yes, for so many seconds at most; `ask` gets those that are left.

    A refusal and a request that fails are the same: the question is asked again.
    """
    end = time.monotonic() + seconds
    pause = first_pause
    while time.monotonic() < end:
        if ask(end - time.monotonic()):
            return True
        time.sleep(pause)
        pause = min(2 * pause, longest_pause)
    return False


def answer_of(ask: Callable[[], bool], seconds: float) -> bool:
    """The answer to whether a query has ended, in a thread; no, if there is none."""
    try:
        return in_thread("abort", ask, seconds)
    except Exception:  # whatever went wrong: nobody has said that it has ended
        return False


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

    def started(
        self, asked: Future[T], seconds: float, untold: str, abort: Callable[[T], None]
    ) -> T:
        """What a query that is being started gives, as its id.

        One that starts while the run is being cancelled is ended by `abort`. Raises QueryCancelled,
        with the words `untold` if nobody has said for so many seconds whether it has started.
        """
        try:
            return self.result(asked)
        except QueryCancelled as cancelled:
            try:
                found = asked.result(seconds)
            except TimeoutError:
                raise QueryCancelled(untold) from None
            except Exception:  # it has not started
                raise cancelled from None
            abort(found)
            raise

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

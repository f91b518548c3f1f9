"""Work that can be stopped at any time, by a timeout or by a person.

The work runs in a thread and checks its `Stop` at points where it is safe to end. The caller only
waits, so a signal handler in the main thread only has to set a flag: no exception is ever raised
in the middle of an upload, a clean-up or a failure report.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from extract_project.errors import ExtractError, QueryTimeout, RunEnded
from extract_project.prefetch import CANCEL_AGAIN_SECONDS
from extract_project.units import format_duration

T = TypeVar("T")

LONGEST_TIMEOUT = timedelta(hours=24)
"""The longest `timeout` that a header may set. An upload that is older belongs to no live run."""

GRACE_SECONDS = 20.0
"""How long stopped work may take to clean up. ECS kills a task two minutes after it is stopped."""

_LOOK_SECONDS = 0.1
_LONG_SECONDS = 1.0
"""A shorter wait is not why a run is late."""


class Stage(StrEnum):
    """The stage that an extract is in, in the words of a failure report."""

    CONNECTING = "connecting"
    QUERYING = "waiting for the query's first rows"
    FETCHING = "fetching rows"
    UNLOADING = "waiting for the warehouse to write the result"
    CHECKING = "running checks"
    UPLOADING = "uploading"
    PUBLISHING = "publishing"

    @property
    def has_query(self) -> bool:
        """Whether a query is running that has to be cancelled with the run."""
        return self in (Stage.QUERYING, Stage.FETCHING, Stage.UNLOADING)


def _never() -> bool:
    return False


class Stop:
    """Tells work that it has to end, and why. The first reason is kept."""

    def __init__(
        self,
        limit: timedelta | None = None,
        *,
        set_by: str = "'timeout' in the header",
        is_ended: Callable[[], bool] = _never,
    ) -> None:
        """Stop after `limit` (configured by `set_by`), or as soon as `is_ended` returns true."""
        self._limit, self._set_by, self._is_ended = limit, set_by, is_ended
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._cancelling = threading.Lock()
        self._cancels: list[Callable[[], None]] = []
        self._error: ExtractError | None = None
        self._waits: dict[object, tuple[str, float]] = {}
        self.stage = Stage.CONNECTING
        """The current stage of the work."""
        self.is_sending = False
        """Whether the publishing request has been sent and its outcome is not known yet."""

    @property
    def error(self) -> ExtractError | None:
        """The reason to end, if there is one yet."""
        if self._error is None and self._is_ended():
            self.end()
        if self._error is None and self._limit is not None and self._age >= self._limit:
            self._tell(_timeout(self.stage, self._late(), self._limit, self._set_by))
        return self._error

    def _late(self) -> list[str]:
        """What the work has been waiting for, for some time."""
        latest = time.monotonic() - _LONG_SECONDS
        return sorted({what for what, since in list(self._waits.values()) if since <= latest})

    @property
    def _age(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._begun)

    def end(self) -> None:
        """End the work on request."""
        self._tell(_ended(self.stage))

    def _tell(self, error: ExtractError) -> None:
        with self._lock:
            self._error = self._error or error

    def require(self) -> None:
        """Raise the reason to end, if there is one."""
        error = self.error
        if error is not None:
            raise error

    def at(self, stage: Stage) -> None:
        """Enter the next stage. If the work has to end, raise the reason instead."""
        self.require()
        self.stage = stage

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Inside the block, `cancel` may be called to end what the work waits for; never after."""
        self._cancels.append(cancel)
        try:
            yield
        finally:
            with self._cancelling:
                self._cancels.remove(cancel)

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Inside the block, a timeout names what the work waits for."""
        key = object()
        self._waits[key] = what, time.monotonic()
        try:
            yield
        finally:
            del self._waits[key]

    def begin_sending(self) -> None:
        """Call before the publishing request: the last moment at which the work can be stopped."""
        self.require()
        self.is_sending = True

    def end_sending(self) -> None:
        """Call once the outcome of the publishing request is known."""
        self.is_sending = False

    def cancel(self) -> None:
        """End whatever the work is waiting for now."""
        with self._cancelling:
            for cancel in tuple(self._cancels):
                try:
                    cancel()
                except Exception as error:  # of a driver; the next attempt may succeed
                    logging.getLogger(__name__).warning("cancelling failed: %r", error)


def supervised(work: Callable[[], T], stop: Stop) -> T:
    """Run the work in a thread until it is done or `stop` says that it has to end.

    Stopped work has a few seconds to clean up. Then its thread is abandoned, and cannot publish any
    more. Raises what the work raises, QueryTimeout or RunEnded. If stopped work completes all the
    same, its result is returned.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="work", daemon=True).start()
    try:
        while not wait([done], _LOOK_SECONDS).done and stop.error is None:
            pass
    except BaseException:  # Ctrl-C in a command
        stop.end()
        _wind_up(done, stop)
        raise
    error = stop.error
    if error is None:
        return done.result()
    _wind_up(done, stop)
    if done.done() and done.exception() is None:
        return done.result()
    raise error from None


def _wind_up(done: Future[T], stop: Stop) -> None:
    """Cancel what the work waits for, repeatedly, until it has ended or time is up."""
    # Repeatedly, because no driver notices a cancel just before its query starts. In a thread,
    # because cancelling may itself have to wait for a server.
    given_up = threading.Event()

    def cancel() -> None:
        while not done.done() and not given_up.is_set():
            stop.cancel()
            wait([done], CANCEL_AGAIN_SECONDS)

    threading.Thread(target=cancel, name="cancel", daemon=True).start()
    wait([done], GRACE_SECONDS)
    given_up.set()


def _ended(stage: Stage) -> RunEnded:
    consequence = ", and its query was cancelled" if stage.has_query else ""
    return RunEnded(f"the run was stopped from outside while it was {stage}{consequence}")


def _timeout(
    stage: Stage, waiting_for: Sequence[str], limit: timedelta, set_by: str
) -> QueryTimeout:
    consequence = ", so the query was cancelled" if stage.has_query else ""
    waiting = f", and waiting for {' and '.join(waiting_for)}" if waiting_for else ""
    is_query = stage.has_query and not waiting_for
    advice = "make the query cheaper" if is_query else "see what is slow there"
    return QueryTimeout(
        f"not done after {format_duration(limit)}{consequence}: it was {stage}{waiting}; "
        f"{advice}, or raise {set_by}"
    )

"""Run blocking work in a thread while the caller waits in Python, where signals reach it."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

CANCEL_AGAIN_SECONDS = 0.5
_WAIT_SECONDS = 0.1


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


@contextmanager
def prefetch(
    items: Iterator[T],
    depth: int,
    cancel: Callable[[], None],
    *,
    is_heavy: Callable[[T], bool] | None = None,
) -> Iterator[Iterator[T]]:
    """Produce `items` in a thread, at most `depth` ahead of the consumer.

    After a heavy item the thread waits until the consumer asks for the next one, so that no other
    is in memory with it.

    The consumer waits in Python, so a signal reaches it even while the producer is stuck in a
    driver. If the block is left early, `cancel` is called repeatedly until the thread has ended; it
    must interrupt whatever the producer is doing. An exception of the producer is raised where the
    consumer would have read the next item.
    """
    ended = False
    waiting: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | _End) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_WAIT_SECONDS)
                return
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in () if stopped.is_set() else items:
                heavy = is_heavy is not None and is_heavy(item)
                put(item)
                del item  # memory holds it no longer than the consumer does
                if heavy:
                    _await_consumer(waiting, stopped)
                if stopped.is_set():
                    return
        except BaseException as error:
            put(_End(error))
        else:
            put(_End())

    def consume() -> Iterator[T]:
        nonlocal ended
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                ended = True
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item
            waiting.task_done()

    thread = threading.Thread(target=produce, name="fetch", daemon=True)
    try:
        thread.start()
        yield consume()
    finally:
        stopped.set()
        while not ended:
            # Repeatedly, because no driver notices a cancel just before its query starts.
            cancel()
            if thread.is_alive():
                thread.join(CANCEL_AGAIN_SECONDS)
            ended = not thread.is_alive()
        if thread.is_alive():
            thread.join()


def _await_consumer(waiting: queue.Queue[Any], stopped: threading.Event) -> None:
    """Wait until the consumer has finished with everything that it was given."""
    with waiting.all_tasks_done:
        while waiting.unfinished_tasks and not stopped.is_set():
            waiting.all_tasks_done.wait(_WAIT_SECONDS)


def in_thread(name: str, work: Callable[[], T], timeout: float | None = None) -> T:
    """Call `work`, which may block in a driver, in a thread, and return its result.

    If the caller is interrupted, the thread is abandoned. After `timeout` seconds it is abandoned
    too, with a TimeoutError. The same error is raised while Python shuts down (when generators are
    closed), since threads started then never run.
    """
    if sys.is_finalizing():
        raise TimeoutError(f"{name}: not started, because the process is ending")
    done: queue.Queue[tuple[T] | BaseException] = queue.Queue()

    def run() -> None:
        try:
            done.put((work(),))
        except BaseException as error:
            done.put(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        outcome = done.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"{name}: no answer within {timeout} s") from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome[0]

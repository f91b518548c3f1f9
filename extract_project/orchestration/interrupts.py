"""A run that is told to end does end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterExecutionInterruptedError

_AGAIN_SECONDS = 0.1


@contextmanager
def redelivered_interrupts() -> Iterator[None]:
    """Interrupt once more where Python had to ignore the exception of a signal.

    Dagster raises it in whatever the main thread does at that moment. In a finalizer or in the
    callback of a weak reference ("Exception ignored in …") it goes nowhere: the terminated run
    goes on with its query, and on ECS is killed in the end (measured: the garbage collector ran
    while Dagster stored an event).
    """
    before, main = sys.unraisablehook, threading.main_thread().ident
    assert main is not None

    def hook(ignored: sys.UnraisableHookArgs) -> None:
        before(ignored)
        if isinstance(ignored.exc_value, DagsterExecutionInterruptedError | KeyboardInterrupt):
            # Later, when the callback has returned; and to the main thread, whose wait it ends.
            again = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main, signal.SIGINT))
            again.daemon = True
            again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before

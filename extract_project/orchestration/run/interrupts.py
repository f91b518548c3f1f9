"""A run that is told to end does end, wherever it is, and nothing is queried again.

Dagster turns SIGINT and SIGTERM into an exception in whatever the main thread does at that moment,
as long as it executes an asset; and takes that exception for a failure, which a retry policy
covers. So an asset replaces the signal handler by one that only sets a flag, and what still gets
through as an exception ends the run where Dagster would wait for the next try.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from traceback import clear_frames
from types import FrameType

import dagster as dg
from dagster import DagsterEvent, DagsterExecutionInterruptedError

from extract_project.orchestration.dagster_internals import raise_execution_interrupts

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


class Interrupts:
    """Whether this process has been told to end."""

    def __init__(self) -> None:
        self.arrived = False

    @contextmanager
    def flagged(self) -> Iterator[None]:
        """While in here, an interrupt raises nothing: it sets the flag.

        To be entered again in each piece of user code: Dagster puts its own handler back whenever
        it goes on with an asset, and while it has an output stored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are none of its business
            return

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.arrived = True

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def ending_at_interrupts(events: Iterator[DagsterEvent]) -> Iterator[DagsterEvent]:
    """The events of an executor that retries in its own process.

    Raises DagsterExecutionInterruptedError where an interrupt arrives while a step waits for its
    next try, and where it is what the step is to be tried again for.
    """
    with _leaving_nothing_suspended(), ExitStack() as waiting:
        for event in events:
            waiting.close()
            yield event
            if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
                if _is_of_interrupt(event):
                    raise DagsterExecutionInterruptedError
                waiting.enter_context(raise_execution_interrupts())


@contextmanager
def _leaving_nothing_suspended() -> Iterator[None]:
    """Close the asset that an interrupt leaves suspended between staging and publishing.

    Dagster keeps the exception, and with it the asset, until the process ends: too late to abort
    an upload.
    """
    try:
        yield
    except DagsterExecutionInterruptedError as error:
        clear_frames(error.__traceback__)
        raise


def _is_of_interrupt(event: DagsterEvent) -> bool:
    error = event.step_retry_data.error
    causes = (error, error.cause) if error else ()
    return any(each is not None and each.cls_name in _INTERRUPTS for each in causes)

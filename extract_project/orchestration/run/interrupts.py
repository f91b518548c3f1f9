"""End an interrupted run wherever it is, without querying again.

While Dagster executes an asset, it turns SIGINT and SIGTERM into an exception at whatever point
the main thread has reached. It then treats the exception as a failure, which a retry policy
retries. So an asset replaces the signal handler by one that only sets a flag. An interrupt that
still arrives as an exception ends the run where Dagster would wait for the next attempt.
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
    """Records whether this process has been interrupted."""

    def __init__(self) -> None:
        self.arrived = False

    @contextmanager
    def flagged(self) -> Iterator[None]:
        """Inside the block, an interrupt raises nothing; it sets the flag.

        Each piece of user code has to enter the block again: Dagster restores its own handler
        whenever it resumes an asset, and while an output is stored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread can set signal handlers
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

    Raises DagsterExecutionInterruptedError if an interrupt arrives while a step waits for its next
    attempt, or if the interrupt is the failure that would be retried.
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
    """Close the asset's generator that an interrupt leaves suspended between staging and
    publishing.

    Dagster keeps the exception, and through it the generator, until the process ends. Then it is
    too late to abort an upload.
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

"""Signals that arrive where Python ignores exceptions."""

from __future__ import annotations

import signal
import threading

import pytest
from dagster import DagsterExecutionInterruptedError
from dagster._core.errors import raise_execution_interrupts

from extract_project.orchestration.interrupts import redelivered_interrupts


class Finalized:
    """Is told to end while it is finalized."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def finalize_and_wait() -> None:
    Finalized()
    threading.Event().wait(30)
    raise AssertionError("the interrupt was lost")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_g8_an_interrupt_in_a_finalizer_is_not_lost() -> None:
    with (
        raise_execution_interrupts(),
        redelivered_interrupts(),
        pytest.raises(DagsterExecutionInterruptedError),
    ):
        finalize_and_wait()

"""Signals that arrive where an exception would do harm, or would be ignored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from dagster import DagsterEvent, DagsterExecutionInterruptedError
from dagster._core.errors import raise_execution_interrupts

from extract_project.orchestration.run.interrupts import Interrupts, ending_at_interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM]


class Finalized:
    """Is told to end while it is finalized."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_g8_an_interrupt_is_noticed_however_often_it_comes(number: signal.Signals) -> None:
    with raise_execution_interrupts():
        before = signal.getsignal(number)
        interrupts = Interrupts()
        with interrupts.flagged():
            assert not interrupts.arrived
            signal.raise_signal(number)
            signal.raise_signal(number)
            assert interrupts.arrived
        assert signal.getsignal(number) == before


def test_g8_an_interrupt_in_a_finalizer_is_not_lost() -> None:
    """Python ignores what is raised there."""
    interrupts = Interrupts()
    with raise_execution_interrupts(), interrupts.flagged():
        Finalized()
        assert interrupts.arrived


def test_an_attempt_in_a_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        interrupts = Interrupts()
        with interrupts.flagged():
            seen.append(interrupts.arrived)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) == before


def test_g2_an_asset_that_an_interrupt_leaves_suspended_is_closed() -> None:
    """It holds an upload open, which is aborted on closing."""
    closed = []

    def asset() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    def step() -> Iterator[DagsterEvent]:
        suspended = asset()
        assert next(suspended) == 1
        raise DagsterExecutionInterruptedError
        yield

    with pytest.raises(DagsterExecutionInterruptedError) as kept:
        list(ending_at_interrupts(step()))
    assert kept.value.__traceback__ is not None
    assert closed

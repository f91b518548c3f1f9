"""Work that is stopped: by its time limit, from outside, before and after it has published."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from extract_project import stopping
from extract_project.errors import QueryTimeout, RunEnded
from extract_project.stopping import Stage, Stop, supervised

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=200)


class Waiting:
    """Work that waits until it is cancelled, as for a query."""

    def __init__(self, stage: Stage = Stage.FETCHING) -> None:
        self.begun, self.cancelled = threading.Event(), threading.Event()
        self._stage = stage
        self.stop = Stop(SHORT, set_by="--timeout")

    def __call__(self) -> str:
        self.stop.at(self._stage)
        with self.stop.cancelling(self.cancelled.set):
            self.begun.set()
            assert self.cancelled.wait(60)
        raise ConnectionError("as drivers do whose query is cancelled")


def test_g8_the_time_limit_cancels_what_the_work_waits_for() -> None:
    work = Waiting()
    with pytest.raises(QueryTimeout, match="so the query was cancelled: it was fetching rows; "):
        supervised(work, work.stop)
    assert work.cancelled.is_set()


@pytest.mark.parametrize("stage", Stage)
def test_g8_a_timeout_says_which_stage_it_was_in(stage: Stage) -> None:
    work = Waiting(stage)
    with pytest.raises(QueryTimeout, match=f"it was {stage}; .*, or raise --timeout"):
        supervised(work, work.stop)


def test_g8_an_end_from_outside_cancels_what_the_work_waits_for() -> None:
    work = Waiting(Stage.QUERYING)
    work.stop = Stop(LONG, is_ended=work.begun.is_set)
    with pytest.raises(RunEnded, match="waiting for the query's first rows, and its query was"):
        supervised(work, work.stop)


def test_the_first_reason_to_stop_stays() -> None:
    stop = Stop(timedelta(0))
    with pytest.raises(QueryTimeout):
        stop.require()
    stop.end()
    with pytest.raises(QueryTimeout):
        stop.at(Stage.CHECKING)


def test_work_that_is_not_stopped_gives_its_result_or_its_error() -> None:
    assert supervised(lambda: 42, Stop(LONG)) == 42
    with pytest.raises(KeyError):
        supervised(dict[str, int]().popitem, Stop(LONG))


def test_what_was_reached_in_spite_of_a_stop_is_returned() -> None:
    told, looked = threading.Event(), threading.Event()

    def is_ended() -> bool:
        if told.is_set():
            looked.set()
        return told.is_set()

    stop = Stop(LONG, is_ended=is_ended)

    def publish() -> str:
        stop.begin_sending()
        told.set()
        assert looked.wait(60)
        stop.end_sending()
        return "published"

    assert supervised(publish, stop) == "published"
    assert isinstance(stop.error, RunEnded)


def test_what_was_stopped_before_cannot_publish() -> None:
    stop = Stop(is_ended=lambda: True)
    with pytest.raises(RunEnded):
        stop.begin_sending()
    assert not stop.is_sending


def test_work_that_hears_nothing_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.1)
    forever, stop = threading.Event(), Stop(SHORT)

    def deaf() -> None:
        stop.at(Stage.UPLOADING)
        forever.wait(60)

    with pytest.raises(QueryTimeout, match="it was uploading"):
        supervised(deaf, stop)
    forever.set()


def test_a_cancel_that_fails_is_tried_again() -> None:
    tried, cancelled, stop = [], threading.Event(), Stop(SHORT)

    def cancel() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("the server does not answer")
        cancelled.set()

    def work() -> None:
        with stop.cancelling(cancel):
            assert cancelled.wait(60)
        stop.require()

    with pytest.raises(QueryTimeout):
        supervised(work, stop)
    assert len(tried) == 2


def test_ctrl_c_stops_the_work() -> None:
    work = Waiting()
    main = threading.main_thread().ident

    def interrupted() -> bool:
        if threading.get_ident() == main and work.begun.is_set():
            raise KeyboardInterrupt
        return False

    work.stop = Stop(LONG, is_ended=interrupted)
    with pytest.raises(KeyboardInterrupt):
        supervised(work, work.stop)
    assert work.cancelled.is_set()


def test_g8_a_process_ends_whose_generators_are_closed_by_its_end() -> None:
    """No thread that starts then ever runs: waiting for one would be for good."""
    program = """
from extract_project.prefetch import in_thread

def held():
    try:
        yield
    finally:
        in_thread("aborting", lambda: None, 20)

def kept():
    mine = held()
    next(mine)
    raise ValueError

try:
    kept()
except ValueError as error:
    error.itself = error  # as Dagster keeps it
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert b"because the process is ending" in ended.stderr
    assert ended.returncode == 0

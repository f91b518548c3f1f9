"""Measure how long each stage of an extract takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from extract_project.formats.protocol import Sink
from extract_project.history.receipt import Stages

_STAGES = ("connect", "query", "fetch", "audit", "encode", "upload")


class Clock:
    """Adds up the seconds of each stage; a nested stage counts only for itself."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seconds = dict.fromkeys(_STAGES, 0.0)
        self._inner = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun, outer, self._inner = time.monotonic(), self._inner, 0.0
        try:
            yield
        finally:
            elapsed = time.monotonic() - begun
            self._seconds[name] += elapsed - self._inner
            self._inner = outer + elapsed

    def stages(self) -> Stages:
        """The sums so far."""
        total = time.monotonic() - self._started
        return Stages(**{k: round(v, 3) for k, v in self._seconds.items()}, total=round(total, 3))


class TimedSink:
    """An upload as a file object that measures the time spent waiting; closing it does nothing."""

    closed = False

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink, self._clock = sink, clock

    def write(self, data: bytes | memoryview) -> int:
        with self._clock.stage("upload"):
            return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        """Do nothing: the pipeline decides when the upload ends."""

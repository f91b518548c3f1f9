"""How long each stage of an extract takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from extract_project.formats.protocol import Sink
from extract_project.history.receipt import Stages

_STAGES = ("connect", "query", "fetch", "audit", "encode", "upload")


class Clock:
    """Adds up the seconds of each stage; a stage within a stage counts as the inner one."""

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
    """An upload as a file, with the time spent waiting for it; closing it does not end it."""

    closed = False

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink, self._clock = sink, clock

    def write(self, data: bytes | memoryview) -> int:
        with self._clock.stage("upload"):
            return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        """The pipeline alone decides when the upload ends."""

"""Which signals have arrived, while Dagster changes their handlers again and again."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BYTES = 4096


class Signals:
    """The signals that asked this process to end."""

    def __init__(self, reading: socket.socket) -> None:
        self._reading = reading
        self._arrived: set[int] = set()

    def _look(self) -> set[int]:
        with suppress(BlockingIOError):
            self._arrived.update(self._reading.recv(_BYTES))
        return self._arrived & {signal.SIGINT, signal.SIGTERM}

    @property
    def arrived(self) -> bool:
        return bool(self._look())

    @property
    def from_outside(self) -> bool:
        """Whether ECS, or another program, stops this process, and not a person with Ctrl-C."""
        return signal.SIGTERM in self._look()


@contextmanager
def watching_signals() -> Iterator[Signals]:
    """Inside the block SIGTERM raises KeyboardInterrupt too, unless another handler is set.

    Python writes the number of each signal into a socket, whoever handles it. Only the main thread
    may enter the block.
    """
    writing, reading = socket.socketpair()
    with writing, reading:
        writing.setblocking(False)
        reading.setblocking(False)
        descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield Signals(reading)
        finally:
            signal.signal(signal.SIGTERM, before)
            signal.set_wakeup_fd(descriptor)

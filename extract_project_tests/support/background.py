"""Work in a thread of its own, for tests that do something to it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Run:
    """What it raises is kept."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.error = error

    def ended(self) -> bool:
        return not self._thread.is_alive()

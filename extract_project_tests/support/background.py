"""Work in a thread of its own, for tests that do something to it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from extract_project.warehouses.protocol import Session
from extract_project_tests.support.waiting import await_value


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


def cancelled(run: Run, session: Session) -> Exception | None:
    """Cancel what a session does in this run; returns what the run has raised at its end."""
    session.cancel()
    await_value("the end of the run", run.ended)
    return run.error

"""The time that an extract may take, kept whatever it is waiting for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from extract_project.errors import QueryTimeout
from extract_project.prefetch import CANCEL_AGAIN_SECONDS
from extract_project.units import format_duration


class Deadline:
    """Whether the extract's time is up."""

    def __init__(self, limit: timedelta, set_by: str) -> None:
        self._limit = limit
        self._set_by = set_by
        self.passed = threading.Event()

    def require(self) -> None:
        """Raise QueryTimeout once the time is up."""
        if self.passed.is_set():
            raise QueryTimeout(
                f"not done after {format_duration(self._limit)}, so the query was cancelled: "
                f"make it cheaper, or raise {self._set_by}"
            )


@contextmanager
def deadline(
    limit: timedelta, cancel: Callable[[], None], set_by: str = "'timeout' in the header"
) -> Iterator[Deadline]:
    """Call `cancel`, from another thread, when the time is up and until this is left; an error that
    follows from it, or the next `require`, is then a QueryTimeout.
    """
    due = Deadline(limit, set_by)
    left = threading.Event()

    def watch() -> None:
        wait = limit.total_seconds()
        while not left.wait(wait):
            due.passed.set()
            cancel()
            wait = CANCEL_AGAIN_SECONDS

    watching = threading.Thread(target=watch, name="deadline", daemon=True)
    watching.start()
    try:
        yield due
    except Exception:
        due.require()
        raise
    finally:
        left.set()
        watching.join()

"""Faults of the connection, set in advance and carried out at the HTTP level."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["drop", "truncate", "status", "stall", "trickle", "silence", "short"]


@dataclass
class Fault:
    """A fault for requests whose path starts or ends with `path`, `times` of them.

    `drop` closes the connection within the body; `truncate` ends the Arrow stream early under a
    correct length; `status` answers with that HTTP status; `stall` sends half of the body and then
    nothing until the server stops, `trickle` then sends a byte now and then, and `silence` sends
    nothing at all; `short` leaves out rows, at a message's border.
    """

    path: str
    kind: Kind
    times: int = 1
    status: int = 503
    retry_after: str = ""
    """What a `status` says of when to come back."""


@dataclass
class Faults:
    """The faults still to come. Thread-safe."""

    pending: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, path: str, kind: Kind, times: int = 1, status: int = 503, retry_after: str = ""
    ) -> None:
        with self._lock:
            self.pending.append(Fault(path, kind, times, status, retry_after))

    def take(self, path: str) -> Fault | None:
        """Take the fault for this request, if there is one."""
        with self._lock:
            for fault in self.pending:
                if fault.times and (path.startswith(fault.path) or path.endswith(fault.path)):
                    fault.times -= 1
                    return fault
        return None

"""Structured logs: one line per event, as JSON unless a person is watching.

An extract logs to the standard error of its process. Each line carries the extract and the run,
and the partition and the query if there are any: `jq` and CloudWatch Logs Insights read the lines
as they are. On a terminal the same lines are readable text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO


@dataclass(frozen=True)
class Journal:
    """Writes log lines that share the same fields."""

    subject: Mapping[str, Any]
    """Fields of every line: extract, run id, partition, …; None is left out."""
    stream: TextIO | None = None
    """Default: standard error at the time of writing."""
    listener: Callable[[Mapping[str, Any]], None] | None = None
    """Gets each record, too."""

    def about(self, **more: Any) -> Journal:
        """A journal whose lines carry these fields too."""
        return Journal({**self.subject, **more}, self.stream, self.listener)

    def write(self, event: str, *, level: str = "info", **facts: Any) -> None:
        """Write one line. It never raises, whatever the facts are.

        A full disk or a closed pipe loses the line, but not the run.
        """
        said = {**self.subject, **facts}
        known = {key: value for key, value in said.items() if value is not None}
        now = datetime.now(UTC)
        at = now.isoformat(timespec="milliseconds")
        record = {"time": at, "level": level, "event": event, **known}
        if self.listener is not None:
            self.listener(record)
        stream = self.stream or sys.stderr
        if stream.closed:
            return
        if stream.isatty():
            details = " ".join(f"{key}={value}" for key, value in known.items())
            line = f"{now:%H:%M:%S} {event} {details}"
        else:
            line = json.dumps(record, default=str, ensure_ascii=False)
        with suppress(OSError):
            stream.write(line + "\n")
            stream.flush()

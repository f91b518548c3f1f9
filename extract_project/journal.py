"""Structured logs: one line per fact, as JSON where no person is looking.

What an extract does is written to the standard error of its process, each line with the extract,
the run and, where there are any, the partition and the query: `jq` and CloudWatch Logs Insights
read them as they are. On a terminal the same facts are readable text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO


@dataclass(frozen=True)
class Journal:
    """Writes facts that all have the same subject."""

    subject: Mapping[str, Any]
    """What every line says: extract, run id, partition, …; what is None is left out."""
    stream: TextIO | None = None
    """Default: the standard error of the moment."""

    def about(self, **more: Any) -> Journal:
        """A journal whose lines say this too."""
        return Journal({**self.subject, **more}, self.stream)

    def write(self, event: str, *, level: str = "info", **facts: Any) -> None:
        """One line. Never fails, neither for what is in it nor where nobody can read it.

        A full disk or a closed pipe costs the line, and not the run that it tells of.
        """
        stream = self.stream or sys.stderr
        if stream.closed:
            return
        said = {**self.subject, **facts}
        known = {key: value for key, value in said.items() if value is not None}
        now = datetime.now(UTC)
        if stream.isatty():
            details = " ".join(f"{key}={value}" for key, value in known.items())
            line = f"{now:%H:%M:%S} {event} {details}"
        else:
            at = now.isoformat(timespec="milliseconds")
            record = {"time": at, "level": level, "event": event, **known}
            line = json.dumps(record, default=str, ensure_ascii=False)
        with suppress(OSError):
            stream.write(line + "\n")
            stream.flush()

"""The protocol of an exporter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from extract_project.telemetry.measures import Measure

LONGEST_SECONDS = 5.0
"""How long sending may take. A run does not wait longer for a collector that does not answer."""


class Exporter(Protocol):
    """Sends measures somewhere."""

    def export(self, measures: Sequence[Measure]) -> None:
        """Send them; raises whatever goes wrong."""

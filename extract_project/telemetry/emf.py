"""CloudWatch's embedded metric format: lines of the log that CloudWatch makes metrics of.

CloudWatch bills each combination of a metric and its dimensions, and thousands of extracts would be
thousands of metrics. So an extract is a field of the line, which Logs Insights finds, and not a
dimension. Of ages the metric is the distribution over all extracts, whose maximum is the oldest.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from extract_project.telemetry.measures import Kind, Measure, Name

NAMESPACE = "Extracts"
_MOST_VALUES = 100
"""Of one metric in one line; the format allows no more."""
_DIMENSIONS = ("outcome", "cause", "stage", "state")
_UNITS = {"s": "Seconds", "By": "Bytes", "1": "None"}


@dataclass(frozen=True)
class EmfExporter:
    """Writes to the log of its process."""

    location: str
    """The code location: a dimension that all metrics have."""
    stream: TextIO | None = None
    """Default: standard error at the time of writing."""
    alarmed_only: bool = False
    """Whether only what alarms read is written: each metric is billed by the hour."""

    def export(self, measures: Sequence[Measure]) -> None:
        stream = self.stream or sys.stderr
        now = int(datetime.now(UTC).timestamp() * 1000)
        text = "".join(json.dumps(line) + "\n" for line in self._lines(measures, now))
        with suppress(OSError):  # a full disk loses the line, and not the run
            stream.write(text)
            stream.flush()

    def _lines(self, measures: Sequence[Measure], now: int) -> Iterator[dict[str, Any]]:
        levels: dict[tuple[Name, str], list[float]] = defaultdict(list)
        for each in measures:
            if self.alarmed_only and not each.is_alarmed:
                continue
            if each.name.kind is Kind.LEVEL and "extract" in each.attributes:
                levels[each.name, each.attributes.get("state", "")].append(each.value)
            else:
                yield self._line(each.name, each.value, dict(each.attributes), now)
        for (name, _), values in levels.items():
            for start in range(0, len(values), _MOST_VALUES):
                yield self._line(name, values[start : start + _MOST_VALUES], {}, now)

    def _line(
        self, name: Name, value: float | list[float], fields: dict[str, str], now: int
    ) -> dict[str, Any]:
        split = [each for each in _DIMENSIONS if each in fields]
        unit = _UNITS.get(name.unit, "Count")
        described = {
            "Namespace": NAMESPACE,
            "Dimensions": [["location", each] for each in split] or [["location"]],
            "Metrics": [{"Name": name.text, "Unit": unit}],
        }
        return {
            "_aws": {"Timestamp": now, "CloudWatchMetrics": [described]},
            "event": "metric",
            "location": self.location,
            **fields,
            name.text: value,
        }

"""OpenTelemetry: metrics over HTTP to a collector, configured as its SDK documents it.

OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES and the others. A
run is a process that lives for one attempt: so counts are deltas, which a collector adds up.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extract_project.errors import SettingsError
from extract_project.telemetry.measures import Kind, Measure, Name
from extract_project.telemetry.protocol import LONGEST_SECONDS

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_SERVICE = "extract"


@dataclass(frozen=True)
class OtlpExporter:
    """Sends to the collector that the environment names."""

    location: str
    """The code location: an attribute of the resource."""

    def export(self, measures: Sequence[Measure]) -> None:
        # Imported here, because it takes a tenth of a second that others need not pay.
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
            from opentelemetry.sdk.metrics import _Gauge as Gauge
            from opentelemetry.sdk.metrics.export import (
                AggregationTemporality,
                PeriodicExportingMetricReader,
            )
            from opentelemetry.sdk.resources import Resource
        except ImportError:
            raise SettingsError(
                "EXTRACT_METRICS has 'otlp', and OpenTelemetry is not installed: "
                "pip install 'extract-project[otlp]'"
            ) from None

        delta = AggregationTemporality.DELTA
        exporter = OTLPMetricExporter(
            timeout=LONGEST_SECONDS, preferred_temporality={Counter: delta, Histogram: delta}
        )
        provider = MeterProvider(
            [
                PeriodicExportingMetricReader(
                    exporter,
                    export_interval_millis=math.inf,
                    # Without it, what exceeds 2,000 extracts would be one nameless sum.
                    cardinality_limits={Gauge: len(measures) + 1},
                )
            ],
            Resource.create({"service.name": _SERVICE, "extract.location": self.location}),
            shutdown_on_exit=False,
        )
        meter = provider.get_meter("extract_project")
        recorders: dict[Name, Callable[[float, dict[str, str]], None]] = {}
        for each in measures:
            recorder = recorders.get(each.name) or _recorder(meter, each.name)
            recorders[each.name] = recorder
            recorder(each.value, dict(each.attributes))
        provider.force_flush(timeout_millis=LONGEST_SECONDS * 1000)
        provider.shutdown(timeout_millis=LONGEST_SECONDS * 1000)


def _recorder(meter: Meter, name: Name) -> Callable[[float, dict[str, str]], None]:
    if name.kind is Kind.COUNT:
        return meter.create_counter(name.text, name.unit, name.about).add
    if name.kind is Kind.DISTRIBUTION:
        return meter.create_histogram(name.text, name.unit, name.about).record
    return meter.create_gauge(name.text, name.unit, name.about).set

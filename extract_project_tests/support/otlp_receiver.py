"""A receiver of OpenTelemetry metrics over HTTP, as a collector is one: it parses what it gets."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric


@dataclass(frozen=True)
class Point:
    """One number that was received."""

    name: str
    kind: str
    """`sum delta`, `histogram delta` or `gauge`."""
    unit: str
    value: float
    """Of a histogram, the sum."""
    count: int
    attributes: dict[str, str]
    resource: dict[str, str]


@dataclass
class Receiver:
    """What a collector has received."""

    url: str = ""
    points: list[Point] = field(default_factory=list)
    requests: int = 0
    silent: Event = field(default_factory=Event)
    """Once set, it takes requests and never answers."""

    def named(self, name: str) -> list[Point]:
        return [point for point in self.points if point.name == name]


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    released = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.requests += 1
            if receiver.silent.is_set():
                released.wait()
                return
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/metrics"
            receiver.points += _points(ExportMetricsServiceRequest.FromString(body))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    yield receiver
    released.set()
    server.shutdown()
    server.server_close()


def _points(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    for group in request.resource_metrics:
        resource = _plain(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                yield from _of(metric, resource)


def _of(metric: Metric, resource: dict[str, str]) -> Iterator[Point]:
    delta = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    if metric.HasField("histogram"):
        assert metric.histogram.aggregation_temporality == delta
        for each in metric.histogram.data_points:
            about = _plain(each.attributes)
            yield Point(
                *(metric.name, "histogram delta", metric.unit, each.sum, each.count),
                *(about, resource),
            )
        return
    if metric.HasField("sum"):
        assert metric.sum.aggregation_temporality == delta
        kind, numbers = "sum delta", metric.sum.data_points
    else:
        kind, numbers = "gauge", metric.gauge.data_points
    for point in numbers:
        value = point.as_double if point.HasField("as_double") else point.as_int
        about = _plain(point.attributes)
        yield Point(metric.name, kind, metric.unit, value, 1, about, resource)


def _plain(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}

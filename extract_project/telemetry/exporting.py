"""Sending measures, so that nothing that goes wrong with them costs a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from extract_project.prefetch import in_thread
from extract_project.telemetry.emf import EmfExporter
from extract_project.telemetry.measures import Measure, of_event
from extract_project.telemetry.otlp import OtlpExporter
from extract_project.telemetry.protocol import LONGEST_SECONDS, Exporter

EXPORTERS: Mapping[str, Callable[[str], Exporter]] = {
    "emf": EmfExporter,
    "emf-alarms": partial(EmfExporter, alarmed_only=True),
    "otlp": OtlpExporter,
}
"""Each exporter, by its word in EXTRACT_METRICS."""

Listener = Callable[[Mapping[str, Any]], None]


def send(measures: Sequence[Measure], exporters: Sequence[str], location: str) -> None:
    """Send measures with each exporter. It takes seconds at most, and never raises."""
    for name in exporters:
        try:
            exporter = EXPORTERS[name](location)
            in_thread(f"metrics ({name})", lambda to=exporter: to.export(measures), LONGEST_SECONDS)  # type: ignore[misc]
        except Exception as error:
            logging.getLogger(__name__).warning("metrics are lost: %s: %s", name, error)


@contextmanager
def measuring(exporters: Sequence[str], location: str) -> Iterator[Listener | None]:
    """A listener for the journal of one attempt; what it has heard is sent at the end.

    None where nothing is exported.
    """
    if not exporters:
        yield None
        return
    heard: list[Measure] = []

    def listen(record: Mapping[str, Any]) -> None:
        with suppress(Exception):
            heard.extend(of_event(record))

    try:
        yield listen
    finally:
        if heard:
            send(heard, exporters, location)

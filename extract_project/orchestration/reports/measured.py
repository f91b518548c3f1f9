"""Sends the state of the deployment to monitoring systems: ages, states, the queue, the daemon."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from extract_project.manifest.extract import InvalidExtract
from extract_project.orchestration.names.instigators import location_of
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.orchestration.starts.readiness import Extracts
from extract_project.orchestration.status.answering import read_facts
from extract_project.orchestration.status.before import ReadBefore
from extract_project.telemetry.exporting import send
from extract_project.telemetry.measures import of_facts

_INTERVAL_SECONDS = 60


def metrics_sensor(
    extracts: Extracts,
    invalid: Sequence[InvalidExtract],
    location: CodeLocation,
    before: ReadBefore,
) -> dg.SensorDefinition:
    """The sensor. An alarm on metrics that do not come any more sees a daemon that has died."""
    settings = location.settings
    exporters = settings.metrics

    @dg.sensor(
        name="metrics",
        description=f"sends ages, states and the queue as metrics: {', '.join(exporters)}",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        jobs=[],
    )
    def metrics(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        name = location_of(context, settings)
        facts = read_facts(
            context.instance,
            extracts,
            invalid,
            location,
            location_name=name,
            before=before,
        )
        measures = list(of_facts(facts))
        send(measures, exporters, settings.location)
        return dg.SkipReason(f"{len(measures):,} numbers sent: {', '.join(exporters)}")

    return metrics

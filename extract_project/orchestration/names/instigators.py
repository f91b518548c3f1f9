"""The code location of a sensor, and what Dagster keeps of its schedules and sensors."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from extract_project.orchestration.dagster_internals import InstigatorState
from extract_project.settings import Settings


def location_of(context: dg.SensorEvaluationContext, settings: Settings) -> str:
    """The name of the code location of a sensor; where Dagster tells none, that of the settings."""
    origin = context.code_location_origin
    return origin.location_name if origin else settings.location


def instigator_states(instance: dg.DagsterInstance, location: str) -> Mapping[str, InstigatorState]:
    """The stored state of each schedule and sensor of a code location, by name."""
    return {
        state.name: state
        for state in instance.all_instigator_state()
        if state.repository_selector.location_name == location
    }

"""Run each extract in its own ECS task. `dagster.yaml` names the launcher of this package."""

from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher

__all__ = ["ExtractEcsRunLauncher"]

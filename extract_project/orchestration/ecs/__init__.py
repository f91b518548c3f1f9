"""Each extract in an ECS task of its own; `dagster.yaml` names the launcher of this package."""

from extract_project.orchestration.ecs.launcher import ExtractEcsRunLauncher

__all__ = ["ExtractEcsRunLauncher"]

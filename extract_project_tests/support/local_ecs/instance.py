"""The sections of dagster.yaml that run Dagster on this ECS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from extract_project_tests.support.local_ecs.service import CLUSTER, CONTAINER, LocalEcs


def on_ecs(ecs: LocalEcs, environment: Mapping[str, str]) -> dict[str, Any]:
    """The sections for a deployment on ECS; `environment` is that of its tasks."""
    definition = ecs.define_task("extract-run", environment)
    return {
        "run_coordinator": {"module": "dagster", "class": "QueuedRunCoordinator"},
        "run_retries": {"enabled": True, "max_retries": 0},
        # What a task prints is in its log, as in CloudWatch.
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(ecs.directory / "printed")},
        },
        "run_launcher": {
            "module": "extract_project.orchestration.ecs",
            "class": "ExtractEcsRunLauncher",
            "config": {
                "use_current_ecs_task_config": False,
                "secrets_tag": None,
                "task_definition": definition,
                "container_name": CONTAINER,
                "run_task_kwargs": {
                    "cluster": CLUSTER,
                    "launchType": "FARGATE",
                    "networkConfiguration": ecs.network(),
                },
            },
        },
    }

"""dagster.yaml as the stack writes it, read with Dagster's own schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._serdes import class_from_code_pointer
from dagster_aws.ecs import EcsRunLauncher
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from extract_project_tests.support.cloudformation.template import INSTANCE, Evaluation

DEPLOYED = Evaluation(SnowflakeAccount="acme", ImageDigest="sha256:" + "a" * 64)
SECRET = "DAGSTER_POSTGRES_PASSWORD"


def written() -> dict[str, Any]:
    """The file as webserver and daemon find it."""
    loaded: dict[str, Any] = yaml.safe_load(DEPLOYED.environment("Daemon")["DAGSTER_YAML"])
    return loaded


def variables(value: Any) -> set[str]:
    """Names below `env:`."""
    if isinstance(value, list):
        return {name for each in value for name in variables(each)}
    if not isinstance(value, dict):
        return set()
    if set(value) == {"env"}:
        return {value["env"]}
    return {name for each in value.values() for name in variables(each)}


def test_dagster_accepts_it(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(written()))
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["concurrency"] == {
        "runs": {"max_concurrent_runs": 25},
        "pools": {"granularity": "run", "default_limit": 10},
    }
    assert config["telemetry"]["enabled"] is False
    assert config["run_monitoring"]["max_resume_run_attempts"] == 0


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("run_launcher", EcsRunLauncher),
        ("run_coordinator", QueuedRunCoordinator),
        ("compute_logs", S3ComputeLogManager),
    ],
)
def test_each_part_accepts_its_config(section: str, kind: Any) -> None:
    result = process_config(kind.config_type(), written()[section]["config"])
    assert result.success, result.errors


def test_the_classes_are_where_it_says() -> None:
    for section in ("run_coordinator", "compute_logs"):
        part = written()[section]
        assert class_from_code_pointer(part["module"], part["class"])
    launcher = written()["run_launcher"]
    assert (launcher["module"], launcher["class"]) == (
        "extract_project.orchestration.ecs",
        "ExtractEcsRunLauncher",
    )


def test_storage_is_the_driver_that_dagster_knows() -> None:
    database = written()["storage"]["postgres"]["postgres_db"]
    assert database["scheme"] == "postgresql+psycopg2"
    assert database["params"] == {"sslmode": "require"}
    assert database["password"] == {"env": SECRET}


def test_nothing_secret_is_in_it() -> None:
    assert variables(written()) == {
        "DAGSTER_POSTGRES_HOST",
        "DAGSTER_POSTGRES_USER",
        "DAGSTER_POSTGRES_DB",
        SECRET,
    }


@pytest.mark.parametrize("process", ["Code", "Webserver", "Daemon", "Run"])
def test_every_process_has_the_variables_it_names(process: str) -> None:
    """A run and the code server are given the instance, and resolve its variables themselves."""
    assert variables(written()) <= DEPLOYED.environment(process).keys()


def test_webserver_and_daemon_have_the_same_and_it_is_the_file() -> None:
    assert (
        DEPLOYED.environment("Daemon")["DAGSTER_YAML"]
        == (DEPLOYED.environment("Webserver")["DAGSTER_YAML"])
    )
    file = yaml.safe_load(INSTANCE.read_text())
    assert file.keys() == written().keys()
    where = {"RunSubnetA": "SubnetA", "RunSubnetB": "SubnetB", "RunPublicIp": "DISABLED"}
    assert (
        DEPLOYED.of({"Fn::Sub": [INSTANCE.read_text(), where]})
        == (DEPLOYED.environment("Daemon")["DAGSTER_YAML"])
    )


def test_no_id_is_left_to_be_resolved() -> None:
    """Below networkConfiguration Dagster resolves nothing: `{env: …}` would be sent to AWS."""
    kwargs = written()["run_launcher"]["config"]["run_task_kwargs"]
    assert kwargs["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["SubnetA", "SubnetB"],
        "securityGroups": ["RunGroup"],
        "assignPublicIp": "DISABLED",
    }
    assert kwargs["cluster"] == "Cluster"
    assert "$" not in yaml.safe_dump(written())


def test_the_launcher_finds_its_container() -> None:
    config = written()["run_launcher"]["config"]
    assert config["task_definition"] == "RunTask"
    assert config["container_name"] == DEPLOYED.container("Run")["Name"]
    assert config["secrets_tag"] is None

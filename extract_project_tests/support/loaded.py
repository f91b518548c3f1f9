"""Load SQL files into Dagster, without a bucket or another process."""

from __future__ import annotations

from collections.abc import Mapping

from extract_project.manifest.snapshot import Snapshot
from extract_project.manifest.together import sort_out
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings
from extract_project_tests.support.parsing import parse

SETTINGS = Settings.model_validate(
    {
        "manifest": "s3://manifest/sql",
        "data": "s3://data/extracts",
        "warehouses": {"shop": {"type": "duckdb"}},
    }
)


def loaded(files: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Load everything; returns the keys of assets that can be materialized, and those of the
    others.
    """
    extracts, invalid = sort_out([parse(text, path=path) for path, text in files.items()])
    listed = {f"sql/{path}.sql": "e1" for path in files}
    snapshot = Snapshot(
        manifest="s3://manifest/sql", extracts=extracts, invalid=invalid, files=listed
    )

    def no_client() -> object:
        raise AssertionError("nothing is read while definitions are made")

    location = CodeLocation(SETTINGS, no_client, "snapshot-1")  # type: ignore[arg-type]
    repository = compose(snapshot, location).get_repository_def()
    repository.load_all_definitions()
    for job in repository.get_all_jobs():
        job.get_job_snapshot_id()
    graph = repository.asset_graph
    return (
        {key.to_user_string() for key in graph.materializable_asset_keys},
        {key.to_user_string() for key in graph.external_asset_keys},
    )

"""Publishing a version, with or without a moment between staging it and publishing."""

from __future__ import annotations

from contextlib import ExitStack

from extract_project.manifest.extract import Extract
from extract_project.manifest.fields.partitions import Partition
from extract_project.pipeline.attempt import attempt
from extract_project.pipeline.provenance import Provenance
from extract_project.pipeline.staging import Staged, stage
from extract_project.publish.places import Place
from extract_project.publish.publishing import Published
from extract_project.stopping import Stop
from extract_project.store.destination import DATA
from extract_project.warehouses.duckdb import DuckDBWarehouse
from extract_project_tests.conftest import Site

# About 40 bytes a row after compression: several parts from half a million rows on.
ROWS = "select i, md5(i::varchar) as digest from range({rows}) t(i) order by i"
MANY = 1_500_000


def materialize(
    site: Site, extract: Extract, run_id: str = "run", partition: Partition | None = None
) -> Published:
    """Stage and publish, as an asset does."""
    target = site.target(extract, partition.key if partition else None)
    done = attempt(
        DuckDBWarehouse(type="duckdb"),
        extract,
        [Place(DATA, target, site.state)],
        Provenance(run_id, partition=partition),
        stop=Stop(extract.header.timeout),
    )
    return done.published


def publish(site: Site, path: str, text: str, run_id: str = "run-1") -> str:
    """Publish what a SQL text gives; returns its VersionId."""
    return materialize(site, site.extract(path, text), run_id).version_id


def begin(attempts: ExitStack, site: Site, extract: Extract, run_id: str) -> Staged:
    """A staged result whose publishing the test decides on."""
    provenance = Provenance(run_id)
    return attempts.enter_context(
        stage(
            DuckDBWarehouse(type="duckdb"),
            extract,
            [Place(DATA, site.target(extract), site.state)],
            provenance,
        )
    )

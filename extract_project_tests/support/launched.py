"""A run as the code server has it launched, for a run worker to execute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.definitions.reconstruct import (
    ReconstructableJob,
    ReconstructableRepository,
    initialize_repository_def_from_pointer,
)
from dagster._core.execution.api import create_execution_plan

POINTER = ModuleCodePointer("extract_project.definitions", "definitions")


@contextmanager
def code_location() -> Iterator[dg.RepositoryDefinition]:
    """What the code server has; the settings are those of this process."""
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext.get()):
        yield initialize_repository_def_from_pointer(POINTER)


def reconstructable(job_name: str) -> ReconstructableJob:
    return ReconstructableRepository(POINTER).get_reconstructable_job(job_name)


def launched(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    job_name: str,
    keys: frozenset[dg.AssetKey] | None,
) -> dg.DagsterRun:
    """A run of these assets, or of a whole job, with the snapshot that its worker loads."""
    job = repository.get_maybe_subset_job_def(job_name, asset_selection=keys)
    load_data = repository.repository_load_data
    return instance.create_run_for_job(
        job_def=job,
        execution_plan=create_execution_plan(job, repository_load_data=load_data),
        asset_selection=keys,
        job_code_origin=reconstructable(job_name).get_python_origin(),
    )

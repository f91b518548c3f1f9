"""A code server builds each snapshot's definitions once."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.reconstruct import ReconstructableRepository

from extract_project.definitions import definitions
from extract_project.settings import Settings
from extract_project_tests.conftest import Site

POINTER = ModuleCodePointer("extract_project.definitions", "definitions")


@pytest.fixture
def loading(settings: Settings) -> Iterator[None]:
    """The context in which a code server loads."""
    context = DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)
    with DefinitionsLoadContext.scoped(context):
        yield


def test_what_was_initialized_is_what_is_reconstructed(site: Site, loading: None) -> None:
    site.put_sql("a/first", "select 1 as a")
    initialized = definitions()
    pending = DefinitionsLoadContext.get().get_pending_reconstruction_metadata()
    repository = ReconstructableRepository(POINTER).get_definition()
    key = dg.AssetKey(["a", "first"])
    assert repository.assets_defs_by_key[key].op is initialized.get_assets_def(key).op
    load_data = repository.repository_load_data
    assert load_data is not None
    assert load_data.reconstruction_metadata == pending


def test_another_load_reads_the_manifest_again(site: Site, loading: None) -> None:
    site.put_sql("a/first", "select 1 as a")
    definitions()
    site.put_sql("a/second", "select 2 as a")
    definitions()
    repository = ReconstructableRepository(POINTER).get_definition()
    assert dg.AssetKey(["a", "second"]) in repository.assets_defs_by_key

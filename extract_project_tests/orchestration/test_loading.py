"""A code server builds each snapshot's definitions once, and keeps what works."""

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
from extract_project.errors import ManifestError
from extract_project.manifest.snapshot import Snapshot
from extract_project.orchestration.assets import Site as AssetSite
from extract_project.orchestration.compose import compose
from extract_project.orchestration.loading import RefusedManifest, load_definitions
from extract_project.s3 import connect
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


def test_a_manifest_that_does_not_load_leaves_the_one_before_in_place(
    site: Site, settings: Settings, loading: None
) -> None:
    """Definitions of one's own, merged in, refuse it; the sensor says so until it is mended."""
    refusing = True

    def build(
        snapshot_id: str, snapshot: Snapshot, refused: RefusedManifest | None
    ) -> dg.Definitions:
        if refusing and len(snapshot.extracts) > 1:
            raise dg.DagsterInvalidDefinitionError("only one extract is supported")
        return compose(snapshot, AssetSite(settings, connect, snapshot_id), refused)

    def load() -> tuple[set[str], str]:
        """The extracts, and the snapshot that runs will execute."""
        made = load_definitions(site.s3, settings, build)
        pending = DefinitionsLoadContext.get().get_pending_reconstruction_metadata()
        keys = made.get_repository_def().asset_graph.materializable_asset_keys
        sensors.append(made.get_repository_def().get_sensor_def("manifest"))
        return {key.to_user_string() for key in keys}, pending["extract_snapshot"]

    sensors: list[dg.SensorDefinition] = []
    site.put_sql("a/first", "select 1 as a")
    served = load()
    assert served[0] == {"a/first"}
    site.put_sql("a/second", "select 2 as a")
    assert load() == served
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        with pytest.raises(ManifestError, match=r"1 added .* only one extract is supported"):
            sensors[-1](context)
    refusing = False
    assert load()[0] == {"a/first", "a/second"}


def test_a_first_manifest_that_does_not_load_is_an_error(
    site: Site, settings: Settings, loading: None
) -> None:
    def build(*_: object) -> dg.Definitions:
        raise dg.DagsterInvalidDefinitionError("no")

    with pytest.raises(dg.DagsterInvalidDefinitionError):
        load_definitions(site.s3, settings, build)

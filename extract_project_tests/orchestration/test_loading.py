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
from extract_project.manifest.snapshot import Snapshot, load_snapshot
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.load.loading import RefusedManifest, load_definitions
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.own_definitions import definitions as own_definitions

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
    """Definitions of one's own refuse it whatever is in it, and the sensor says so."""
    refusing = True

    def build(
        snapshot_id: str, snapshot: Snapshot, refused: RefusedManifest | None
    ) -> dg.Definitions:
        if refusing and len(snapshot.files) > 1:
            raise dg.DagsterInvalidDefinitionError("only one file is supported")
        return compose(snapshot, CodeLocation(settings, settings.connect, snapshot_id), refused)

    def load() -> tuple[set[str], str]:
        """The extracts, and the snapshot that runs will execute."""
        made = load_definitions(settings.connect(), settings, build)
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
        with pytest.raises(ManifestError, match=r"1 added .* only one file is supported"):
            sensors[-1](context)
    refusing = False
    assert load()[0] == {"a/first", "a/second"}


def test_a_first_manifest_that_does_not_load_is_an_error(
    site: Site, settings: Settings, loading: None
) -> None:
    def build(*_: object) -> dg.Definitions:
        raise dg.DagsterInvalidDefinitionError("no")

    with pytest.raises(dg.DagsterInvalidDefinitionError):
        load_definitions(settings.connect(), settings, build)


def test_g6_a_file_whose_key_somebody_else_has_is_alone(
    site: Site, settings: Settings, loading: None
) -> None:
    """`own/report` is an asset of the team's own: neither a valid nor an invalid file can be it."""
    site.put_sql("a/first", "select 1 as a")
    own_definitions()
    for text in ("select 2 as a", "selec 2"):
        site.put_sql("own/report", text)
        site.put_sql("a/first", f"select 3 as a -- {text}")
        site.put_sql("a/invalid", "selec 1")
        repository = own_definitions().get_repository_def()
        graph = repository.asset_graph
        assert {key.to_user_string() for key in graph.materializable_asset_keys} == {
            "a/first",
            "own/report",
        }
        sql = graph.get(dg.AssetKey(["a", "first"])).metadata["sql"]
        assert f"select 3 as a -- {text}" in str(sql)
        (shown,) = (key for key in graph.external_asset_keys if key.path[-1].startswith("report:"))
        assert str(graph.get(shown).description).startswith("INVALID: own/report.sql:1:")
        pending = DefinitionsLoadContext.get().get_pending_reconstruction_metadata()
        saved = load_snapshot(site.state, pending["extract_snapshot"])
        assert {each.path for each in saved.invalid} == {"a/invalid", "own/report"}


@pytest.mark.parametrize(
    "refused",
    [
        [{"m/07"}],
        [{"m/00"}, {"m/11"}],
        [{"m/03", "m/04"}],
        [{"m/02", "m/09"}, {"m/05"}, {"m/06", "m/10", "m/11"}],
        [{f"m/{number:02}"} for number in range(12)],
    ],
    ids=lambda refused: " ".join("+".join(sorted(each)) for each in refused)[:40],
)
def test_g6_the_files_to_blame_are_found(
    site: Site, settings: Settings, loading: None, refused: list[set[str]]
) -> None:
    """Alone or only side by side; whatever loads goes live."""

    def build(
        snapshot_id: str, snapshot: Snapshot, older: RefusedManifest | None
    ) -> dg.Definitions:
        valid = {extract.path for extract in snapshot.extracts}
        for each in refused:
            if each <= valid:
                raise dg.DagsterInvalidDefinitionError(f"no {'+'.join(sorted(each))} here")
        return compose(snapshot, CodeLocation(settings, settings.connect, snapshot_id), older)

    paths = {f"m/{number:02}" for number in range(12)}
    for path in paths:
        site.put_sql(path, "select 1 as a")
    made = load_definitions(settings.connect(), settings, build).get_repository_def().asset_graph
    live = {key.to_user_string() for key in made.materializable_asset_keys}
    red = paths - live
    assert {key.to_user_string() for key in made.external_asset_keys} == red
    for each in refused:
        assert len(each & red) == 1
    assert len(red) == len(refused)
    for path in red:
        description = str(made.get(dg.AssetKey(path.split("/"))).description)
        assert "dagster refuses this extract: no m/" in description


def test_g6_of_files_that_collide_the_new_one_is_to_blame(
    site: Site, settings: Settings, loading: None
) -> None:
    def build(
        snapshot_id: str, snapshot: Snapshot, older: RefusedManifest | None
    ) -> dg.Definitions:
        if len(snapshot.extracts) > 1:
            raise dg.DagsterInvalidDefinitionError("only one extract is supported")
        return compose(snapshot, CodeLocation(settings, settings.connect, snapshot_id), older)

    site.put_sql("m/older", "select 1 as a")
    load_definitions(settings.connect(), settings, build)
    site.put_sql("m/newer", "select 1 as a")
    made = load_definitions(settings.connect(), settings, build).get_repository_def().asset_graph
    assert {key.to_user_string() for key in made.materializable_asset_keys} == {"m/older"}

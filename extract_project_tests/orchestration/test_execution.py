"""What Dagster is told of an attempt whose end S3 keeps to itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import dagster as dg
import pytest

from extract_project.embedded.s3_server import S3Server
from extract_project.publish import places
from extract_project.settings import Settings
from extract_project_tests.conftest import Site
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request, fault_proxy
from extract_project_tests.support.attack.rig import short_grace
from extract_project_tests.support.executing import definitions, execute

KEY = "extracts/a/b.parquet"
TEXT = "/*---\n{timeout: 2s, retries: {max: 0}}\n---*/\nselect 1 as i"


@pytest.fixture
def proxy(
    settings: Settings, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """Between the run and S3; nobody is waited for long."""
    monkeypatch.setattr(places, "_LOOK_UP_SECONDS", 2.0)
    with short_grace(), fault_proxy(server.endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.endpoint)
        yield running


def report(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    return f"{told.description}\n{told.metadata}"


def test_g8_a_version_whose_reply_never_came_is_found_and_recorded(
    site: Site, settings: Settings, proxy: FaultProxy
) -> None:
    site.put_sql("a/b", TEXT)
    published, over = threading.Event(), threading.Event()

    def answered(request: Request) -> None:
        if request.publishes(KEY):
            published.set()
            over.wait(60)

    with dg.DagsterInstance.ephemeral() as instance, proxy.choosing(lambda _: None, answered):
        result = execute(definitions(site, settings), instance)
        over.set()
    assert published.is_set()
    assert result.success
    (event,) = result.get_asset_materialization_events()
    (version_id,) = site.version_ids(KEY)
    assert event.materialization.metadata["s3_version_id"].value == version_id


def test_g8_where_s3_is_silent_the_report_says_that_nobody_knows(
    site: Site, settings: Settings, proxy: FaultProxy
) -> None:
    site.put_sql("a/b", TEXT)
    silent = threading.Event()

    def choose(request: Request) -> Fault | None:
        if request.publishes(KEY):
            silent.set()
        return Fault.STALL if silent.is_set() else None

    with dg.DagsterInstance.ephemeral() as instance, proxy.choosing(choose):
        told = report(execute(definitions(site, settings), instance))
    assert "not done after 2s: it was publishing; " in told
    assert "it is unknown which version readers have: S3 did not answer." in told
    assert "it may still be published" in told
    assert "'timeout'" in told
    assert "untouched" not in told


def test_a_failure_before_publishing_says_what_readers_have(
    site: Site, settings: Settings, proxy: FaultProxy
) -> None:
    site.put_sql("a/b", TEXT)
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(definitions(site, settings), instance).success
        site.put_sql("a/b", TEXT.replace("1 as i", "2 as i"))
        receipts = lambda request: Fault.STALL if "/receipts/" in request.key else None  # noqa: E731
        with proxy.choosing(receipts):
            told = report(execute(definitions(site, settings), instance))
    assert "the published version is untouched: " in told
    assert "may still be published" not in told


def test_g1_nothing_but_the_io_manager_publishes(site: Site, settings: Settings) -> None:
    """Another one in its place stores nothing, and what was staged is aborted."""
    site.put_sql(
        "a/b", "/*---\ncompression: none\n---*/\nselect repeat('x', 1000) from range(20000)"
    )
    loaded = definitions(site, settings)
    with dg.DagsterInstance.ephemeral() as instance:
        replaced = dg.Definitions.merge(
            dg.Definitions(assets=loaded.assets), dg.Definitions(resources={"extracts": _Keeps()})
        )
        assert execute(replaced, instance).success
    assert site.version_ids(KEY) == []
    assert site.open_uploads() == 0


def test_a_materialization_is_stored_before_the_asset_goes_on(
    site: Site, settings: Settings
) -> None:
    """Until then the upload is held open, and after it aborted, unless it is published."""
    site.put_sql("a/b", "select 1 as i")
    with dg.DagsterInstance.ephemeral() as instance:
        events = execute(definitions(site, settings), instance).all_events
    kinds = [event.event_type_value for event in events]
    for stored in ("ASSET_MATERIALIZATION", "HANDLED_OUTPUT"):
        assert kinds.index(stored) < kinds.index("STEP_SUCCESS")
    assert site.version_ids(KEY)


class _Keeps(dg.IOManager):
    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Forget it."""

    def load_input(self, context: dg.InputContext) -> None:
        """Nobody asks."""

"""The manifest sensor: which runs it asks for, and when it asks the instance at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import dagster as dg
import pytest

from extract_project.deployment.loaded import Loaded, Question
from extract_project.deployment.questions import answer_in
from extract_project.orchestration.load import live
from extract_project.orchestration.load.compose import compose
from extract_project.orchestration.run.code_location import CodeLocation
from extract_project.settings import Settings
from extract_project.store.protocol import ListedObject
from extract_project_tests.conftest import Site
from extract_project_tests.support.waiting import await_value

EAGER = "/*---\non_change: materialize\n---*/\n"


def tick(
    site: Site, settings: Settings, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[str | None], str | None]:
    """The run keys and the cursor of one tick of a freshly loaded code location."""
    defs = compose(site.snapshot(), CodeLocation(settings, settings.connect, "snapshot-1"))
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance=instance, repository_def=repository, cursor=cursor
    ) as context:
        data = repository.get_sensor_def("manifest").evaluate_tick(context)
    return [request.run_key for request in data.run_requests or ()], data.cursor


def test_each_code_version_is_asked_for_until_a_tick_is_over(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put_sql("a/eager", f"{EAGER}select 1 as a")
    with dg.DagsterInstance.ephemeral() as instance:
        first, cursor = tick(site, settings, instance, None)
        assert len(first) == 1
        # The daemon that ends before it has written the cursor asks for the same again.
        assert tick(site, settings, instance, None) == (first, cursor)

        with monkeypatch.context() as patched:
            patched.delattr(live, "_changed")  # not asked at all
            assert tick(site, settings, instance, cursor) == ([], cursor)
            site.put_sql("a/eager", f"{EAGER}-- only a comment\nselect 1 as a")
            site.put_sql("a/other", "select 1 as a")
            assert tick(site, settings, instance, cursor) == ([], cursor)

        site.put_sql("a/eager", f"{EAGER}select 2 as a")
        second, later = tick(site, settings, instance, cursor)
        assert len(second) == 1
        assert second != first
        assert later != cursor


def test_nothing_to_watch_has_a_cursor_too(site: Site, settings: Settings) -> None:
    site.put_sql("a/first", "select 1 as a")
    with dg.DagsterInstance.ephemeral() as instance:
        requests, cursor = tick(site, settings, instance, None)
    assert requests == []
    assert cursor


def test_the_sensor_leaves_an_announced_reload_to_who_announced_it(
    site: Site, settings: Settings
) -> None:
    """Without the announcement it asks for a reload, which nothing answers here."""
    site.put_sql("a/first", "select 1 as a")
    defs = compose(site.snapshot(), CodeLocation(settings, settings.connect, "snapshot-1"))
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("manifest")
    site.put_sql("a/added", "select 2 as a")

    def evaluate(cursor: str | None) -> tuple[str | None, str | None]:
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_sensor_context(
                instance=instance, repository_def=repository, cursor=cursor
            ) as context,
        ):
            data = sensor.evaluate_tick(context)
        return data.skip_message, data.cursor

    _, told = evaluate(Question(extracts=("a/*",), reloads=True).model_dump_json())
    loaded = answer_in(told or "", Loaded)
    assert (list(loaded.versions), loaded.newer) == (["a/first"], ("a/added.sql",))
    reason, _ = evaluate(None)
    assert reason == "1 added (sql/a/added.sql): somebody else has them loaded right now"


class SlowWebserver(ThreadingHTTPServer):
    """Answers a request for a reload when it may, and counts them; every reload succeeds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reload)
        self.requests: list[bytes] = []
        self.may_answer = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Reload(BaseHTTPRequestHandler):
    server: SlowWebserver

    def do_POST(self) -> None:
        self.server.requests.append(self.rfile.read(int(self.headers["content-length"])))
        self.server.may_answer.wait()
        body = b'{"data": {"reloadRepositoryLocation": {"__typename": "WorkspaceLocationEntry"}}}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def webserver() -> Iterator[SlowWebserver]:
    with SlowWebserver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def reloading(settings: Settings, webserver: SlowWebserver) -> Settings:
    """With a webserver that answers at once."""
    webserver.may_answer.set()
    return settings.model_copy(update={"dagster_url": webserver.url})


def test_a_reload_that_outlasts_a_tick_is_asked_for_once(
    site: Site, settings: Settings, webserver: SlowWebserver
) -> None:
    site.put_sql("a/first", "select 1 as a")
    there = settings.model_copy(update={"dagster_url": webserver.url})
    location = CodeLocation(there, there.connect, "snapshot-1")
    snapshot = site.snapshot()
    sensor = live.manifest_sensor(snapshot, location, patience=0)
    site.put_sql("a/added", "select 2 as a")
    with dg.DagsterInstance.ephemeral() as instance:

        def evaluate() -> str | None:
            with dg.build_sensor_context(
                instance=instance, definitions=dg.Definitions(sensors=[sensor])
            ) as context:
                return sensor.evaluate_tick(context).skip_message

        change = "1 added (sql/a/added.sql)"
        assert [evaluate() for _ in range(3)] == [f"{change}: being loaded"] * 3
        webserver.may_answer.set()
        await_value("the reload", lambda: evaluate() == f"{change}: reloaded", 30)
    assert len(webserver.requests) == 1


def test_how_often_the_manifest_is_looked_at_is_a_setting(site: Site, settings: Settings) -> None:
    """Two seconds less are asked for: the daemon looks at each sensor every five."""
    site.put_sql("a/first", "select 1 as a")
    found = []
    for seconds in (2.5, 5, 60):
        changed = settings.model_copy(update={"manifest_seconds": seconds})
        defs = compose(site.snapshot(), CodeLocation(changed, changed.connect, "snapshot-1"))
        sensor = defs.get_repository_def().get_sensor_def("manifest")
        found.append(sensor.minimum_interval_seconds)
    assert found == [3, 3, 58]


@pytest.mark.parametrize(
    ("seconds", "seen"),
    [(5, "1 SQL files, all of them loaded"), (2.5, "1 added (sql/a/added.sql): reloaded")],
)
def test_a_tick_that_sees_no_change_looks_again(
    site: Site, reloading: Settings, monkeypatch: pytest.MonkeyPatch, seconds: float, seen: str
) -> None:
    site.put_sql("a/first", "select 1 as a")
    there = reloading.model_copy(update={"manifest_seconds": seconds})
    sensor = live.manifest_sensor(site.snapshot(), CodeLocation(there, there.connect, "snapshot-1"))
    definitions = dg.Definitions(sensors=[sensor])
    waits: list[float] = []

    def wait(seconds: float) -> None:
        site.put_sql("a/added", "select 2 as a")
        waits.append(seconds)

    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):  # the first tick after a load only looks for runs to launch
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, definitions=definitions
            ) as context:
                data = sensor.evaluate_tick(context)
            cursor = data.cursor
    assert data.skip_message == seen
    assert all(wait <= seconds for wait in waits)


NOW = datetime(2026, 11, 29, 6, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ([60, 3], 0),
        ([60, 2.5], 0.5),
        ([60, 0.5], 2),
        ([-3600], 2),  # by a clock that is an hour ahead
        ([None], 2),
    ],
)
def test_a_change_that_stands_still_is_loaded_at_once(
    written: list[float | None], seconds: float
) -> None:
    files = {
        f"{number}.sql": ListedObject(
            f"{number}.sql", "new", None if ago is None else NOW - timedelta(seconds=ago)
        )
        for number, ago in enumerate(written)
    }
    assert live.to_settle({}, files, NOW) == timedelta(seconds=seconds)


def test_only_changes_are_waited_for_and_a_removal_always() -> None:
    same = ListedObject("same.sql", "same", NOW)
    changed = ListedObject("changed.sql", "new", NOW - timedelta(minutes=1))
    files = {each.key: each for each in (same, changed)}
    loaded = {"same.sql": "same", "changed.sql": "old"}
    assert live.to_settle(loaded, files, NOW) == timedelta()
    assert live.to_settle({**loaded, "gone.sql": "x"}, files, NOW) == timedelta(seconds=2)

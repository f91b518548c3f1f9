"""Runs that are told to end at every request that they make of S3, with real run workers (G8).

The signal reaches the worker while S3 has not got the request yet, or while its reply is on the
way. Wherever that is, the run ends as cancelled, the query is not sent again, no upload stays
open, and what has been published is recorded.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, EventLogEntry

from extract_project.deployment.client import Deployment
from extract_project.embedded.s3_server import S3Server
from extract_project_tests.support.attack.proxy import Fault, FaultProxy, Request, fault_proxy
from extract_project_tests.support.installation import Installation, installation
from extract_project_tests.support.rigs import snowflake_service, snowflake_settings
from extract_project_tests.support.snowflake_server import SnowflakeServer, snowflake_server
from extract_project_tests.support.waiting import await_value

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]  # all runs are one fixture

_SECONDS = 240
_AT_ONCE = 3
_LARGE = "select n, repeat(md5(n::varchar), 300) as digest from range(1200) t(n)"
"""Two parts of an upload, where it is not compressed."""
_HEADER = "warehouse: snow, retries: {max: 1, delay: 1s}"


@dataclass(frozen=True)
class Case:
    """When the run is told to end."""

    name: str
    operation: str
    nth: int = 1
    part: str = ""
    moment: Literal["asked", "answered"] = "asked"
    """Before S3 gets the request, or when it has answered and the run does not know it yet."""
    times: int = 1
    """How many signals."""
    then: Fault | None = None
    """What S3 says to everything from then on."""
    fails: str = ""
    """The operation that S3 refuses from the beginning."""
    header: str = "compression: none"
    sql: str = _LARGE
    queries: int = 1
    published: bool = False
    elsewhere: int | None = None
    """Of a run with a second destination: the versions there."""

    @property
    def path(self) -> str:
        return f"cancel/{self.name.replace(' ', '_')}"

    @property
    def key(self) -> str:
        split = "split" in self.header
        return f"extracts/{self.path}/_manifest.json" if split else f"extracts/{self.path}.parquet"

    @property
    def text(self) -> str:
        to = "" if self.elsewhere is None else ", to: [data, crm]"
        return f"/*---\n{{{_HEADER}, {self.header}{to}}}\n---*/\n{self.sql}"


_SPLIT = "split: {rows: 500}"
_CRM = "cancel-crm"
_ONE_ROW = "select id from shop.orders"
CASES = [
    Case("look at what is current", "HeadObject", queries=0),
    Case("sweep", "ListMultipartUploads", queries=0),
    Case("begin of an upload", "CreateMultipartUpload"),
    Case("begun upload", "CreateMultipartUpload", moment="answered"),
    Case("first part", "UploadPart", part="1"),
    Case("last part", "UploadPart", part="2", moment="answered", times=2),
    Case("second look", "HeadObject", nth=2),
    Case("receipt", "PutObject", moment="answered"),
    Case("last look", "HeadObject", nth=3, moment="answered"),
    Case("publish", "CompleteMultipartUpload", published=True),
    Case("published", "CompleteMultipartUpload", moment="answered", published=True, times=3),
    Case("put", "PutObject", nth=2, sql=_ONE_ROW, published=True),
    Case("put is done", "PutObject", nth=2, moment="answered", sql=_ONE_ROW, published=True),
    Case("a part of several", "CompleteMultipartUpload", moment="answered", header=_SPLIT),
    Case("their manifest", "PutObject", nth=2, moment="answered", header=_SPLIT, published=True),
    Case("second upload is begun", "CreateMultipartUpload", 2, moment="answered", elsewhere=0),
    Case(
        "second one of two",
        "CompleteMultipartUpload",
        moment="answered",
        published=True,
        elsewhere=0,
    ),
    Case(
        "both of two", "CompleteMultipartUpload", 2, moment="answered", published=True, elsewhere=1
    ),
    Case(
        "between manifests",
        "PutObject",
        2,
        moment="answered",
        header=_SPLIT,
        published=True,
        elsewhere=0,
    ),
    Case("s3 fails then", "UploadPart", part="1", then=Fault.EXPIRED_TOKEN),
    Case("report of a failure", "HeadObject", nth=2, fails="UploadPart"),
]


@dataclass
class Attacked:
    """What became of a case's run."""

    run_id: str = ""
    status: str = ""
    hit: bool = False
    events: Sequence[EventLogEntry] = ()

    def count(self, kind: DagsterEventType) -> int:
        return sum(each.dagster_event_type is kind for each in self.events)


@dataclass
class Attacker:
    """Tells each case's run to end when its moment has come."""

    instance: DagsterInstance
    attacked: dict[str, Attacked] = field(default_factory=dict)
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, request: Request) -> Fault | None:
        case = _case_of(request)
        if case is None:
            return None
        found = self.attacked[case.path]
        if found.hit and case.then:
            return case.then
        if request.operation == case.fails:
            return Fault.EXPIRED_TOKEN
        with self._lock:
            count = (case.path, request.operation, request.part)
            self._counts[count] += 1
            hit = _is(case, request) and self._counts[count] == case.nth
        if hit and case.moment == "asked":
            self._tell(case, found)
        return None

    def answered(self, request: Request) -> None:
        case = _case_of(request)
        if case is None or case.moment != "answered" or not _is(case, request):
            return
        found = self.attacked[case.path]
        if self._counts[case.path, request.operation, request.part] >= case.nth and not found.hit:
            self._tell(case, found)

    def _tell(self, case: Case, found: Attacked) -> None:
        """As a launcher does that terminates a run."""
        run_id = await_value("the run's id", lambda: found.run_id)
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        self.instance.report_run_canceling(run)
        pid = await_value("the worker", lambda: _worker(self.instance, run_id))
        rests = _rests(pid)
        for _ in range(case.times):
            os.kill(pid, signal.SIGTERM)
        await_value("the worker takes the signal", lambda: _has_taken(pid, rests))
        found.hit = True


def _has_taken(pid: int, rests: int) -> bool:
    """Whether a process that has rested so often has handled its signals.

    The kernel delivers a signal when the main thread goes on, and Python calls the handler before
    that thread rests again. Twice, because it may have been on its way to rest before. Without
    this, S3's answer can reach the worker first, and the run publishes before it is told to end.
    """
    status = _status(pid)
    pending = int(status["ShdPnd"], 16) | int(status["SigPnd"], 16)
    is_pending = pending & 1 << signal.SIGTERM - 1
    return not is_pending and int(status["voluntary_ctxt_switches"]) >= rests + 2


def _rests(pid: int) -> int:
    """How often the main thread has waited for something."""
    return int(_status(pid)["voluntary_ctxt_switches"])


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _case_of(request: Request) -> Case | None:
    where = f"{request.key or request.prefix}/"
    if where.endswith(".sql/"):  # what the bucket has is looked at too
        return None
    return next((case for case in CASES if re.search(rf"{case.path}[./]", where)), None)


def _is(case: Case, request: Request) -> bool:
    return (request.operation, request.part) == (case.operation, case.part or request.part)


def _end(instance: DagsterInstance, run_id: str) -> str:
    def status() -> str | None:
        run = instance.get_run_by_id(run_id)
        return run.status.value if run and run.is_finished else None

    return await_value(f"the end of run {run_id}", status, _SECONDS)


def _worker(instance: DagsterInstance, run_id: str) -> int | None:
    messages = (entry.message for entry in instance.all_logs(run_id))
    found = (re.search(r"Started process for run \(pid: (\d+)\)", text) for text in messages)
    return next((int(each.group(1)) for each in found if each), None)


@pytest.fixture(scope="module")
def snowflake() -> Iterator[SnowflakeServer]:
    with snowflake_server(snowflake_service()) as running:
        yield running


@pytest.fixture(scope="module")
def running(
    module_aws: S3Server, snowflake: SnowflakeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, FaultProxy]]:
    home = tmp_path_factory.mktemp("dagster")
    files = {case.path: case.text for case in CASES} | {
        "cancel_waiting": f"/*---\n{{{_HEADER.replace('1s', '1h')}}}\n---*/\nselect 1 as one",
    }
    module_aws.make_bucket(_CRM)
    with fault_proxy(module_aws.endpoint) as proxy:
        more = {
            **snowflake_settings(snowflake),
            "AWS_ENDPOINT_URL_S3": proxy.endpoint,
            "EXTRACT_DESTINATIONS__CRM__URL": f"s3://{_CRM}/extracts",
        }
        with installation(module_aws, home, "cancel", files, more) as installed:
            yield installed, proxy


@pytest.fixture(scope="module")
def attacked(running: tuple[Installation, FaultProxy]) -> dict[str, Attacked]:
    """All runs, a few at a time."""
    installed, proxy = running
    with DagsterInstance.from_config(str(installed.server.home)) as instance:
        attacker = Attacker(instance, {case.path: Attacked() for case in CASES})

        def run(case: Case) -> None:
            found = attacker.attacked[case.path]
            found.run_id = Deployment(installed.server.url).launch([case.path])
            found.status = _end(instance, found.run_id)
            found.events = instance.all_logs(found.run_id)

        with (
            proxy.choosing(attacker.asked, attacker.answered),
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            list(pool.map(run, CASES))
    return attacker.attacked


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_g8_a_run_ends_cancelled_wherever_it_is_told_to(
    case: Case,
    running: tuple[Installation, FaultProxy],
    attacked: dict[str, Attacked],
    snowflake: SnowflakeServer,
) -> None:
    site, found = running[0].site, attacked[case.path]
    assert found.hit, "the moment never came"
    assert found.status == "CANCELED"
    queries = [q for q in snowflake.service.queries if f'"{case.path}"' in q.tag]
    assert len(queries) == case.queries
    assert all(each.state != "RUNNING" for each in queries)
    assert found.count(DagsterEventType.STEP_UP_FOR_RETRY) == 0
    versions = site.version_ids(case.key)
    assert len(versions) == case.published
    if case.elsewhere is not None:
        there = site.s3.list_object_versions(Bucket=_CRM, Prefix=case.key).get("Versions", [])
        assert len(there) == case.elsewhere
        left = site.s3.list_multipart_uploads(Bucket=_CRM, Prefix=f"extracts/{case.path}")
        assert not left.get("Uploads")
        if case.published and not case.elsewhere:
            (observed,) = (
                each.asset_observation
                for each in found.events
                if each.dagster_event_type is DagsterEventType.ASSET_OBSERVATION
            )
            assert observed is not None
            assert versions[0] in str(observed.metadata["destinations"].value)
            versions = []  # what one of two destinations lacks is not materialized
    recorded = [each for each in found.events if each.asset_materialization]
    assert [
        each.asset_materialization.metadata["s3_version_id"].value
        for each in recorded
        if each.asset_materialization
    ] == versions
    reply = site.s3.list_multipart_uploads(Bucket=site.data.bucket, Prefix=f"extracts/{case.path}")
    assert bool(reply.get("Uploads")) == bool(case.then), "only where S3 refuses to abort it"


def test_g8_a_run_that_waits_for_its_next_try_ends_at_once(
    running: tuple[Installation, FaultProxy],
) -> None:
    installed, proxy = running
    key = "extracts/cancel_waiting.parquet"

    def fail(request: Request) -> Fault | None:
        return Fault.EXPIRED_TOKEN if request.key == key else None

    with (
        DagsterInstance.from_config(str(installed.server.home)) as instance,
        proxy.choosing(fail),
    ):
        run_id = installed.deployment.launch(["cancel_waiting"])
        waits = DagsterEventType.STEP_UP_FOR_RETRY
        await_value(
            "the wait for the next try",
            lambda: instance.get_records_for_run(run_id, of_type=waits).records or None,
            _SECONDS,
        )
        run = instance.get_run_by_id(run_id)
        pid = _worker(instance, run_id)
        assert run is not None
        assert pid is not None
        instance.report_run_canceling(run)
        os.kill(pid, signal.SIGTERM)
        assert _end(instance, run_id) == "CANCELED"
        assert instance.get_latest_materialization_event(AssetKey("cancel_waiting")) is None

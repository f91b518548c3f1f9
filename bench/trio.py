"""Measure Dagster's processes on an embedded site from outside: seconds and memory."""

from __future__ import annotations

import json
import os
import re
import signal
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import AssetKey, DagsterInstance
from dagster._grpc.client import DagsterGrpcClient

from bench.measure import family, high_water, proportional
from extract_project.deployment.client import Deployment
from extract_project.embedded.dagster_server import DagsterServer, dagster_server
from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.embedded.site import EmbeddedSite
from extract_project.history.receipt import load_receipt
from extract_project.history.versions import find_version
from extract_project.settings import load_settings

_POLL_SECONDS = 0.02
_LONGEST = 300
_CATALOG = """{ assetNodes {
  id groupName opName description isMaterializable kinds hasMaterializePermission
  assetKey { path } tags { key value } owners { ... on UserAssetOwner { email } }
  repository { name location { name } } } }"""


@dataclass(frozen=True)
class CodeServer:
    """How long a code server took to be ready, and its memory then."""

    ready: float
    memory_bytes: int


@dataclass(frozen=True)
class Worker:
    """One run: seconds to launch it, seconds from the start of its process to its query, peak
    memory.
    """

    launch: float
    to_query: float
    peak_bytes: int


@contextmanager
def code_server(site: EmbeddedSite) -> Iterator[CodeServer]:
    """A code server alone."""
    port = free_port()
    command = (
        *(str(Path(sysconfig.get_path("scripts")) / "extract"), "code-server"),
        *("--port", str(port)),
    )
    home = site.directory / "alone"
    home.mkdir()
    environment = {**site.process_environment(), "DAGSTER_HOME": str(home)}
    log = home / "code-server.log"
    begun = time.monotonic()
    with running(command, log, environment) as process:
        await_ready("the code server", lambda: is_listening(port), process, log, _LONGEST)
        DagsterGrpcClient(port=port, host="127.0.0.1").list_repositories()
        ready = time.monotonic() - begun
        yield CodeServer(ready, sum(proportional(pid) for pid in family(process.pid)))


class Trio:
    """Code server, webserver and daemon."""

    def __init__(self, server: DagsterServer) -> None:
        self._server = server
        self.deployment = Deployment(server.url)
        self.url, self.home = server.url, server.home

    def catalog(self) -> int:
        """Ask for all assets as the catalog page does; returns how many there are."""
        return len(self._ask(_CATALOG)["assetNodes"])

    def await_first_round(self) -> None:
        """Wait until the daemon has noted the freshness of each asset for the first time.

        It writes an event for each, which keeps it busy for a minute with 5,000 assets.
        """
        keys = [AssetKey(node["assetKey"]["path"]) for node in self._ask(_CATALOG)["assetNodes"]]
        with DagsterInstance.from_config(str(self._server.home)) as instance:
            _await(
                "the daemon's first round",
                lambda: len(instance.get_freshness_state_records(keys)) == len(keys),
                seconds=1,
            )

    def await_asset(self, path: str) -> None:
        """Wait until the webserver has loaded an extract."""
        key = json.dumps(path.split("/"))
        query = f"{{ assetNodes(assetKeys: [{{path: {key}}}]) {{ id }} }}"
        _await(path, lambda: bool(self._ask(query)["assetNodes"]), seconds=10 * _POLL_SECONDS)

    def run(self, path: str) -> Worker:
        """Materialize one extract, watching its run worker."""
        begun = time.monotonic()
        run_id = self.deployment.launch([path])
        launch = time.monotonic() - begun
        peaks: dict[int, int] = {}
        starts: dict[int, float] = {}
        with DagsterInstance.from_config(str(self._server.home)) as instance:
            while True:
                for pid in family(_child("one_machine.daemon")):
                    peaks[pid] = max(peaks.get(pid, 0), high_water(pid))
                    with suppress(OSError):
                        starts.setdefault(pid, _started_at(pid))
                run = instance.get_run_by_id(run_id)
                if run is None or run.is_finished:
                    break
                time.sleep(_POLL_SECONDS)
            messages = " ".join(each.message for each in instance.all_logs(run_id))
        if run is None or not run.is_success:
            raise SystemExit(f"the run of {path} failed: {messages[-2000:]}")
        found = re.search(r"Started process for run \(pid: (\d+)\)", messages)
        assert found is not None
        pid = int(found.group(1))
        return Worker(launch, _queried_at(path) - starts[pid], peaks[pid])

    @contextmanager
    def daemon_paused(self) -> Iterator[None]:
        """Keep the manifest sensor from reloading the code location during a measurement."""
        pid = _child("one_machine.daemon")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _ask(self, query: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._server.url}/graphql",
            json.dumps({"query": query}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_LONGEST) as reply:
            answer = json.load(reply)
        if answer.get("errors"):
            raise SystemExit(f"the webserver refuses a query: {answer['errors'][0]['message']}")
        return dict(answer["data"])


@contextmanager
def trio(site: EmbeddedSite) -> Iterator[Trio]:
    """The three processes, as they are deployed."""
    with dagster_server(site.directory / "dagster", site.process_environment()) as server:
        yield Trio(server)


def _await(what: str, is_there: Callable[[], bool], seconds: float) -> None:
    """Wait until it is there, asking each so many seconds."""
    deadline = time.monotonic() + _LONGEST
    while not is_there():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} is not there after {_LONGEST} s")
        time.sleep(seconds)


def _child(word: str) -> int:
    """The child of this process whose command line contains a word."""
    for pid in family(os.getpid())[1:]:
        with suppress(OSError):
            if word in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
    raise SystemExit(f"there is no process of {word!r}")


def _started_at(pid: int) -> float:
    """Seconds since 1970."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def _queried_at(path: str) -> float:
    """Seconds since 1970 at which the newest version's query was sent."""
    folders = load_settings().connect()
    key = folders.data.key(f"{path}.parquet")
    version = find_version(folders.data.store, key)
    assert version is not None
    receipt = load_receipt(folders.state, key, version.provenance["receipt"])
    assert receipt is not None
    return receipt.started_at.timestamp() + receipt.stages.connect

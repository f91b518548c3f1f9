"""Two code servers, a webserver and a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance

from extract_project.embedded.dagster_server import DagsterProcesses, dagster_processes
from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project_tests.support.graphql import graphql

_START_SECONDS = 120
_SERVER = "code-server"
_LOCATIONS = """{ workspaceOrError { ... on Workspace {
  locationEntries { name versionKey } } } }"""


@dataclass(frozen=True)
class CodeServer:
    """A code server to start: the location that it is, its definitions and its environment."""

    location: str
    environment: Mapping[str, str]
    module: str = "extract_project.definitions"


@dataclass(frozen=True)
class Several:
    """What runs."""

    url: str
    home: Path
    ports: tuple[int, ...]
    """Of the code servers."""
    servers: tuple[subprocess.Popen[bytes], ...]

    def loads(self) -> dict[str, str]:
        """Each location, and a key that changes when the webserver loads it anew."""
        entries = graphql(self.url, _LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {each["name"]: each["versionKey"] for each in entries}


@contextmanager
def several(
    home: Path,
    servers: tuple[CodeServer, ...],
    *,
    daemon_uses: slice = slice(None),
    webserver_uses: slice = slice(None),
) -> Iterator[Several]:
    """Start the code servers together, then a webserver and a daemon on those that they use."""
    processes = dagster_processes(home, {**os.environ, **servers[0].environment})
    with DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs(limit=1)
        instance.all_instigator_state()  # its databases are there: two processes that make them at
        # the same time make one of SQLite that Dagster cannot read
    ports = tuple(free_port() for _ in servers)
    with ExitStack() as stack:
        started = [
            stack.enter_context(_code_server(processes, each, port))
            for each, port in zip(servers, ports, strict=True)
        ]
        for process, each, port in zip(started, servers, ports, strict=True):
            stack.callback(_kill, process)
            log = processes.log(f"{_SERVER}-{port}")
            ready = lambda port=port: is_listening(port)  # noqa: E731
            await_ready(f"the {each.location}", ready, process, log, _START_SECONDS)
        for name, used in (("webserver", webserver_uses), ("daemon", daemon_uses)):
            entries = list(zip(servers, ports, strict=True))[used]
            _write_workspace(home, [_entry(each.location, port) for each, port in entries])
            stack.callback(_kill, stack.enter_context(processes.started(name)))
        yield Several(processes.server.url, home, ports, tuple(started))


@contextmanager
def _code_server(
    processes: DagsterProcesses, server: CodeServer, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    command = list(processes.commands[_SERVER])
    command[command.index("--port") + 1] = str(port)
    command[command.index("--module") + 1] = server.module
    environment = {**processes.environment, **server.environment}
    with running(command, processes.log(f"{_SERVER}-{port}"), environment) as process:
        yield process


def _entry(location: str, port: int) -> dict[str, Any]:
    return {"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": location}}


def _write_workspace(home: Path, entries: list[dict[str, Any]]) -> None:
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": entries}))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Its threads take long to end."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)

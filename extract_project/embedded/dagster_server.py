"""Dagster on this machine, in the processes of a deployment: code server, webserver, daemon."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.settings import LOCATION

_START_SECONDS = 120
_INSTANCE: Mapping[str, Any] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "scheduler": {
        "module": "dagster._core.scheduler",
        "class": "DagsterDaemonScheduler",
        "config": {"max_tick_retries": 5},
    },
    "run_coordinator": {
        "module": "dagster",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1},  # by default a run waits for up to five
    },
    "run_launcher": {
        "module": "extract_project.orchestration.one_machine.launcher",
        "class": "ForkingRunLauncher",
    },
    "run_monitoring": {"enabled": True, "poll_interval_seconds": 5},
}
_DAEMON = "extract_project.orchestration.one_machine.daemon"
_WORKSPACE = """\
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: {location}
"""


@dataclass(frozen=True)
class DagsterServer:
    """The address of the UI and the GraphQL API, and Dagster's home directory."""

    url: str
    home: Path


@dataclass(frozen=True)
class DagsterProcesses:
    """The processes to start, in this order: code server, webserver, daemon."""

    server: DagsterServer
    environment: Mapping[str, str]
    grpc_port: int
    commands: Mapping[str, tuple[str, ...]]

    def log(self, name: str) -> Path:
        return self.server.home / "log" / f"{name}.log"

    def is_ready(self, name: str) -> bool:
        """Whether a process is ready. The daemon counts as ready when it has started."""
        if name == "code-server":
            return is_listening(self.grpc_port)
        return name != "webserver" or _answers(self.server.url)

    @contextmanager
    def started(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of them; raises EmbeddedError when it does not get ready."""
        with running(self.commands[name], self.log(name), self.environment) as process:
            ready = lambda: self.is_ready(name)  # noqa: E731
            await_ready(f"the {name}", ready, process, self.log(name), _START_SECONDS)
            yield process


def dagster_processes(
    home: Path,
    environment: Mapping[str, str],
    port: int | None = None,
    sections: Mapping[str, Any] | None = None,
    module: str = "extract_project.definitions",
    *,
    location: str = LOCATION,
) -> DagsterProcesses:
    """Write the instance's configuration, and return the processes to start.

    `sections` are added to dagster.yaml, or replace its defaults. `module` has the definitions;
    `location` is the name of its code location.
    """
    home.mkdir(parents=True, exist_ok=True)
    written = {
        **_INSTANCE,
        "storage": {"custom": _storage(home)},
        "compute_logs": _logs(home),
        **(sections or {}),
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(written))
    workspace = home / "workspace.yaml"
    grpc_port, port = free_port(), port or free_port()
    workspace.write_text(_WORKSPACE.format(port=grpc_port, location=location))
    server = DagsterServer(f"http://127.0.0.1:{port}", home)
    return DagsterProcesses(
        server,
        {
            **environment,
            "DAGSTER_HOME": str(home.resolve()),
            "EXTRACT_DAGSTER_URL": server.url,
        },
        grpc_port,
        {
            "code-server": (
                *(_script("extract"), "code-server", "--port", str(grpc_port)),
                *("--module", module, "--", "--use-python-environment-entry-point"),
            ),
            "webserver": (
                *(_script("dagster-webserver"), "-h", "127.0.0.1", "-p", str(port)),
                *("-w", str(workspace), "--log-level", "warning"),
            ),
            "daemon": (sys.executable, "-m", _DAEMON, "run", "-w", str(workspace)),
        },
    )


@contextmanager
def dagster_server(
    home: Path,
    environment: Mapping[str, str],
    port: int | None = None,
    sections: Mapping[str, Any] | None = None,
    module: str = "extract_project.definitions",
) -> Iterator[DagsterServer]:
    """Start the three processes with `environment`, and wait until all are ready."""
    processes = dagster_processes(home, environment, port, sections, module)
    with ExitStack() as stack:
        for name in processes.commands:
            stack.enter_context(processes.started(name))
        yield processes.server


def _storage(home: Path) -> Mapping[str, Any]:
    return {
        "module": "extract_project.orchestration.one_machine.storage",
        "class": "OpenSqliteStorage",
        "config": {"base_dir": str(home.resolve())},
    }


def _logs(home: Path) -> Mapping[str, Any]:
    return {
        "module": "extract_project.orchestration.one_machine.logs",
        "class": "FilesOnly",
        "config": {"base_dir": str((home / "storage").resolve())},
    }


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _script(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)

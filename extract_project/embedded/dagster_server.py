"""Dagster as it is deployed, on this machine: code server, webserver and daemon."""

from __future__ import annotations

import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from extract_project.embedded.process import await_ready, free_port, is_listening, running

_START_SECONDS = 120
_INSTANCE = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
"""
_WORKSPACE = """\
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: extract_project
"""


@dataclass(frozen=True)
class DagsterServer:
    """Where the UI and the GraphQL API are."""

    url: str
    home: Path


@contextmanager
def dagster_server(
    home: Path,
    environment: Mapping[str, str],
    port: int | None = None,
    sections: str = "",
) -> Iterator[DagsterServer]:
    """Start the three processes with `environment`, and wait until the UI knows the extracts.

    `sections` is what dagster.yaml has besides.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(_INSTANCE + sections)
    workspace = home / "workspace.yaml"
    grpc_port, port = free_port(), port or free_port()
    workspace.write_text(_WORKSPACE.format(port=grpc_port))
    environment = {
        **environment,
        "DAGSTER_HOME": str(home.resolve()),
        "EXTRACT_DAGSTER_URL": f"http://127.0.0.1:{port}",
    }

    code_server = (
        *(sys.executable, "-m", "dagster", "code-server", "start", "-h", "127.0.0.1"),
        *("-p", str(grpc_port), "-m", "extract_project.definitions"),
        "--use-python-environment-entry-point",
    )
    webserver = (
        *(_script("dagster-webserver"), "-h", "127.0.0.1", "-p", str(port)),
        *("-w", str(workspace), "--log-level", "warning"),
    )
    daemon = (_script("dagster-daemon"), "run", "-w", str(workspace))

    logs = home / "log"
    code_log, web_log, daemon_log = (
        logs / f"{name}.log" for name in ("code-server", "webserver", "daemon")
    )
    with running(code_server, code_log, environment) as code:
        ready = lambda: is_listening(grpc_port)  # noqa: E731
        await_ready("the code server", ready, code, code_log, _START_SECONDS)
        with running(webserver, web_log, environment) as web:
            server = DagsterServer(f"http://127.0.0.1:{port}", home)
            await_ready("the webserver", lambda: _answers(server.url), web, web_log, _START_SECONDS)
            with running(daemon, daemon_log, environment):
                yield server


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _script(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)

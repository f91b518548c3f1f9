"""The processes: one image, four commands. In the small footprint the services share a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.stack.groups import CODE_PORT, UI_PORT
from deploy.stack.network import DOMAIN
from deploy.stack.parameters import SMALL, STANDARD, ref, ref_number

_VOLUMES = {"home": "/opt/dagster", "tmp": "/tmp"}
_SERVICE_CPU, _SERVICE_MEMORY = 512, 2048
_HOME = "$DAGSTER_HOME"
_WORKSPACE = ("-w", "/opt/extract/workspace.yaml", "-w", f"{_HOME}/further.yaml")
"""The code server of this stack, and those of further locations."""


@dataclass(frozen=True)
class Process:
    """The differences between the four processes."""

    name: str
    command: Sequence[str]
    role: str
    execution_role: str
    log_group: str
    cpu: str
    memory: str
    warehouse: bool
    """Whether it reads settings, and signs in to warehouses."""
    instance: bool
    """Whether it writes dagster.yaml at its start; its child processes get the instance from it."""
    port: int | None = None
    health: Sequence[str] | None = None
    disk: Any = None
    code_host: str = f"code.{DOMAIN}"
    after: str | None = None
    """The process that has to be healthy before this one starts, in the same task."""
    only: str | None = None
    """The condition of the one footprint that has it; None: both have it."""
    further: bool = False
    """Whether it is of a further code location, in a stack of its own."""

    @property
    def container(self) -> str:
        return self.name.lower()

    @property
    def needs_no_service(self) -> bool:
        """Whether it is there where no service runs, and so without their database."""
        return self.name == "Run" and not self.further

    @property
    def shares_task(self) -> bool:
        """Whether its container is one of several in a task."""
        return self.only == SMALL

    @property
    def volumes(self) -> dict[str, str]:
        """Name to path. No process writes into what another one keeps."""
        prefix = f"{self.container}-" if self.shares_task else ""
        return {f"{prefix}{name}": path for name, path in _VOLUMES.items()}


def _dagster(*command: str) -> list[str]:
    """A command that finds dagster.yaml and further code locations, and is process 1 so that it
    gets SIGTERM."""
    instance = f'printf %s "$DAGSTER_YAML" > {_HOME}/dagster.yaml'
    names = ref("FurtherLocations")
    further = f"extract workspace --domain {DOMAIN} '{names}' > {_HOME}/further.yaml"
    return ["sh", "-c", f"{instance} && {further} && exec {' '.join(command)}"]


def processes() -> list[Process]:
    """Code server, webserver, daemon and run."""
    service: dict[str, Any] = {
        "log_group": "CoreLogs", "cpu": str(_SERVICE_CPU), "memory": str(_SERVICE_MEMORY),
    }  # fmt: skip
    answers = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{UI_PORT}/server_info')"
    serve = ["extract", "code-server", "--host", "0.0.0.0", "--port", str(CODE_PORT)]
    serve += ["--module", "extract_project.definitions"]
    return [
        Process(
            "Code", serve, "CodeRole", "CodeExecutionRole",
            warehouse=True, instance=False, port=CODE_PORT, only=STANDARD,
            health=["CMD", "dagster", "api", "grpc-health-check", "-p", str(CODE_PORT)], **service,
        ),
        Process(
            "Webserver",
            _dagster("dagster-webserver", "-h", "0.0.0.0", "-p", str(UI_PORT), *_WORKSPACE),
            "WebserverRole", "CoreExecutionRole", warehouse=False, instance=True, port=UI_PORT,
            health=["CMD", "python", "-c", answers], only=STANDARD, **service,
        ),
        Process(
            # One-off commands, such as a migration, are run in its task: it is in both.
            "Daemon", _dagster("dagster-daemon", "run", *_WORKSPACE),
            "DaemonRole", "CoreExecutionRole", warehouse=False, instance=True,
            health=["CMD", "dagster-daemon", "liveness-check"], **service,
        ),
        Process(
            "Run", ["dagster", "--version"], "RunRole", "RunExecutionRole", "RunLogs",
            ref("RunCpu"), ref("RunMemory"), warehouse=True, instance=False,
            disk=ref_number("RunDisk"),
        ),
    ]  # fmt: skip


def in_one_task(services: Sequence[Process]) -> list[Process]:
    """The services as containers of one task, each started when the one before it is healthy."""
    before = [None, *(each.container for each in services)]
    return [
        replace(each, code_host="127.0.0.1", after=name, only=SMALL)
        for each, name in zip(services, before, strict=False)
    ]


def of_further_location() -> tuple[Process, Process]:
    """Code server and run of a further location, in a stack of their own."""
    code, _, _, run = processes()
    return replace(code, further=True), replace(run, further=True, only=STANDARD)

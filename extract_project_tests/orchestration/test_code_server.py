"""`extract code-server`, as a deployment starts it: what a reload reads anew, and what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._grpc.client import DagsterGrpcClient

from extract_project.embedded.process import await_ready, free_port, is_listening, running
from extract_project.orchestration.code_server.forked import PRELOADED, Processes
from extract_project.orchestration.fork_server import ForkServer
from extract_project_tests.support.commands import PROGRAM
from extract_project_tests.support.waiting import await_value

_SECONDS = 120
_MODULE = """
import json, os, sys
from pathlib import Path
import dagster as dg
{first}
told = {{"pid": os.getpid(), "argv": sys.argv[:3], "cwd": os.getcwd(), "said": {said!r}}}
Path(__file__).with_name("told.json").write_text(json.dumps(told))
defs = dg.Definitions(globals().get("assets"))
"""


_COUNTED = """
from dagster._core.remote_representation import external_data

describe = external_data.RepositorySnap.from_def

def described(*given, **named):
    with Path(__file__).with_name("described").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    return describe(*given, **named)

external_data.RepositorySnap.from_def = described
"""
"""Has the module under test tell when a code server describes its definitions."""


@dataclass(frozen=True)
class CodeServer:
    """A running code server, whose module tells by a file what it was loaded in."""

    process: subprocess.Popen[bytes]
    client: DagsterGrpcClient
    directory: Path

    def loaded(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "told.json").read_text())
        return found

    def reload(self, said: str, first: str = "") -> None:
        write(self.directory, said, first)
        self.client.reload_code(timeout=_SECONDS)

    def described(self) -> str:
        """What webserver and daemon ask for after each reload."""
        location = GrpcServerCodeLocationOrigin(
            host="127.0.0.1", port=self.client.port, location_name="tiny"
        )
        asked = RemoteRepositoryOrigin(location, "__repository__")
        return self.client.external_repository(asked)


def family(directory: Path) -> list[int]:
    """The processes that have inherited the environment of the code server."""
    marked, found = f"PYTHONPATH={directory}\0".encode(), []
    for each in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if marked in each.read_bytes():
                found.append(int(each.parent.name))
    return found


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def write(directory: Path, said: str, first: str = "") -> None:
    (directory / "tiny.py").write_text(_MODULE.format(said=said, first=first))


@contextmanager
def code_server(directory: Path) -> Iterator[CodeServer]:
    write(directory, "first")
    port, log = free_port(), directory / "log"
    command = (str(PROGRAM), "code-server", "--port", str(port), "--module", "tiny")
    environment = {**os.environ, "DAGSTER_HOME": str(directory), "PYTHONPATH": str(directory)}
    (directory / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    more = ("--", "--working-directory", str(directory), "--log-level", "warning")
    with running((*command, *more), log, environment) as process:
        await_ready("the code server", lambda: is_listening(port), process, log, _SECONDS)
        client = DagsterGrpcClient(port=port, host="127.0.0.1")
        yield CodeServer(process, client, directory)


@pytest.mark.slow
def test_a_reload_forks_and_reads_the_definitions_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with code_server(tmp_path) as server:
        first = server.loaded()
        server.reload("second")
        second = server.loaded()
        command = Path(f"/proc/{second['pid']}/cmdline").read_text()
        assert "multiprocessing.forkserver" in command
        assert second == {
            "pid": second["pid"],
            "argv": ["dagster", "api", "grpc"],
            "cwd": str(tmp_path),
            "said": "second",
        }
        assert second["pid"] != first["pid"]
        await_value("the end of the first", lambda: not lives(first["pid"]), _SECONDS)

        everyone = family(tmp_path)
        assert {server.process.pid, server.loaded()["pid"]} < set(everyone)
    await_value("the end of all", lambda: not any(map(lives, everyone)), _SECONDS)


@pytest.mark.slow
def test_definitions_are_described_once_for_all_who_ask(tmp_path: Path) -> None:
    with code_server(tmp_path) as server:
        server.reload("second", first=f"{_COUNTED}assets = [dg.AssetSpec('two')]")
        with ThreadPoolExecutor(3) as pool:
            texts = set(pool.map(lambda _: server.described(), range(3)))
        assert len(texts) == 1
        second = str(server.loaded()["pid"])
        assert (tmp_path / "described").read_text().split() == [second]

        server.reload("third", first=f"{_COUNTED}assets = [dg.AssetSpec('three')]")
        assert "three" in server.described()
        third = str(server.loaded()["pid"])
        assert (tmp_path / "described").read_text().split() == [second, third]


@pytest.mark.slow
def test_a_process_that_ends_while_it_loads_is_told(tmp_path: Path) -> None:
    with code_server(tmp_path) as server:
        server.reload("never", first="os._exit(7)")
        assert "exited with return code 7" in server.client.list_repositories()


def test_a_process_starts_anew_when_the_code_has_changed(tmp_path: Path) -> None:
    states = count()
    processes = Processes(ForkServer(PRELOADED, installed=lambda: next(states)))
    command = [sys.executable, "-m", "dagster", "--version"]
    started = processes.open(command, cwd=str(tmp_path), env=os.environ)
    assert isinstance(started, subprocess.Popen)
    assert started.wait(_SECONDS) == 0

"""Dagster's code server, with processes that are forked."""

from __future__ import annotations

from collections.abc import Sequence

from extract_project.orchestration.code_server.forked import PRELOADED, Processes
from extract_project.orchestration.fork_server import ForkServer


def serve(arguments: Sequence[str]) -> None:
    """Be `dagster code-server start` with these arguments, until this process is told to end."""
    server = ForkServer(PRELOADED)
    server.begin()
    processes = Processes(server)
    # Imported here because the fork server imports its modules meanwhile.
    from extract_project.orchestration.dagster_internals import run_code_server

    try:
        run_code_server(arguments, processes.open)
    finally:
        processes.end()

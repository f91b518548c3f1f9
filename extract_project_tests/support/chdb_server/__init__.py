"""ClickHouse's HTTP interface, before the real engine (`chdb`, which has no server of its own).

Statements, types, errors and Arrow streams are the engine's. From ClickHouse's documentation and
sources are: the parameters of the URL, the headers, the status of errors, and an error in the
middle of rows, whose text stands in the body before the connection breaks off
(https://clickhouse.com/docs/interfaces/http, `src/Server/HTTPHandler.cpp`). Emulated, since the
engine runs one statement at a time, and gives an answer when it has all of it: `system.processes`,
`KILL QUERY`, `readonly` for what is no query, and errors in the middle. Not covered: profiles and
grants of users, quotas, clusters, compression of HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from extract_project_tests.support.chdb_server.engine import Engine
from extract_project_tests.support.chdb_server.http import Handler
from extract_project_tests.support.chdb_server.service import Cut, Service
from extract_project_tests.support.environments import python_of
from extract_project_tests.support.http_double import serving

__all__ = ["ChdbServer", "Cut", "Engine", "Service", "chdb_engine", "chdb_server"]

_LOCK = Path(__file__).with_name("requirements.lock")


@dataclass(frozen=True)
class ChdbServer:
    """A server on the loopback address."""

    port: int
    service: Service


@contextmanager
def chdb_engine(directory: Path) -> Iterator[Engine]:
    """An engine whose tables are in this directory."""
    engine = Engine(python_of("chdb", _LOCK), directory)
    try:
        yield engine
    finally:
        engine.kill()


@contextmanager
def chdb_server(engine: Engine) -> Iterator[ChdbServer]:
    """Serve the engine, within the block."""
    service = Service(engine)
    with serving(0, Handler, service) as port:
        yield ChdbServer(port, service)

"""A real pgbouncer in front of the tests' PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from extract_project.warehouses.postgres import PostgresWarehouse
from extract_project_tests.support.relay import relay
from extract_project_tests.support.waiting import await_value

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
query_wait_timeout = 60
server_reset_query = {reset}
"""


@contextmanager
def pgbouncer(
    postgres: PostgresWarehouse, directory: Path, *, mode: str, size: int = 1
) -> Iterator[PostgresWarehouse]:
    """Settings that connect through a pool of `size` connections; skips if it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with relay(postgres) as network:  # its user may not enter the directory of the server's socket
        file = directory / "pgbouncer.ini"
        reset = "discard all" if mode == "session" else ""
        file.write_text(
            _CONFIGURATION.format(server=network.port, port=port, mode=mode, size=size, reset=reset)
        )
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        with subprocess.Popen(
            [program, "-q", *user, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            pooled = postgres.model_copy(
                update={"host": "127.0.0.1", "port": port, "sslmode": "disable"}
            )
            try:
                await_value("pgbouncer to answer", lambda: _answers(pooled))
                yield pooled
            finally:
                process.kill()


def client(pooled: PostgresWarehouse) -> psycopg.Connection[tuple[object, ...]]:
    """Another client's connection to the same pool."""
    return psycopg.connect(
        host=pooled.host, port=pooled.port, user="postgres", dbname="postgres", autocommit=True,
        prepare_threshold=None,
    )  # fmt: skip


def _answers(pooled: PostgresWarehouse) -> bool:
    try:
        client(pooled).close()
    except psycopg.OperationalError:
        return False
    return True

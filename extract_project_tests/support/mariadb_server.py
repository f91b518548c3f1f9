"""A real MariaDB server on this machine, in a directory of its own, and its administrator."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest
from pymysql.constants import CLIENT

from extract_project.warehouses.conformance.rig import LABEL
from extract_project.warehouses.mysql import MySQLSession, MySQLWarehouse
from extract_project.warehouses.protocol import Query
from extract_project_tests.support.certificates import make_certificate
from extract_project_tests.support.waiting import await_value

_FAST = (
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-name-resolve",
    "--skip-log-bin",
)
_SECONDS = 60


@dataclass(frozen=True)
class MariaDB:
    """A server that answers, on a Unix socket and a port."""

    directory: Path
    port: int

    @property
    def socket(self) -> Path:
        return self.directory / "s"

    @property
    def certificate(self) -> Path:
        """Its own, for 127.0.0.1."""
        return self.directory / "server.pem"

    @property
    def warehouse(self) -> MySQLWarehouse:
        """Settings of its user `reader`, who may read everything and see what runs."""
        return MySQLWarehouse.model_validate(
            {
                "type": "mysql",
                "host": str(self.socket),
                "database": "shop",
                "user": "reader",
                "password": "hunter2",
            }
        )

    def over_tcp(self, **fields: Any) -> MySQLWarehouse:
        """The same user through the port, unencrypted unless told otherwise."""
        over = {"host": "127.0.0.1", "port": self.port, "sslmode": "disable", **fields}
        return self.warehouse.model_copy(update=over)

    def settings(self, name: str) -> dict[str, str]:
        """The same as environment variables: warehouse `name`, beside the default `shop`."""
        prefix = f"EXTRACT_WAREHOUSES__{name.upper()}__"
        fields = self.warehouse.model_dump(include={"type", "host", "database", "user"})
        return {
            "EXTRACT_WAREHOUSE": "shop",
            f"{prefix}PASSWORD": "hunter2",
            **{f"{prefix}{field.upper()}": value for field, value in fields.items()},
        }

    def admin(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement, which the administrator runs."""
        with self.admin() as connection, connection.cursor() as cursor:
            for each in statements:
                cursor.execute(each)
            return list(cursor.fetchall())


@contextmanager
def mariadb_server(directory: Path, *options: str) -> Iterator[MariaDB]:
    """A server with a database `shop`; skips if it is not installed."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    names = ("mariadb-install-db", "mariadbd", "my_print_defaults")
    install, program, defaults = (shutil.which(name, path=path) for name in names)
    if install is None or program is None or defaults is None:
        pytest.skip(
            "MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core"
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ["--user=root"] if os.getuid() == 0 else []
    data = ["--no-defaults", *user, f"--datadir={directory / 'data'}"]
    made = subprocess.run(
        [install, *data, "--auth-root-authentication-method=normal", "--skip-test-db", *_FAST],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    found = MariaDB(directory, port)
    pem = make_certificate(found.certificate)
    listen = [
        f"--ssl-cert={pem}",
        f"--ssl-key={pem}",
        f"--socket={found.socket}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
    ]
    log = directory / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [program, *data, *listen, *_FAST, *options], stdout=output, stderr=output
        ) as process,
    ):
        try:
            await_value(f"MariaDB to answer: {log}", lambda: _answers(found), _SECONDS)
            found.execute(
                "create database shop",
                "create user reader identified by 'hunter2'",
                "grant select, process on *.* to reader",
            )
            yield found
        finally:
            process.kill()


def table(session: MySQLSession, query: Query) -> pa.Table:
    result = session.execute(query)
    return pa.Table.from_batches(list(result.batches()), result.schema)


def read(server: MariaDB, text: str) -> pa.Table:
    with server.warehouse.connect(LABEL, timedelta(hours=1)) as session:
        return table(session, Query(text))


def _answers(server: MariaDB) -> bool:
    try:
        server.admin().close()
    except pymysql.OperationalError:
        return False
    return True
